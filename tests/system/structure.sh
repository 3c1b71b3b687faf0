#!/bin/sh
# The house rules that a compiler does not see: includes run one way, public headers stand alone in C
# and in C++, the umbrella header holds every public one, nothing prints or ends the process.
. "$(dirname "$0")/claim.sh"
cd "$NORMA_SOURCE" || exit 1

for floor in core ops optim models; do
    claim_runs "$floor has sources" grep -rqs '#include' "$floor" --include='*.[ch]'
done
claim "core includes only core" \
    "$(found -rnE '#include "(ops|optim|models|norma)' core --include='*.[ch]')"
claim "ops include nothing above them" \
    "$(found -rnE '#include "(optim|models|norma)' ops --include='*.[ch]')"
claim "optim includes nothing above it" \
    "$(found -rnE '#include "(models|norma)' optim --include='*.[ch]')"
claim "core's internals stay in core" \
    "$(found -rn '#include "core/internal.h"' ops optim models --include='*.[ch]')"

public=$(sed -n 's/^#include "\(.*\)"/\1/p' norma.h)
claim_runs "norma.h includes headers" test -n "$public"
for header in norma.h $public; do
    claim_runs "$header compiles alone as C" ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror \
        -I. -include "$header" -x c -fsyntax-only /dev/null
    claim_runs "$header compiles alone as C++" ${CXX:-c++} -std=c++17 -Wall -Wextra -Wpedantic \
        -Werror -I. -include "$header" -x c++ -fsyntax-only /dev/null
done

# A header is public if it declares something for users.
claim "norma.h includes every public header" "$(
    for header in core/*.h core/*/*.h ops/*.h optim/*.h optim/*/*.h models/*.h; do
        if grep -q 'NM_API' "$header" && ! grep -q "\"$header\"" norma.h; then
            case " $public " in
            *ops/ops.h*) grep -q "\"$header\"" ops/ops.h || echo "$header" ;;
            *) echo "$header" ;;
            esac
        fi
    done)"

# library PATTERN: the lines of the library's sources, without the command's, that match.
library()
{
    found -rnE "$1" core ops optim models --include='*.c' --exclude-dir=command |
        grep -vE '^\S+: *(/?\*|//)'
}
for header in norma_command.h; do
    claim_runs "$header compiles alone as C" ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror \
        -I. -include "$header" -x c -fsyntax-only /dev/null
    claim_runs "$header compiles alone as C++" ${CXX:-c++} -std=c++17 -Wall -Wextra -Wpedantic \
        -Werror -I. -include "$header" -x c++ -fsyntax-only /dev/null
done

claim "the library never prints, asserts or ends the process" \
    "$(library '\b(abort|exit|_exit|assert|printf|puts|putchar|perror)\(')"
# But for a team's records of its threads, which are the system's, as the threads are.
claim "allocations go through the context" \
    "$(library '\b(malloc|calloc|realloc|strdup|aligned_alloc|posix_memalign)\(' |
        grep -vE '^core/(context|team).c:')"
# -Wcast-qual sees casts from one pointer to another, this those by way of an integer. What is called
# with void * takes const things too in two places: the allocator's blocks, which never were, and
# oneDNN's handles.
claim "no const is cast away" \
    "$(library '\*\)\(uintptr_t\)' |
        grep -vE '^core/memory.c:|^ops/kernels/onednn_run.c:')"
# kernels FOLDER...: the names of what is compiled for several instruction sets, which clang makes symbols of all files.
kernels()
{
    grep -rhoE '^(NM_((LONG_)?(UNARY|BINARY|SLOPE)|TERNARY|UPDATE)\([a-z0-9_]+|NM_KERNEL static .*\()' "$@" --include='*.c' |
        sed -E 's/^NM_KERNEL static.*[ *]([a-z0-9_]+)\($/\1/; s/^NM_[A-Z_]+\(//' | sort
}
claim "kernels are static: clang 14 gives another name to what picks one" \
    "$(grep -rnE '^NM_KERNEL ' core ops optim models tests --include='*.[ch]' | grep -v ':NM_KERNEL static ')"
claim_runs "kernels are found" test "$(kernels ops optim | wc -l)" -gt 50
claim "no two kernels have one name" "$(kernels core ops optim models | uniq -d)"
claim "tests' own kernels have names of their own" "$(
    for name in $(kernels tests | uniq); do
        kernels core ops optim models | grep -x "$name"
    done)"
# An op without its row may compile, and the gradient check would miss it. Those that only other ops apply, and
# that have no row for it, are written out.
ops_made()
{
    cat ops/*/*.c | tr '\n' ' ' |
        grep -oE '\bNM_((UNARY|BINARY|SLOPE|COMPOSED)_)?OP(_WITH_CALL)?\( *[a-z0-9_]+[a-z0-9]\b' |
        sed -E 's/^NM_SLOPE_OP\( *(.*)/\1_grad/; s/.*\( *//'
}
ops_in_rows()
{
    sed -n '/^ops = {/,/^}/p' ops/meson.build | tr '\n' ' ' | grep -oE '\[[^]]*\]' | grep -oE '[a-z0-9_]+'
}
claim_runs "ops are found" test "$(ops_made | wc -l)" -gt 100
claim "every op has its row in ops/meson.build" "$(
    ops_in_rows >"${TMPDIR:-/tmp}/rows.$$"
    ops_made | grep -vxFf "${TMPDIR:-/tmp}/rows.$$"
    rm -f "${TMPDIR:-/tmp}/rows.$$")"
claim "no variable outlives its context" \
    "$(library '^(static )?(int|long|double|float|char|bool|void|size_t|u?int[0-9]+_t|nm_[a-z]+) \*?[a-z_]+( = [^(]*)?;$' |
        grep -v 'static const')"

finish
