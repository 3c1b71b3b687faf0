#!/bin/sh
# The house rules that a compiler does not see: includes run one way, public headers stand alone in C
# and in C++, the umbrella header holds every public one, nothing prints or ends the process.
. "$(dirname "$0")/claim.sh"
cd "$NORMA_SOURCE" || exit 1

claim "core includes only core" "$(grep -rnE '#include "(ops|optim|models|norma)' core --include='*.[ch]')"
claim "ops include nothing above them" \
    "$(grep -rnE '#include "(optim|models|norma)' ops --include='*.[ch]')"
claim "optim includes nothing above it" \
    "$(grep -rnE '#include "(models|norma)' optim --include='*.[ch]')"
claim "core's internals stay in core" \
    "$(grep -rn '#include "core/internal.h"' ops optim models --include='*.[ch]')"

public=$(sed -n 's/^#include "\(.*\)"/\1/p' norma.h)
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
for header in norma.h $public; do
    claim "$header compiles alone as C" "$(echo "#include \"$header\"" |
        ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror -I. -x c -fsyntax-only - 2>&1)"
    claim "$header compiles alone as C++" "$(echo "#include \"$header\"" |
        ${CXX:-c++} -std=c++17 -Wall -Wextra -Wpedantic -Werror -I. -x c++ -fsyntax-only - 2>&1)"
done

# A header is public if it declares something for users.
claim "norma.h includes every public header" "$(
    for header in core/*.h core/files/*.h ops/*.h optim/*.h optim/data/*.h models/*.h; do
        if grep -q 'NM_API' "$header" && ! grep -q "\"$header\"" norma.h; then
            case " $public " in
            *ops/ops.h*) grep -q "\"$header\"" ops/ops.h || echo "$header" ;;
            *) echo "$header" ;;
            esac
        fi
    done)"

claim "the library never prints, asserts or ends the process" "$(
    grep -nE '\b(abort|exit|_exit|assert|printf|puts|putchar|perror)\(' \
        core/*.c core/files/*.c ops/*.c ops/kernels/*.c optim/*.c optim/data/*.c models/*.c models/layers/*.c 2>/dev/null |
        grep -vE '^\S+: *(/?\*|//)')"
claim "allocations go through the context" "$(
    grep -nE '\b(malloc|calloc|realloc|strdup|aligned_alloc|posix_memalign)\(' \
        core/*.c core/files/*.c ops/*.c ops/kernels/*.c optim/*.c optim/data/*.c models/*.c models/layers/*.c 2>/dev/null |
        grep -v '^core/context.c:' | grep -vE '^\S+: *(/?\*|//)')"
claim "no variable outlives its context" "$(
    grep -nE '^(static )?(int|long|double|float|char|bool|void|size_t|u?int[0-9]+_t|nm_[a-z]+) \*?[a-z_]+( = [^(]*)?;$' \
        core/*.c core/files/*.c ops/*.c ops/kernels/*.c optim/*.c optim/data/*.c models/*.c models/layers/*.c 2>/dev/null |
        grep -v 'static const')"

finish
