#!/bin/bash
# What a program calls compiles without a warning, whatever its compiler, standard and warnings: the examples and
# README's program in C, the headers in C++. By default by gcc and clang, in the oldest and newest standards that
# they have; with NORMA_COMPILERS=all by every gcc from 9 and clang from 11 on that is found, in all of them.
. "$(dirname "$0")/claim.sh"
cd "$NORMA_SOURCE" || exit 1
warnings="-Wall -Wextra -Wpedantic -Wconversion -Werror"
if [ "${NORMA_COMPILERS:-}" = all ]; then
    compilers="$(echo gcc clang gcc-{9..19} clang-{11..29})"
    c_standards="c11 c17 c23" cxx_standards="c++17 c++20 c++23" how="-O2 -c -o $temporary/object"
else
    compilers="gcc clang" c_standards="c11 c23" cxx_standards="c++17 c++23" how=-fsyntax-only
fi
mkdir "$temporary/programs"
cp docs/examples/*.c "$temporary/programs"
awk '$0 == "```c" { on = 1; next } /^```/ { on = 0 } on' README.md >"$temporary/programs/README.c"

# name_of COMPILER STANDARD: as it calls it; c2x for c23, and c++2b for c++23, before these had a name.
name_of()
{
    for name in "$2" "$(sed 's/23$/2x/; s/++2x/++2b/' <<<"$2")"; do
        case $2 in
        c++*) echo | $1 -std="$name" -fsyntax-only -x c++ - 2>/dev/null && echo "$name" && return ;;
        *) echo | $1 -std="$name" -fsyntax-only -x c - 2>/dev/null && echo "$name" && return ;;
        esac
    done
    return 1
}

for compiler in $compilers; do
    command -v "$compiler" >/dev/null || continue
    tried="${tried:-} $compiler"
    for standard in $c_standards; do
        name=$(name_of "$compiler" $standard) || continue
        for program in "$temporary"/programs/*.c; do
            claim_runs "$compiler takes ${program##*/} as $name without a warning" \
                $compiler -std=$name $warnings -I. $how "$program"
        done
    done
    plus=$(sed 's/gcc/g++/; s/clang/clang++/' <<<"$compiler")
    command -v "$plus" >/dev/null || continue
    for standard in $cxx_standards; do
        name=$(name_of "$plus" $standard) || continue
        claim_runs "$plus takes norma.h as $name without a warning" \
            $plus -std=$name $warnings -I. $how -x c++ - <<<'#include <norma.h>'
    done
done
echo "Tried:${tried:- none}"

finish
