#!/bin/bash
# The kernels of every instruction set that this processor has compute the same, within rounding.
#
#     kernels.sh PLAIN AVX2 AVX512: the program kernels.c, linked to each kind
. "$(dirname "$0")/claim.sh"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# has FLAG: whether the processor has what its description calls that.
has()
{
    grep -qwm1 "$1" /proc/cpuinfo
}

# uses PROGRAM REGISTERS: whether its machine code names them.
uses()
{
    objdump -d --no-show-raw-insn "$1" | grep -qm1 "$2"
}

# agrees NAME PROGRAM
agrees()
{
    claim_runs "the kernels for $1 agree with the plain ones" "$2" "$folder/$1" "$folder/plain"
    claim "the kernels for $1 are others than the plain ones" \
        "$(cmp -s "$folder/plain" "$folder/$1" && echo "not one number is rounded otherwise")"
}

export OMP_NUM_THREADS=1
claim_runs "the plain kernels run" "$1" "$folder/plain"
if has avx2 && has fma; then
    agrees avx2 "$2"
fi
if has avx512f; then
    agrees avx512 "$3"
fi
if command -v objdump >/dev/null; then
    claim "plain kernels need no AVX" "$(uses "$1" '%[yz]mm[0-9]' && echo "they do")"
    claim "AVX2 kernels use its registers" "$(uses "$2" '%ymm[0-9]' || echo "they do not")"
    claim "AVX2 kernels need no AVX-512" "$(uses "$2" '%zmm[0-9]' && echo "they do")"
    claim "AVX-512 kernels use its registers" "$(uses "$3" '%zmm[0-9]' || echo "they do not")"
fi

finish
