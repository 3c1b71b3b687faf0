#!/bin/bash
# What a process that trains takes of the machine's memory: ResNet-20 with batches of 128 at its peak,
# and a small network before and after ten thousand steps.
. "$(dirname "$0")/guard.sh"
need_hot_loops

# row LOOP NAME: a number of what that loop said at its end, in KiB.
row()
{
    answer "$1" | sed -n "s/^$2 \(.*\) KiB$/\1/p"
}

# A judge of what a loop said.
grew()
{
    growth=$(sed -n 's/^resident_growth \(.*\) KiB$/\1/p')
    [ "${growth:-1000000}" -le 256 ] || echo "it grew by ${growth:-an unknown number of} KiB"
}

export OMP_NUM_THREADS=2
ask resnet20 "$hot_loops" resnet20
hold resnet20_pool_peak "$(row resnet20 pool_peak)" KiB
hold resnet20_resident_peak "$(row resnet20 resident_peak)" KiB

ask spirals "$hot_loops" spirals
claim_of spirals "ten thousand steps leave the process as large as it was" grew

finish
