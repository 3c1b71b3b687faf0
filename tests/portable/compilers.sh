#!/bin/bash
# Each other version of gcc and clang on this machine: the library, and the examples in every standard
here=$(dirname "$0")
. "$here/common.sh"
make_copy

for compiler in gcc-{9..19} clang-{11..29}; do
    command -v "$compiler" >/dev/null || continue
    export CC=$compiler
    build "build/$compiler" -Dtests=false
    train "build/$compiler" "build/$compiler/norma"
done
unset CC
[ -n "${trained:-}" ] || cannot "it needs another gcc or clang, such as Debian's gcc-11 or clang-16"

say "Programs"
NORMA_COMPILERS=all NORMA_SOURCE=$PWD NORMA_BUILD=$PWD/build tests/system/compilers.sh >"$FOLDER/log" 2>&1 || {
    cat "$FOLDER/log"
    exit 1
}
result "programs: $(tail -n 1 "$FOLDER/log")"
