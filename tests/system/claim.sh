# What the scripts beside this one share: claims, counted and summed up as Check does it.
set -u
failed=0
passed=0

# claim TEXT OUTPUT: it holds if there is no output.
claim()
{
    if [ -z "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n%s\n' "$1" "$2"
    fi
}

# claim_runs TEXT COMMAND...: it holds if the command succeeds.
claim_runs()
{
    text=$1
    shift
    output=$("$@" 2>&1) && output= || output="$* failed: $output"
    claim "$text" "$output"
}

# The script's last line.
finish()
{
    total=$((passed + failed))
    printf '%d%%: Checks: %d, Failures: %d, Errors: 0\n' $((passed * 100 / total)) $total $failed
    [ "$failed" -eq 0 ]
}
