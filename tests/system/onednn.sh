#!/bin/sh
# A oneDNN that is there and cannot be used is a warning of the configuration, and a build without it;
# where it was asked for, an error that says so. Tried on libraries of that name made here.
. "$(dirname "$0")/claim.sh"
fake=$temporary/fake
export CFLAGS="-I$fake" LDFLAGS="-L$fake"

# make_fake VERSION FUNCTION: a header that says that version and declares the function, and a library
# that has neither.
make_fake()
{
    rm -rf "$fake" && mkdir "$fake"
    printf '#define DNNL_VERSION_MAJOR %s\nint %s(void);\n' "$1" "$2" >"$fake/dnnl.h"
    echo 'int nothing;' >"$temporary/nothing.c"
    claim_runs "a library can be made" ${CC:-cc} -shared -fPIC -o "$fake/libdnnl.so" \
        "$temporary/nothing.c"
}

# configure NAME OPTION: asks Meson, in a folder of that name.
configure()
{
    ask "$1" meson setup "$temporary/$1" "$NORMA_SOURCE" -Dtests=false "$2"
}

# unusable NAME REASON: such a library is configured without, saying why.
unusable()
{
    configure "$1.auto" -Donednn=auto
    claim_of "$1.auto" "oneDNN is not used: $2" says "WARNING: oneDNN .*$2.*without it"
    claim "nothing is compiled for oneDNN: $2" \
        "$(found -o -m 1 NM_HAVE_ONEDNN "$temporary/$1.auto/compile_commands.json")"
    configure "$1.enabled" -Donednn=enabled
    claim "oneDNN that is wanted and cannot be used is an error: $2" \
        "$(says "ERROR: .*oneDNN is wanted .*$2" <"$temporary/$1.enabled.said.wrong")"
}

make_fake 4 dnnl_of_tomorrow
unusable later "version 4"
make_fake 2 dnnl_matmul_desc_init
unusable unlinked "do not link"
make_fake 3 dnnl_matmul_primitive_desc_create
echo '#error not for this compiler' >"$fake/dnnl.h"
unusable broken "no header"

finish
