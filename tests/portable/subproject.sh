#!/bin/bash
# A project of Meson's that has Norma as a subproject, with its shared library and with its static one
here=$(dirname "$0")
. "$here/common.sh"
make_copy
mkdir -p "$FOLDER/program/subprojects"
cp tests/system/outside/*.c tests/system/outside/meson.build "$FOLDER/program"
ln -s "$FOLDER/norma" "$FOLDER/program/subprojects/norma"
cd "$FOLDER/program"

for library in shared static; do
    build "build/$library" --force-fallback-for=norma "-Ddefault_library=$library"
    for program in sum own_ops; do
        "build/$library/$program" >"$FOLDER/said"
        result "$library, $program: $(cat "$FOLDER/said")"
    done
    [ "$(cat "$FOLDER/said")" = 0.0284 ]
    ! ldd "build/$library/sum" | grep libnorma || [ "$library" = shared ]
done
