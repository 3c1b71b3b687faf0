#!/bin/bash
# The documentation is true: its programs compile and run, its commands work, its links lead somewhere,
# and the reference is what the command prints.
. "$(dirname "$0")/claim.sh"
cd "$NORMA_SOURCE" || exit 1
norma=$NORMA_BUILD/norma

prints() # prints CLAIM TEXT COMMAND...: it succeeds, and a line holds the text
{
    local text=$1 expected=$2
    ask program "${@:3}"
    claim_of program "$text" grep_for "$expected"
}

grep_for() # grep_for TEXT: a judge
{
    grep -qFe "$1" || echo "no line holds $1"
}

blocks() # blocks LANGUAGE FILE: what stands in its fenced blocks
{
    awk -v begin="\`\`\`$1" '$0 == begin { on = 1; next } /^```/ { on = 0 } on' "$2"
}

# ---- Examples ----
example() { NORMA_EXAMPLE=1 "$NORMA_BUILD/docs/example_$1" "${@:2}"; }

# number_of PATTERN LOW HIGH: a judge; the last number in the last line that matches lies between.
number_of()
{
    grep -e "$1" | tail -n 1 | awk -v low="$2" -v high="$3" '{
        while (match($0, /-?[0-9]+(\.[0-9]+)?/)) {
            number = substr($0, RSTART, RLENGTH)
            $0 = substr($0, RSTART + RLENGTH)
        } }
        END { if (number == "" || number + 0 < low || number + 0 > high)
            print "the number is " number ", not from " low " to " high }'
}

# ends_with NAME CLAIM PATTERN LOW HIGH: the example runs, and number_of() is content.
ends_with()
{
    ask "$1" example "$1"
    claim_of "$1" "$2" number_of "$3" "$4" "$5"
}

