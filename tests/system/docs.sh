#!/bin/bash
# The documentation is true: its programs compile and run, its commands work, its links lead somewhere,
# and the reference is what the command prints.
set -u
cd "$NORMA_SOURCE" || exit 1
norma=$NORMA_BUILD/norma
failed=0
passed=0
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

claim() # claim TEXT COMMAND...: it holds if the command succeeds
{
    local text=$1
    shift
    if "$@" >"$temporary/output" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n' "$text"
        tail -n 20 "$temporary/output"
    fi
}

prints() # prints TEXT COMMAND...: it succeeds, and the output holds the text
{
    local text=$1
    shift
    "$@" >"$temporary/printed" 2>&1 && cat "$temporary/printed" && grep -qF -- "$text" "$temporary/printed"
}

blocks() # blocks LANGUAGE FILE: what stands in its fenced blocks
{
    awk -v begin="\`\`\`$1" '$0 == begin { on = 1; next } /^```/ { on = 0 } on' "$2"
}

# ---- Examples ----
example() { NORMA_EXAMPLE=1 "$NORMA_BUILD/docs/example_$1" "${@:2}"; }
claim "xor is learned" prints "1 xor 0 = 1.0" example xor
claim "xor has less than 50 lines" test "$(wc -l <docs/examples/xor.c)" -lt 50
claim "the training loop by hand runs" prints "P(class 0" example training_loop
claim "a custom op is checked and called" prints "dy/dx(0) = 0.5000" example custom_op
claim "the Hessian-vector product is exact" prints "(H v)[2] = -18" example hessian_vector
claim "a model from YAML is trained and predicts" prints "class" \
    example predict models/zoo/spirals.yaml "$temporary/predict"

# ---- README ----
blocks c README.md >"$temporary/readme.c"
claim "the README's program compiles" ${CC:-cc} -std=c11 -Wall -Wextra -Werror -I. -I"$NORMA_BUILD" \
    "$temporary/readme.c" -o "$temporary/readme" -L"$NORMA_BUILD" -lnorma -Wl,-rpath,"$NORMA_BUILD" \
    ${NORMA_LINK:-}
claim "the README's program runs" prints "d loss / d x[0][0] = " "$temporary/readme"
mkdir -p "$temporary/newcomer"
blocks yaml README.md >"$temporary/newcomer/spirals.yaml"
ln -s "$NORMA_SOURCE/models" "$temporary/newcomer/models"

# ---- Every norma command of README and guide, in their order ----
cd "$temporary/newcomer" || exit 1
for file in README.md docs/guide.md; do
    while IFS= read -r line; do
        claim "$file: $line" bash -c "norma() { '$norma' \"\$@\"; }; $line"
    done < <(blocks sh "$NORMA_SOURCE/$file" | grep '^norma ')
done
cd "$NORMA_SOURCE" || exit 1

# ---- The reference, and links ----
"$norma" help --markdown >"$temporary/reference.md"
claim "docs/reference.md is what the command prints (norma help --markdown > docs/reference.md)" \
    diff docs/reference.md "$temporary/reference.md"
for file in *.md docs/*.md; do
    for link in $(grep -oE '\]\([^)#]+' "$file" | cut -c3- | grep -vE '^(https?|mailto):'); do
        claim "$file: the link $link leads somewhere" test -e "$(dirname "$file")/$link"
    done
done

echo "100%: Checks: $((passed + failed)), Failures: $failed, Errors: 0"
[ "$failed" -eq 0 ]
