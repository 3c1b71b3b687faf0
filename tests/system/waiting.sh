#!/bin/bash
# The command chooses how its threads wait, unless the user has: OpenMP says at its start what holds.
. "$(dirname "$0")/claim.sh"
norma=$NORMA_BUILD/norma
cat >"$temporary/net.yaml" <<'END'
model: [{dense: {units: 2}}]
data: {train: spirals}
loss: cross_entropy
train: {steps: 1, optimizer: {sgd: {rate: 0.1}}}
END

# says_last LINE: a judge of the last that OpenMP said about waiting.
says_last()
{
    sed -n "s/^ *\(\[host\] \)*\(GOMP_SPINCOUNT\|OMP_WAIT_POLICY\) = '\(.*\)'/\2=\3/p" |
        tail -2 | says "^$1\$"
}

expect() # what, the variable and value said, the environment
{
    rm -rf "$temporary/run"
    ask training env -u GOMP_SPINCOUNT -u OMP_WAIT_POLICY "${@:3}" OMP_DISPLAY_ENV=verbose \
        "$norma" train "$temporary/net.yaml" --out "$temporary/run"
    claim_of training "$1" says_last "$2"
}

# What the command itself is linked to; oneDNN, which `version` loads, may have another OpenMP with it.
ask ops env OMP_DISPLAY_ENV=verbose "$norma" ops
claim_of ops "the command runs" says 'batch_norm'
answer ops | grep -q GOMP_SPINCOUNT || skip "not built with GNU's OpenMP: nothing to choose"
expect "threads that wait soon sleep" GOMP_SPINCOUNT=5000 A=1
expect "a spin count is left alone" GOMP_SPINCOUNT=70 GOMP_SPINCOUNT=70
expect "a policy is left alone" GOMP_SPINCOUNT=0 OMP_WAIT_POLICY=passive

finish
