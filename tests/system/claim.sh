# What the scripts beside this one share: claims, counted and summed up as Check does it.
#
# A claim about a program is made of what it says: `ask` runs it, `claim_of` judges that. So none
# holds where the program is missing, empty or killed. (An empty one would pass for a script that
# succeeds.) $temporary is a folder for the script, removed at its end.
set -u
failed=0
passed=0
temporary=$(mktemp -d) || exit 1
trap 'rm -rf "$temporary"' EXIT

# claim TEXT OUTPUT: it holds if there is no output.
claim()
{
    if [ -z "$2" ]; then
        passed=$((passed + 1))
        [ -z "${NORMA_HELD:-}" ] || echo "$1" >>"$NORMA_HELD" # a list, for broken.sh
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

# ---- Programs ----

# ask NAME COMMAND...: runs a program, for the claims about what it says, in both of its streams.
ask()
{
    asked=$temporary/$1.said
    shift
    "$@" >"$asked" 2>&1
    status=$?
    if [ $status -ne 0 ]; then
        printf '%s: status %d\n' "$*" $status
        tail -n 20 "$asked"
    elif [ ! -s "$asked" ]; then
        printf '%s: it says nothing\n' "$*"
    fi >"$asked.wrong"
    [ ! -s "$asked.wrong" ]
}

# answer NAME: what it said; nothing if it did not run to its end.
answer()
{
    [ -s "$temporary/$1.said.wrong" ] || cat "$temporary/$1.said"
}

# claim_of NAME TEXT JUDGE...: it holds if the program that was asked ran to its end and said
# something in which the judge, a command that reads it, finds nothing to complain about.
claim_of()
{
    asked=$temporary/$1.said
    text=$2
    shift 2
    if [ -f "$asked.wrong" ] && [ ! -s "$asked.wrong" ]; then
        claim "$text" "$("$@" <"$asked" 2>&1)"
    else
        claim "$text" "$(cat "$asked.wrong" 2>&1)"
    fi
}

# The judges. says PATTERN: some line matches.
says()
{
    grep -qe "$1" || echo "no line matches $1"
}

# never_says PATTERN: no line does.
never_says()
{
    grep -m 3 -e "$1"
    [ $? -eq 1 ] || echo "a line matches $1"
}

# ---- Files ----

# found ARGUMENTS OF GREP: what it finds; something in any case if it could not look.
found()
{
    grep "$@" 2>&1
    [ $? -le 1 ] || echo "grep failed"
}

# ---- The end ----

# The script's last line.
finish()
{
    total=$((passed + failed))
    printf '%d%%: Checks: %d, Failures: %d, Errors: 0\n' \
        $((total ? passed * 100 / total : 0)) $total $failed
    [ "$failed" -eq 0 ] && [ $total -gt 0 ]
    exit
}

# skip REASON: what follows does not apply. The script counts as skipped, unless a claim failed.
skip()
{
    [ "$failed" -eq 0 ] || finish
    echo "skipped: $*"
    exit 77
}
