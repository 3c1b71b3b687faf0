#!/bin/bash
# This machine's clang
here=$(dirname "$0")
. "$here/common.sh"
need clang check g++ valgrind cmake
make_copy
export CC=clang
build build/clang
train build/clang build/clang/norma
tests tests/run build/clang
