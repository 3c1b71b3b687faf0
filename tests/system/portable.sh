#!/bin/bash
# ./dev portable: what compares the losses can fail; a place that fails, cannot be tried or is interrupted is
# told as that, and leaves nothing behind. Its build is a stub here, and so are its places.
. "$(dirname "$0")/claim.sh"
shopt -s lastpipe # what a pipe ends in counts here
losses=$NORMA_SOURCE/tests/portable/losses.py

# ---- Losses ----

epoch() # NUMBER TRAIN_LOSS TEST_LOSS
{
    printf '{"event": "epoch", "epoch": %s, "train_loss": %s, "test_loss": %s}\n' "$@"
}

# compares TEXT: standard input is within rounding of the reference.
compares()
{
    cat >"$temporary/other"
    claim_runs "$1" python3 "$losses" "$temporary/losses" "$temporary/other"
}

# refuses TEXT: standard input is not.
refuses()
{
    cat >"$temporary/other"
    claim "$1 is refused" "$(
        python3 "$losses" "$temporary/losses" "$temporary/other" 2>&1 >/dev/null && echo "it is not")"
}

{
    epoch 1 0.5 0.25
    epoch 2 0.25 0.125
} >"$temporary/losses"
{
    epoch 1 0.5 0.25
    epoch 2 0.2500001 0.125
} | compares "what differs by rounding is the same"
{
    epoch 1 0.5 0.25
    epoch 2 0.25001 0.125
} | refuses "a loss that differs by 4e-5"
epoch 1 0.5 0.25 | refuses "a run with an epoch less"
{
    epoch 1 0.5 0.25
    epoch 2 NaN 0.125
} | refuses "a loss that is not a number"
{
    epoch 1 0.5 null
    epoch 2 0.25 null
} | refuses "a run without test losses"
refuses "a run without epochs" </dev/null

# ---- Places ----

tree=$temporary/tree
mkdir -p "$tree/tests" "$temporary/bin" "$temporary/tmp"
cp -r "$NORMA_SOURCE/tests/portable" "$tree/tests/portable"
for place in $("$tree/tests/portable/run" | sed -n 's/^  \([a-z0-9]*\) .*/\1/p'); do
    places=$((${places:-0} + 1))
    claim "$place is a script that says what it tries" \
        "$(sed -n '2s/^# ./fine/p' "$tree/tests/portable/$place.sh" | grep -q fine || echo "it does not")"
done
claim "there are places" "$([ "${places:-0}" -gt 5 ] || echo "${places:-none}")"

# A build is a program that prints losses: others for another learning rate, unless it is told not to.
cat >"$temporary/bin/meson" <<'TEXT'
#!/bin/sh
mkdir -p "$2"
cat >"$2/norma" <<'PROGRAM'
#!/bin/sh
case "$*$SAME" in
*rate=*different) loss=0.75 ;;
*) loss=0.5 ;;
esac
printf '{"event": "epoch", "epoch": 1, "train_loss": %s, "test_loss": 0.5}\n' "$loss"
PROGRAM
chmod +x "$2/norma"
TEXT
printf '#!/bin/sh\n' >"$temporary/bin/ninja"
chmod +x "$temporary/bin/meson" "$temporary/bin/ninja"

place() # NAME: standard input is its script
{
    { printf '#!/bin/bash\n# a stub\n. "$(dirname "$0")/common.sh"\n' && cat; } \
        >"$tree/tests/portable/$1.sh"
}

portable() # EXPECTED STATUS, PLACES: the table is in $temporary/table
{
    SAME=${same:-different} TMPDIR=$temporary/tmp PATH=$temporary/bin:$PATH \
        "$tree/tests/portable/run" "${@:2}" >"$temporary/table" 2>"$temporary/errors"
    status=$?
    [ "$status" -eq "$1" ] || { echo "status $status"; cat "$temporary/errors"; false; }
}

in_table() # WORDS
{
    grep -qF -- "$1" "$temporary/table" || { cat "$temporary/table"; false; }
}

