#!/bin/bash
# What a process that trains takes of the machine's memory: ResNet-20 with batches of 128 at its peak,
# and a small network before and after ten thousand steps.
. "$(dirname "$0")/guard.sh"
need_hot_loops

# A row of what a loop says at its end, in KiB.
row()
{
    sed -n "s/^$1 \(.*\) KiB$/\1/p" <<<"$said"
}

said=$(OMP_NUM_THREADS=2 "$hot_loops" resnet20)
hold resnet20_pool_peak "$(row pool_peak)" KiB
hold resnet20_resident_peak "$(row resident_peak)" KiB

said=$(OMP_NUM_THREADS=2 "$hot_loops" spirals)
growth=$(row resident_growth)
claim "ten thousand steps leave the process as large as it was" \
    "$([ "${growth:-1000000}" -le 256 ] || echo "it grew by ${growth:-an unknown number of} KiB")"

finish