prints "xor is learned" "1 xor 0 = 1.0" example xor
claim_runs "xor has less than 50 lines" test "$(wc -l <docs/examples/xor.c)" -lt 50
for source in docs/examples/*.c; do
    claim_runs "$source has less than 80 lines" test "$(wc -l <"$source")" -lt 80
    claim_runs "$source stands in their list" grep -qF "]($(basename "$source"))" docs/examples/README.md
done
ends_with training_loop "the training loop by hand learns the spirals" '^epoch 20' 0 0.4
ends_with normalization "batch norm and weight norm by hand learn rings" '^step 1000' 0.85 1
claim_of normalization "a batch of one is evaluated" number_of 'at the centre' 0.9 1
ends_with gradient_penalty "the critic with a gradient penalty finds the distance" '^step 1000' 2.8 3.2
ends_with autoencoder "a neck of two is enough for a surface" '^step 2000' 0 1
ends_with online "a network learns online without a request for memory" '^after 40000' 0 0
claim_of online "and well" says 'after 40000 samples: mean error 0\.0'
ends_with event_loop "the event loop's alarm is the one reading that is wrong" 'unusual' 1 1.5
claim_of event_loop "each reading is answered by a bounded step" \
    says '^4000 readings, at most 304 multiply-adds'
ask alarms grep -c unusual "$temporary/event_loop.said"
claim_of alarms "there is one alarm" says '^1$'
ends_with seeds "between samples seeds differ" '^y( 0.75)' 0.15 1
claim_of seeds "and among samples little" number_of '^y(-1.50)' 0 0.1
prints "a custom op with an option is checked and called" "dy/dx(1) = 0.8808" example custom_op
prints "the Hessian-vector product is exact" "(H v)[2] = -18" example hessian_vector
awk 'BEGIN { print "size,weight,broken"
    for (i = 0; i < 400; i++) {
        broken = i * 29 % 7 < 3
        printf "%.2f,%.2f,%s\n", i * 37 % 101 / 50 + broken, i * 53 % 97 / 48, broken ? "yes" : "no"
    } }' >"$temporary/parts.csv"
ask logistic example logistic_regression "$temporary/parts.csv"
claim_of logistic "logistic regression tells two classes apart" number_of '^accuracy' 0.75 0.95
claim_of logistic "by the column that matters" says '^size: +[1-9]'
claim_of logistic "and not by the other" number_of '^weight:' -0.4 0.4
# Those whose code is C++ as well: the same program.
for name in xor seeds normalization autoencoder online event_loop hessian_vector gradient_penalty; do
    claim_runs "$name compiles as C++20" ${CXX:-g++} -std=c++20 -x c++ -Wall -Wpedantic -Werror -I. \
        "docs/examples/$name.c" -o "$temporary/cxx_$name" -L"$NORMA_BUILD" -lnorma -lm \
        -Wl,-rpath,"$NORMA_BUILD" ${NORMA_LINK:-}
    ask "cxx_$name" "$temporary/cxx_$name"
    claim_of "cxx_$name" "and says the same" diff <(example "$name") -
done
"$norma" train models/zoo/spirals.yaml --quiet --set train.epochs=3 --out "$temporary/predict" >/dev/null
printf '\223NUMPY\1\0\166\0%-117s\n' \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }" >"$temporary/new.npy"
printf '\0\0\0\77\0\0\0\0' >>"$temporary/new.npy"
prints "a saved network predicts from C" "0: 0 0." \
    example predict "$temporary/predict" "$temporary/new.npy"

prints "four threads answer with the bits of one" "4 threads: 4000 answers, 0 of them different" \
    example threads "$temporary/predict" "$temporary/new.npy"

prints "a network of one's own is trained, saved and run from raw samples" "P(inside) = 0.9" \
    example own_network "$temporary/network"
prints "and its table has its layers" "batch_norm1" example own_network "$temporary/network"
cat >"$temporary/own.yaml" <<'TEXT'
model: [gated: {units: 16}, op: {apply: softrelu}, dense: {units: 2}]
data: {train: {spirals: {points: 400}}, validation: 0.1}
loss: cross_entropy
train: {epochs: 3}
TEXT
prints "a command of one's own checks its op" "softrelu" example own_command gradcheck softrelu
prints "its help calls it by its name" "usage: example_own_command COMMAND" example own_command help
prints "its help has its layer" "y = (x w^T) * softrelu(x v^T)" example own_command help gated
prints "it trains a network with its layer" "saved in" \
    example own_command train "$temporary/own.yaml" --out "$temporary/own"
prints "and predicts with it" "0: class " example own_command predict "$temporary/own" "$temporary/new.npy"
prints "a command without that layer names it" 'unknown layer "gated"' \
    bash -c "! '$norma' check '$temporary/own'"

# ---- README ----
blocks c README.md >"$temporary/readme.c"
claim_runs "the README's program compiles" ${CC:-cc} -std=c11 -Wall -Wextra -Werror -I. -I"$NORMA_BUILD" \
    "$temporary/readme.c" -o "$temporary/readme" "$NORMA_BUILD/libnorma.so" -Wl,-rpath,"$NORMA_BUILD" \
    ${NORMA_LINK:-}
prints "the README's program runs" "d loss / d x[0][0] = " "$temporary/readme"
mkdir -p "$temporary/newcomer"
# Every network of README and guide, under the name that its first line says
claim "each network of README and guide begins with its name" \
    "$(grep -h -A 1 '^```yaml' README.md docs/guide.md | grep -vE '^(```yaml|--|# [a-z]+\.yaml)$')"
for file in README.md docs/guide.md; do blocks yaml "$file"; done | awk -v folder="$temporary/newcomer" \
    '/^# [a-z]+\.yaml$/ { name = folder "/" $2 } { print >name }'
awk 'BEGIN { print "length,width,kind"
    for (i = 0; i < 60; i++)
        printf "%.1f,%.1f,%s\n", 1 + 2 * (i % 3) + i / 100, 3 - i % 3 + i % 7 / 10,
            i % 3 == 0 ? "iris" : i % 3 == 1 ? "rose" : "lily, white" }' |
    sed 's/lily, white/"lily, white"/' >"$temporary/newcomer/flowers.csv"
awk 'BEGIN { print "size,weight,broken"
    for (i = 0; i < 600; i++) {
        broken = i % 20 == 7
        printf "%.2f,%.2f,%d\n", i * 37 % 101 / 50 + broken, i * 53 % 97 / 48 + broken, broken
    } }' >"$temporary/newcomer/parts.csv"
ln -s "$NORMA_SOURCE/models" "$temporary/newcomer/models"

# ---- Every norma command of README and guide, in their order ----
cd "$temporary/newcomer" || exit 1
for file in README.md docs/guide.md; do
    while IFS= read -r line; do
        ask line bash -c "norma() { '$norma' \"\$@\"; }; $line"
        claim_of line "$file: $line" says .
    done < <(blocks sh "$NORMA_SOURCE/$file" | grep '^norma ')
done
cd "$NORMA_SOURCE" || exit 1

# ---- The reference, and links ----
ask reference "$norma" help --markdown
claim_of reference "docs/reference.md is what the command prints (norma help --markdown > docs/reference.md)" \
    diff docs/reference.md -
for file in *.md docs/*.md docs/ko/*.md; do
    for link in $(grep -oE '\]\([^)#]+' "$file" | cut -c3- | grep -vE '^(https?|mailto):'); do
        claim_runs "$file: the link $link leads somewhere" test -e "$(dirname "$file")/$link"
    done
done

finish
