#!/bin/sh
# Threads that share a network do not race: the example and the tests of it under the thread
# sanitizer, where the compiler has one, and so do not those that share loops. In a build of its own,
# without oneDNN: how that synchronizes is not for the sanitizer to see.
. "$(dirname "$0")/claim.sh"
build=$NORMA_BUILD/tests/threads
unset LD_LIBRARY_PATH # of the library that has other sanitizers; programs here know their own
compiler=${CC:-cc}
[ -z "${NORMA_THREADS_CC:-}" ] || compiler=$NORMA_THREADS_CC

echo 'int main(void) { return 0; }' >"$temporary/none.c"
$compiler -fsanitize=thread "$temporary/none.c" -o "$temporary/none" 2>"$temporary/log" && "$temporary/none" || {
    echo "no thread sanitizer here: $(tail -n 1 "$temporary/log")"
    exit 77 # skipped
}

build_it()
{
    [ -f "$build/build.ninja" ] ||
        CC=$compiler meson setup "$build" "$NORMA_SOURCE" --buildtype=debugoptimized -Doptimization=1 -Dc_args=-g1 \
            -Db_sanitize=thread -Db_lundef=false -Db_ndebug=false -Donednn=disabled \
            -Dkernels=plain &&
        ninja -C "$build" docs/example_threads tests/models_test_share tests/core_test_team
}
build_it >"$temporary/log" 2>&1 || {
    claim "the library builds with the thread sanitizer" "it fails:
$(grep -vE '^\[[0-9]+/[0-9]+\] [CG]' "$temporary/log")"
    finish
}

"$NORMA_BUILD/norma" train "$NORMA_SOURCE/models/zoo/spirals.yaml" --quiet --set train.epochs=1 \
    --out "$temporary/run" >"$temporary/log" 2>&1
printf '\223NUMPY\1\0\166\0%-117s\n\0\0\0\77\0\0\0\0' \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }" >"$temporary/new.npy"
ask example "$build/docs/example_threads" "$temporary/run" "$temporary/new.npy"
claim_of example "the example's four threads do not race" never_says 'data race'
claim_of example "and answer with the bits of one" says '^4 threads: 4000 answers, 0 of them different'
ask tests "$build/tests/models_test_share"
claim_of tests "nor do those of the tests" says '^100%'
ask team "$build/tests/core_test_team"
claim_of team "nor do those that share loops" says '^100%'

finish
