#!/bin/bash
# The kernels of every instruction set that this processor has compute the same, within rounding.
#
#     kernels.sh PLAIN AVX2 AVX512: the program kernels.c, linked to each kind
. "$(dirname "$0")/claim.sh"
declare -A program=([plain]=$1 [avx2]=$2 [avx512]=$3)
export OMP_NUM_THREADS=1

# has FLAG...: whether the processor has what its description calls that.
has()
{
    for flag; do
        grep -qwm1 "$flag" /proc/cpuinfo || return
    done
}

vectors= # kinds other than the plain one that run here
! has avx2 fma || vectors+=" avx2"
! has avx512f || vectors+=" avx512"

ask plain "${program[plain]}" "$temporary/plain"
claim_of plain "the plain kernels run" says '^[1-9][0-9]* tensors'
for kind in $vectors; do
    ask "$kind" "${program[$kind]}" "$temporary/$kind" "$temporary/plain"
    claim_of "$kind" "the kernels for $kind agree with the plain ones" says '^[1-9][0-9]* tensors'
done

! answer plain | grep -q 'not optimized' ||
    skip "the kernels agree; which instructions they use is the optimizer's work, and it is off"
for kind in $vectors; do # or not one number was rounded otherwise
    claim_of "$kind" "the kernels for $kind are others than the plain ones" \
        never_says 'difference 0$'
done
if command -v objdump >/dev/null; then
    for kind in plain avx2 avx512; do
        ask $kind.code objdump -d --no-show-raw-insn "${program[$kind]}"
    done
    claim_of plain.code "plain kernels need no AVX" never_says '%[yz]mm[0-9]'
    claim_of avx2.code "AVX2 kernels use its registers" says '%ymm[0-9]'
    claim_of avx2.code "AVX2 kernels need no AVX-512" never_says '%zmm[0-9]'
    claim_of avx512.code "AVX-512 kernels use its registers" says '%zmm[0-9]'
fi

finish
