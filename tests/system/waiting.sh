#!/bin/bash
# The command chooses how its threads wait, unless the user has: OpenMP says at its start what holds.
. "$(dirname "$0")/claim.sh"
norma=$NORMA_BUILD/norma
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/net.yaml" <<'END'
model: [{dense: {units: 2}}]
data: {train: spirals}
loss: cross_entropy
train: {steps: 1, optimizer: {sgd: {rate: 0.1}}}
END

# waits VARIABLE=VALUE...: what OpenMP said last, in the environment given.
waits()
{
    rm -rf "$folder/run"
    env -u GOMP_SPINCOUNT -u OMP_WAIT_POLICY "$@" OMP_DISPLAY_ENV=verbose \
        "$norma" train "$folder/net.yaml" --out "$folder/run" 2>&1 >/dev/null |
        sed -n "s/^ *\(\[host\] \)*\(GOMP_SPINCOUNT\|OMP_WAIT_POLICY\) = '\(.*\)'/\2=\3/p" | tail -2
}

expect() # what, the variable and value said, the environment
{
    claim "$1" "$(said=$(waits "${@:3}"); grep -qx "$2" <<<"$said" || echo "${said:-it says nothing}")"
}

if ! ldd "$norma" | grep -q libgomp; then
    echo "not built with GNU's OpenMP: nothing to choose"
    exit 77
fi
expect "threads that wait soon sleep" GOMP_SPINCOUNT=5000 A=1
expect "a spin count is left alone" GOMP_SPINCOUNT=70 GOMP_SPINCOUNT=70
expect "a policy is left alone" GOMP_SPINCOUNT=0 OMP_WAIT_POLICY=passive

finish
