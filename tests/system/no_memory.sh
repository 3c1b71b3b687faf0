#!/bin/bash
# Programs as users write them, one check at the end of a chain of calls, survive that any one request
# for memory fails: the examples, and the README's.
. "$(dirname "$0")/claim.sh"
here=$(cd "$(dirname "$0")" && pwd)
cd "$temporary" || exit 1
awk '$0 == "```c" { on = 1; next } /^```/ { on = 0 } on' "$NORMA_SOURCE/README.md" >readme.c
"$NORMA_BUILD/norma" train "$NORMA_SOURCE/models/zoo/spirals.yaml" --quiet --set train.epochs=1 --out run >/dev/null
printf '\223NUMPY\1\0\166\0%-117s\n' \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }" >new.npy
printf '\0\0\0\77\0\0\0\0' >>new.npy
awk 'BEGIN { print "size,broken"; for (i = 0; i < 60; i++) print i % 7 "," (i % 3 ? "yes" : "no") }' >parts.csv

names=
# survives NAME SOURCE ARGUMENTS...: begins the trial, in a folder of its own; two run at a time.
survives()
{
    local name=$1 source=$2 takes= end=_exit
    shift 2
    ! grep -q 'main(int argc' "$source" || takes=-DWITH_ARGUMENTS
    [[ ${NORMA_LINK:-} != *--coverage* ]] || end=exit # which writes what was reached
    mkdir "in_$name" && cp -r run new.npy parts.csv "in_$name"
    claim_runs "$name compiles with an allocator that fails" ${CC:-cc} -std=gnu11 -g \
        -DEXAMPLE="\"$source\"" $takes -DEND_CHILD=$end -I"$NORMA_SOURCE" "$here/no_memory.c" -o "in_$name/$name" \
        "$NORMA_BUILD/libnorma.so" -lm -pthread -Wl,-rpath,"$NORMA_BUILD" ${NORMA_LINK:-}
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do
        wait -n
    done
    # The trial counts blocks itself: a sanitizer that looks for them again takes a third of the time.
    (cd "in_$name" && ask "$name" env OMP_NUM_THREADS=1 ASAN_OPTIONS=detect_leaks=0 "./$name" "$@") &
    names="$names $name"
}

# The longest first, so that two run until the end.
survives threads "$NORMA_SOURCE/docs/examples/threads.c" run new.npy 1
survives own_network "$NORMA_SOURCE/docs/examples/own_network.c" own
survives readme "$temporary/readme.c"
for example in "$NORMA_SOURCE"/docs/examples/*.c; do
    name=$(basename "$example" .c)
    case $name in
    own_command) ;; # its context is made within the command
    own_network | threads) ;; # begun above
    predict) survives "$name" "$example" run new.npy ;;
    logistic_regression) survives "$name" "$example" parts.csv ;;
    seeds) survives "$name" "$example" 1 ;; # the next one does the same in a context of its own
    *) survives "$name" "$example" ;;
    esac
done
wait
for name in $names; do
    claim_of "$name" "$name ends with a message whichever of its requests for memory fails" \
        says '^[1-9][0-9][0-9]* requests$'
done

finish
