#!/bin/bash
# A process with too little memory ends with an error, whatever of it is missing: oneDNN, which does not look whether
# it got what it asked for, is not loaded or not asked then. From the least memory in which the command starts, up to
# enough; and from the least in which oneDNN is loaded.
. "$(dirname "$0")/guard.sh"
need_hot_loops
ninja -C "$build" norma >"$temporary/log" 2>&1 || {
    cat "$temporary/log"
    exit 1
}
norma=$build/norma
cd "$temporary" || exit 1
cat >net.yaml <<'TEXT'
model: [dense: {units: 512}, relu, dense: {units: 512}, relu, dense: {units: 2}]
data: {train: {spirals: {points: 512}}, batch: 128}
loss: cross_entropy
train: {epochs: 1, optimizer: {sgd: {rate: 0.1}}}
TEXT
export OMP_NUM_THREADS=1

# limited KIB COMMAND...: its exit code, of a command that may have so much address space.
limited()
{
    (
        ulimit -v "$1" && shift && timeout 60 "$@" >said 2>&1
        echo $?
    ) 2>/dev/null
}

# tried PRECISION FROM STEP TO: trains with each limit; `broken` has the crashes, `last` the last exit code.
tried()
{
    precision=$1
    shift
    broken=
    for kib in $(seq "$@"); do
        rm -rf out
        code=$(limited "$kib" "$norma" train net.yaml --quiet --out out --set "train.precision=$precision")
        [ "$code" -le 2 ] || broken="$broken$kib KiB: $code
"
        last=$code
    done
}

least=4000
while [ $least -lt 300000 ] && [ "$(limited $least "$norma" --version)" != 0 ]; do
    least=$((least + 1000))
done
tried f32 $((least + 2000)) 500 $((least + 30000))
claim "short memory is an error, never a crash" "$broken"
claim "with enough of it, it trains" "$([ "$last" = 0 ] || echo "exit code $last")"

least=$((least + 30000))
while [ $least -lt 500000 ] && [ "$(limited $least "$norma" version)" = 0 ] && ! grep -q ', oneDNN' said; do
    least=$((least + 4000))
done
tried bf16 $((least + 40000)) 1000 $((least + 80000)) # whose products are oneDNN's
claim "nor where oneDNN is just loaded" "$broken"
claim "and with enough of it, it trains" "$([ "$last" = 0 ] || echo "exit code $last")"

finish
