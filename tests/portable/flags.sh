#!/bin/bash
# This machine's compiler with -O0, -O3, -Os and optimization at link time
here=$(dirname "$0")
. "$here/common.sh"
need check g++
make_copy

# with NAME MESON'S OPTIONS: the tests of the units; those of the tree build on their own.
with()
{
    build "build/$1" "${@:2}"
    result "$1"
    train "build/$1" "build/$1/norma"
    tests tests/run "build/$1" --suite core --suite ops --suite optim --suite models --suite fuzz
}

with O0 -Doptimization=0
with O3 -Dc_args=-O3 # the build's own -O2 stands before it
with Os -Doptimization=s

# Each program of the tests would be optimized anew with the whole library: for hours. The command checks the ops.
build build/LTO -Db_lto=true -Dtests=false
result LTO
train build/LTO build/LTO/norma
say "Gradients"
build/LTO/norma gradcheck >"$FOLDER/log"
result "gradients of $(grep -c 'first order' "$FOLDER/log") ops passed"