echo 'result fine' | place debian13
echo 'result gone; false' | place clang
echo 'cannot "it needs a moon"' | place arm64
claim_runs "a place that passes is a success" portable 0 debian13
claim_runs "what it found is in the table" in_table "| debian13 | passed: fine | 0 min 0"
claim_runs "a place that fails is a failure" portable 1 debian13 clang
claim_runs "and stands as that beside others" in_table "| clang | FAILED: gone |"
claim_runs "a place that cannot be tried is no failure beside one that passes" portable 0 debian13 arm64
claim_runs "it says why" in_table "| arm64 | not tried: it needs a moon |"
claim_runs "where nothing can be tried, nothing has passed" portable 77 arm64
claim_runs "nor where what can be tried fails" portable 1 arm64 clang
echo 'exit 77' | place arm64
claim_runs "a program's own 77 is a failure" portable 1 debian13 arm64
echo 'train build build/norma' | place arm64
claim_runs "a network that cannot be trained is a failure" portable 1 arm64
{
    echo 'other() { echo "{\"event\": \"epoch\", \"epoch\": 1, \"train_loss\": 0.75, \"test_loss\": 0.5}"; }'
    echo 'mkdir -p build/meson-logs'
    echo 'printf "Version: 1.0\nC compiler for the host machine: cc (gcc 12.2.0 \"cc\")\n" >build/meson-logs/meson-log.txt'
    echo 'train build other'
} | place arm64
claim_runs "so are other losses" portable 1 arm64
claim_runs "what made them is told" in_table "| arm64 | FAILED: gcc 12.2.0, Meson 1.0, no oneDNN;"
claim_runs "and which" in_table "; train_loss of epoch 1: 0.75, not 0.5 |"
{
    echo 'other() { mkdir "${@: -1}" && cat "$REFERENCE"; }'
    echo 'mkdir -p build/meson-logs runs'
    echo 'train build other; train build other'
} | place arm64
claim_runs "a place may train several builds" portable 0 arm64
echo 'quietly sh -c "echo warning: none"' | place arm64
claim_runs "so is a warning" portable 1 arm64
echo 'tests sh -c "echo 7 passed, 0 failed"' | place arm64
claim_runs "tests that pass do" portable 0 arm64
claim_runs "and are counted" in_table "| arm64 | passed: 7 passed, 0 failed |"
echo 'tests sh -c "echo 6 passed, 1 failed; false"' | place arm64
claim_runs "tests that fail do" portable 1 arm64
claim_runs "an unknown place is refused" portable 2 mars
same=same claim_runs "a comparison that tells nothing apart is a failure" portable 1 debian13

# ---- Interrupted ----

# ended PID: it is no more, but for what its parent has not asked for yet.
ended()
{
    [ ! -e "/proc/$1" ] || grep -qs '^State:.Z' "/proc/$1/status" || { ps -fp "$1"; false; }
}

# interrupt SIGNAL: once the place has begun. It waits in a process that ignores signals.
interrupt()
{
    TMPDIR=$temporary/tmp PATH=$temporary/bin:$PATH SAME=different \
        "$tree/tests/portable/run" debian13 >"$temporary/table" 2>"$temporary/errors" &
    runner=$!
    until [ -s "$temporary/begun" ] || ! kill -0 "$runner" 2>/dev/null; do sleep 0.1; done
    kill "-$1" "$runner"
    ! wait "$runner" || { echo "it went on"; false; }
}

place debian13 <<TEXT
sh -c 'trap "" INT TERM HUP; echo \$\$ >$temporary/begun; sleep 600 & wait'
TEXT
for signal in TERM HUP; do
    rm -f "$temporary/begun"
    claim_runs "a run interrupted by $signal ends" interrupt "$signal"
    claim_runs "and so does what it ran" ended "$(cat "$temporary/begun")"
done
claim "no folder was left" "$(ls "$temporary/tmp")"

# ---- What has to pass before a change lands ----

mkdir "$tree/.ci"
cp "$NORMA_SOURCE/.ci/run" "$tree/.ci/run"
cat >"$tree/dev" <<'TEXT'
#!/bin/sh
case $* in
"portable debian13") echo "9 passed, 9 failed" && exit "$ELSEWHERE" ;;
test) echo "3 passed, 0 failed" && exit "$HERE" ;;
esac
exit 3
TEXT
chmod +x "$tree/dev"

gate() # EXPECTED STATUS, STATUS OF DEBIAN 13, OF THE TESTS HERE
{
    ELSEWHERE=$2 HERE=$3 TMPDIR=$temporary/tmp bash "$tree/.ci/run" >"$temporary/gate" 2>&1
    status=$?
    [ "$status" -eq "$1" ] || { echo "status $status"; cat "$temporary/gate"; return 1; }
    [ "$(tail -n 1 "$temporary/gate")" = "3 passed, 0 failed" ] &&
        [ "$(grep -cE '^[0-9]+ passed' "$temporary/gate")" = 1 ] || { cat "$temporary/gate"; return 1; }
}

claim_runs "a change that passes on both lands" gate 0 0 0
claim_runs "not one that fails here" gate 1 0 1
claim_runs "nor one that fails on Debian 13" gate 1 1 0
claim_runs "nor one that does not end there" gate 1 124 0
claim_runs "one lands where there can be no Debian 13" gate 0 77 0
claim_runs "which is said" grep -q "DEBIAN 13 WAS NOT TRIED" "$temporary/gate"
claim_runs "but not if it fails here" gate 1 77 1
claim "no file was left" "$(ls "$temporary/tmp")"

finish
