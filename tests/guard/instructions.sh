#!/bin/bash
# How many instructions one thread needs for each hot loop, as valgrind's callgrind counts them. The
# loops are Norma's own: none of them runs oneDNN, whose code depends on the processor's caches too.
. "$(dirname "$0")/guard.sh"
command -v valgrind >/dev/null || skip "valgrind is not installed"
need_hot_loops

# Instructions of one run of a loop.
count()
{
    ask "$1" env OMP_NUM_THREADS=1 valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        --collect-atstart=no --toggle-collect=hot "$hot_loops" "$1"
    answer "$1" | sed -n 's/^runs //p; s/^==.* Collected : //p' | {
        read -r runs && read -r collected && echo $((collected / runs))
    }
}

for loop in scalar_chain batch_norm batch_norm_activation weight_norm max_pool2d cross_entropy sgd \
    loader; do
    hold "$loop" "$(count "$loop")" instructions
done

finish
