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

# ---- Loading it: late, and not at all where it cannot be ----

norma=$NORMA_BUILD/norma
ask version "$norma" version
file=$(grep -o -m 1 'NM_ONEDNN_FILE=[^ ]*' "$NORMA_BUILD/compile_commands.json" | grep -o -m 1 'libdnnl[a-z0-9.]*' | head -n 1)
[ -n "$file" ] || finish # built without
claim_of version "the oneDNN that it was built for, $file, is the one that it loads" says ', oneDNN [23]\.'
cat >"$temporary/net.yaml" <<'END'
model: [dense: {units: 256}, relu, dense: {units: 256}, relu, dense: {units: 2}]
data: {train: {spirals: {points: 256}}, batch: 256}
loss: cross_entropy
train: {epochs: 1, optimizer: {sgd: {rate: 0.1}}}
END

# trains NAME: one epoch, in a folder of that name, without oneDNN.
trains()
{
    ask "$1" env LD_LIBRARY_PATH="$fake" "$norma" train "$temporary/net.yaml" --out "$temporary/run.$1"
    claim_of "$1" "it trains all the same, with $2" says 'saved in'
    claim "and the log says that it went without, with $2" \
        "$(grep -q '"event": *"end".*"onednn": *false' "$temporary/run.$1/log.jsonl" || echo "it does not")"
    ask "$1.version" env LD_LIBRARY_PATH="$fake" "$norma" version
    claim_of "$1.version" "the command says why oneDNN is not used: $2" says "no oneDNN: .*$3"
}

rm -rf "$fake" && mkdir "$fake"
echo 'int dnnl_version(void) { return 0; }' >"$temporary/other.c"
claim_runs "a library of its name can be made" ${CC:-cc} -shared -fPIC \
    -o "$fake/$file" "$temporary/other.c"
trains other "a library that has another's functions" "$file: it has no function dnnl_"
echo broken >"$fake/$file"
trains broken "a file that is no library" "$file"

finish
