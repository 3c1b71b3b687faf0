#!/bin/sh
# The build for hunting (-Dguard=true) finds what the usual one cannot, and nothing where there is nothing: the tests
# of what is held wrongly, and those of ops and networks that are right, in a build of its own.
. "$(dirname "$0")/claim.sh"
build=$NORMA_BUILD/tests/hunting
unset LD_LIBRARY_PATH # of the library that has other sanitizers
programs="core_test_lifetime core_test_misuse core_tensor_test_tensor ops_test_running ops_test_weight_norm optim_test_traced
    models_test_norm_layers models_test_misuse models_test_random_networks"

build_it()
{
    [ -f "$build/build.ninja" ] ||
        CC=${CC:-cc} meson setup "$build" "$NORMA_SOURCE" --buildtype=debugoptimized -Doptimization=1 -Dc_args=-g1 \
            -Db_ndebug=false -Dguard=true -Donednn=disabled -Dkernels=plain &&
        ninja -C "$build" $(printf 'tests/%s ' $programs)
}
build_it >"$temporary/log" 2>&1 || {
    claim "the library builds for hunting" "it fails:
$(grep -vE '^\[[0-9]+/[0-9]+\] [CG]' "$temporary/log")"
    finish
}
for program in $programs; do
    ask "$program" "$build/tests/$program"
    claim_of "$program" "$program passes in the build for hunting" says '^100%'
done

finish
