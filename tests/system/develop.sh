#!/bin/bash
# What ./dev offers a developer besides building: beginning an op, looking at what was changed before
# a commit, telling what tests reach. In a copy of the tree.
. "$(dirname "$0")/claim.sh"
tree=$temporary/tree
mkdir "$tree"
tar -C "$NORMA_SOURCE" --exclude=./build --exclude=./.git --exclude=./runs -cf - . | tar -C "$tree" -xf -
cd "$tree" || exit 1
cc=${CC:-cc}

# ---- ./dev op ----
claim_runs "an op is begun" ./dev op twice_shy
claim "what is there already is no new op" "$(./dev op relu 2>/dev/null && echo 'it was begun again')"
claim "an op's name is one" "$(./dev op Twice-Shy 2>/dev/null && echo 'it was begun')"
claim_runs "it has a row in the table" grep -q "'elementwise/twice_shy': \['twice_shy', 'twice_shy_grad'\]" ops/meson.build
claim_runs "it has a prototype" grep -q 'NM_API nm_tensor \*nm_twice_shy(nm_tape \*tape, nm_tensor \*x);' ops/arithmetic.h
claim_runs "the tree with the op can be configured" \
    env CC="$cc" meson setup build/test --buildtype=debug -Dtests=false -Donednn=disabled
claim_runs "the table has the op" grep -q 'X(twice_shy)' build/test/ops/table.h
claim_runs "the op compiles without a warning" \
    tests/look_for_warnings.py build/test <<<"ops/elementwise/twice_shy.c"
cat >"$temporary/check.c" <<'C'
#include "norma.h"
extern const nm_op nm_op_twice_shy, nm_op_twice_shy_grad;
int main(void)
{
    nm_context *context = nm_open(NULL);
    nm_register(context, NM_KIND_OP, &nm_op_twice_shy.item);
    nm_register(context, NM_KIND_OP, &nm_op_twice_shy_grad.item);
    nm_check_op(context, "twice_shy", NULL);
    nm_check_op(context, "twice_shy_grad", NULL);
    nm_tape *tape = nm_tape_create(context);
    const double y = nm_tensor_item(nm_twice_shy(tape, nm_scalar(tape, NM_F64, 3)));
    const int fine = y == 9 && nm_context_status(context) == NM_OK;
    puts(fine ? "fine" : nm_context_error(context));
    nm_tape_destroy(tape);
    nm_close(context);
    return !fine;
}
C
claim_runs "a program with the op can be linked" $cc -std=gnu11 -D_GNU_SOURCE -I. -Ibuild/test \
    ${NORMA_LINK:-} -include stdio.h "$temporary/check.c" ops/elementwise/twice_shy.c -o "$temporary/check" \
    "$NORMA_BUILD/libnorma.a" "$NORMA_BUILD/libnorma_rare.a" "$NORMA_BUILD/libnorma_long.a" $(pkg-config --libs yaml-0.1 zlib) \
    -lm -lpthread -ldl
claim_runs "the op passes the gradient check and can be called" "$temporary/check"

# ---- ./dev check, and the hook ----
if command -v git >/dev/null && command -v clang-format >/dev/null; then
    git init -q . && git add -A && git -c user.name=t -c user.email=t@example.org commit -qm "All"
    claim_runs "what was not changed is fine" ./dev check
    printf '\nint   badly_set ( void ) ;\n' >>core/path.h
    ./dev check >"$temporary/said" 2>&1 && echo passed >>"$temporary/said"
    claim "a file that is badly set is found" \
        "$(grep -q 'core/path.h.*clang-format' "$temporary/said" && ! grep -q '^passed' "$temporary/said" ||
            cat "$temporary/said")"
    git checkout -q core/path.h
    printf '\nvoid never_declared(void);\nvoid never_declared(void)\n{\n    int unused;\n}\n' >>core/text/path.c
    ./dev check >"$temporary/said" 2>&1 && echo passed >>"$temporary/said"
    claim "a warning is found" \
        "$(grep -q 'unused' "$temporary/said" && ! grep -q '^passed' "$temporary/said" ||
            cat "$temporary/said")"
    claim_runs "the hook is put there" ./dev hooks
    claim "the hook refuses the commit" \
        "$(git -c user.name=t -c user.email=t@example.org commit -qam "Bad" 2>/dev/null && echo 'it was made')"
fi

# ---- coverage.py ----
if command -v gcov >/dev/null && $cc --version | grep -qi 'gcc\|free software'; then
    mkdir -p "$temporary/covered/core" "$temporary/covered/build/libnorma.p"
    cd "$temporary/covered" || exit 1
    cat >core/some.c <<'C'
#include <stdlib.h>
int main(int count, char **words)
{
    if (count > 1) {
        abort();
    }
    return words == NULL;
}
C
    claim_runs "a program compiles for coverage" \
        $cc --coverage -O0 -c core/some.c -o build/libnorma.p/core_some.c.o
    $cc --coverage build/libnorma.p/core_some.c.o -o some && ./some
    ask coverage "$tree/tests/coverage.py" build
    claim_of coverage "the line that was not reached is listed" says '^core/some.c: 5$'
    claim_of coverage "the rates are told" says '^lines 75.0 % (3 of 4), branches 50.0 % (1 of 2)$'
fi

finish
