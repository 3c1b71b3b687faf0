#!/bin/bash
# This machine's clang, with its own OpenMP
here=$(dirname "$0")
. "$here/common.sh"
need clang libomp-dev check g++ valgrind cmake
make_copy
export CC=clang
build build/clang
ldd build/clang/norma | grep -q libomp || {
    result "not linked to clang's OpenMP"
    exit 1
}
train build/clang build/clang/norma
tests tests/run build/clang
