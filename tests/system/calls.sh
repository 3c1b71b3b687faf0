#!/bin/bash
# What is written wrongly is refused where it is written: by gcc and clang as they are, without a
# warning asked for, at the line of the call. And the calls are there for C++.
. "$(dirname "$0")/claim.sh"
cd "$temporary" || exit 1

# says_at_the_call COMPILER WORDS CALL: the compiler has something to say of the call, of which a line
# holds the words, and the first is of the program's own line.
says_at_the_call()
{
    local compiler=$1 words=$2 call=$3
    printf '%s\n' '#include <norma.h>' \
        'nm_tensor *f(nm_tape *t, nm_tensor *x, nm_tensor *w);' \
        'nm_tensor *f(nm_tape *t, nm_tensor *x, nm_tensor *w)' '{' "    return (void)w, $call;" '}' >wrong.c
    "$compiler" -std=c11 -I"$NORMA_SOURCE" -c wrong.c -o wrong.o >said 2>&1
    claim "$compiler refuses or warns of $call" \
        "$(grep -qE "wrong.c:5:[0-9]+: (error|warning): .*($words)" said || cat said)"
}

for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    integer='integer|int|too few|requires|expected|excess|incompatible'
    says_at_the_call $compiler "$integer" 'nm_sum(t, x, .axes = 1)'
    says_at_the_call $compiler "$integer" 'nm_sum(t, x, .axes = {1})'
    says_at_the_call $compiler "$integer" 'nm_max_pool2d(t, x, .kernel = 2)'
    says_at_the_call $compiler "$integer" 'nm_conv2d(t, x, w, NULL, .padding = {1})'
    for call in '.axes = 1' '.axes = {1}' '.axes = {0, 1}'; do
        says_at_the_call $compiler "$integer" "nm_sum(t, x, $call)"
        claim "$compiler says how a list is written, not $call" "$(grep -q NM_INTS said || cat said)"
    done
    says_at_the_call $compiler 'requires 5 arguments|too few arguments' 'nm_dense(t, x, w)'
    says_at_the_call $compiler 'expected expression' 'nm_dense(t, x, w, .precision = 1)'
    says_at_the_call $compiler 'requires|too few arguments' 'nm_batch_norm(t, x)'
    says_at_the_call $compiler 'requires|too few arguments' 'nm_batch_norm_running(t, x, w, w, w, w)'
    for call in 'nm_softmax(t, x, 1)' 'nm_batch_norm(t, x, w, w, 1e-3)' 'nm_sum(t, x, 0)' \
        'nm_matmul(t, x, w, true)' 'nm_conv2d(t, x, w, NULL, 2)' 'nm_dropout(t, x, 0.1)' \
        'nm_max_pool2d(t, x, 2)' 'nm_slice(t, x, 1)' 'nm_cross_entropy(t, x, w, 0.1)' \
        'nm_weight_norm(t, x, w, 0)' 'nm_mse(t, x, w, 1)' 'nm_leaky_relu(t, x, 0.2)' \
        'nm_batch_norm_running(t, x, w, w, w, w, 1, 0.1)' \
        '(nm_optimizer_create(NULL, &nm_sgd(0.1), NULL, 0), x)'; do
        says_at_the_call $compiler 'expected .{1,3}\)' "$call"
    done
done

# A value without a name is none in C++ either, which has lists of values for structs.
for compiler in g++ clang++; do
    command -v $compiler >/dev/null || continue
    for call in 'nm_sum(t, x, 1)' 'nm_batch_norm(t, x, w, w, 1e-3)' 'nm_dense(t, x, w, nullptr, 1)'; do
        printf '%s\n' '#include <norma.h>' 'nm_tensor *f(nm_tape *t, nm_tensor *x, nm_tensor *w)' '{' \
            "    return (void)w, $call;" '}' >wrong.cpp
        $compiler -std=c++17 -I"$NORMA_SOURCE" -c wrong.cpp -o wrong.o >said 2>&1
        claim "$compiler refuses $call" \
            "$(grep -qE 'wrong.cpp:4:[0-9]+: error: .*nm_options_have_names' said || cat said)"
    done
    for call in 'nm_sgd(0.1)' 'nm_adam(1e-3, 0)' 'nm_cosine(0.5)'; do
        printf '%s\n' '#include <norma.h>' 'nm_choice f();' 'nm_choice f()' '{' "    return $call;" '}' \
            >wrong.cpp
        $compiler -std=c++17 -I"$NORMA_SOURCE" -c wrong.cpp -o wrong.o >said 2>&1
        claim "$compiler refuses $call" \
            "$(grep -qE 'error: static.*options have names' said && grep -q 'wrong.cpp:5:' said || cat said)"
    done
done

# ---- What is right compiles without a word, as C and as C++ ----

cat >right.c <<'TEXT'
#include <norma.h>
#include <stdio.h>

/* A setup built by a helper: what it says must live on. */
static nm_trainer_setup make_setup(double rate)
{
    nm_trainer_setup setup = {
        .loss = nm_cross_entropy_loss(.label_smoothing = 0.1),
        .options = NM_TRAIN_OPTIONS(.optimizer = nm_sgd(.rate = rate, .momentum = 0.5),
                                    .schedule = nm_cosine(.end = 0.25),
                                    .metric = NM_CHOICES(nm_top_k(.k = 3)))};
    return setup;
}

static double use_the_stack(int depth)
{
    volatile double rubbish[64];
    for (int i = 0; i < 64; i++) {
        rubbish[i] = depth;
    }
    return depth ? use_the_stack(depth - 1) + rubbish[depth % 64] : 0;
}

int main(void)
{
    nm_context *context = nm_open(NULL);
    nm_trainer_setup setup = make_setup(0.125);
    double sum = use_the_stack(20);
    const nm_sgd_options *sgd = nm_choice_options(&setup.options.optimizer);
    const nm_cosine_options *cosine = nm_choice_options(&setup.options.schedule);
    const nm_top_k_options *top = nm_choice_options(&setup.options.metric.at[0]);
    const nm_cross_entropy_loss_options *loss = nm_choice_options(&setup.loss);
    printf("%g: rate %g, momentum %g, end %g, k %d, smoothing %g\n", sum, sgd->rate, sgd->momentum,
           cosine->end, (int)top->k, loss->label_smoothing);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = nm_full(tape, NM_F32, NM_SHAPE(2, 3), 2);
    nm_tensor *w = nm_full(tape, NM_F32, NM_SHAPE(4, 3), 1);
    nm_tensor *y = nm_dense(tape, nm_relu(tape, nm_dense(tape, x, w, NULL)),
                            nm_full(tape, NM_F32, NM_SHAPE(1, 4), 1), NULL);
    printf("%g\n", nm_tensor_item(nm_sum(tape, y, .axes = NM_INTS(0, 1))));
    nm_tape_destroy(tape);
    nm_close(context);
    return 0;
}
TEXT
cat >right.cpp <<'TEXT'
#include <norma.h>
#include <cstdio>
#include <cstring>

/* The members' defaults, those that the function sets, and the spec's are the same. */
template <class T> static void compare(const nm_item &item, void (*init)(T *))
{
    T mine{}, set{};
    std::memset(static_cast<void *>(&set), 1, sizeof set);
    init(&set);
    for (int i = 0; i < item.spec->count; i++) {
        const nm_option *option = &item.spec->options[i];
        if (!nm_option_same(option, &mine, item.spec->defaults) ||
            !nm_option_same(option, &set, item.spec->defaults)) {
            std::printf("%s: the default of %s is not that of the library\n", item.name,
                        option->name);
        }
    }
}

int main()
{
    nm_context *context = nm_open(NULL);
#define COMPARE(name) compare(nm_find_op(context, #name)->item, nm_##name##_options_init)
    COMPARE(batch_norm), COMPARE(concat), COMPARE(cross_entropy), COMPARE(dense), COMPARE(dropout);
    COMPARE(huber), COMPARE(leaky_relu), COMPARE(gelu), COMPARE(matmul), COMPARE(mse);
    COMPARE(softmax), COMPARE(weight_norm), COMPARE(permute), COMPARE(slice), COMPARE(conv2d);
    COMPARE(conv2d_activation), COMPARE(dense_activation), COMPARE(batch_norm_activation);
    compare(nm_find_op(context, "sum")->item, nm_reduce_options_init);
    compare(nm_find_op(context, "max_pool2d")->item, nm_pool2d_options_init);
    compare(nm_optimizer_sgd.item, nm_sgd_options_init);
    compare(nm_schedule_step.item, nm_step_options_init);
    compare(nm_schedule_cosine.item, nm_cosine_options_init);
    compare(nm_schedule_one_cycle.item, nm_one_cycle_options_init);
    compare(nm_loss_huber.item, nm_huber_loss_options_init);
    compare(nm_loss_cross_entropy.item, nm_cross_entropy_loss_options_init);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = nm_full(tape, NM_F32, NM_SHAPE(2, 3), 2);
    nm_batch_norm_options plain = {};
    plain.eps = 0.5;
    nm_tensor *y = nm_batch_norm_with(tape, x, NULL, NULL, NULL, NULL, &plain).y;
    nm_store *store = nm_store_create(context);
    nm_optimizer *sgd = nm_optimizer_create(store, &nm_sgd(), NULL, 0);
    double sum = nm_tensor_item(nm_sum(tape, nm_add(tape, x, y)));
#if __cplusplus >= 202002L
    nm_tensor *rows = nm_sum(tape, nm_softmax(tape, x, .axis = 1), .axes = NM_INTS(1));
    nm_tensor *z = nm_batch_norm_inference(tape, x, NULL, NULL, nm_full(tape, NM_F32, NM_SHAPE(3), 0),
                                           nm_full(tape, NM_F32, NM_SHAPE(3), 1), .eps = 3);
    nm_choice slow = nm_sgd(.rate = 0.01, .momentum = 0.9);
    std::printf("%g %g %g\n", nm_tensor_get(rows, 1), nm_tensor_get(z, 0),
                static_cast<const nm_sgd_options *>(nm_choice_options(&slow))->rate);
#endif
    std::printf("%g %s%g\n", sum, nm_context_error(context), nm_optimizer_rate(sgd));
    nm_optimizer_destroy(sgd);
    nm_store_destroy(store);
    nm_tape_destroy(tape);
    nm_close(context);
}
TEXT
link="$NORMA_BUILD/libnorma.so -lm -Wl,-rpath,$NORMA_BUILD ${NORMA_LINK:-}"
warnings="-Wall -Wextra -Wpedantic -Wconversion -Werror -I$NORMA_SOURCE"
claim_runs "right calls compile without a warning" ${CC:-cc} -std=c11 $warnings right.c -o right $link
ask right ./right
claim_of right "what a helper's setup says lives on" \
    says 'rate 0.125, momentum 0.5, end 0.25, k 3, smoothing 0.1'
claim_of right "nested calls are right" says '^48$'
# A sanitized library wants its own compiler's runtime, whichever compiled the program.
link_program() # COMPILER VERSION
{
    local linker=$1
    [ -z "${NORMA_LINK:-}" ] || ! command -v g++ >/dev/null || linker=g++
    "$1" -std=c++$2 $warnings -c right.cpp -o right.o && $linker right.o -o "right$2" $link
}
for version in 17 20; do
    for compiler in g++ clang++; do
        command -v $compiler >/dev/null || continue
        claim_runs "$compiler takes calls as C++$version without a warning" \
            link_program $compiler $version
        ask "right$version" "./right$version"
        claim_of "right$version" "$compiler's program of C++$version is right" says '^12 0.1$'
        claim_of "right$version" "members' defaults are the library's ($compiler, C++$version)" \
            never_says 'not that'
    done
done
claim_of right20 "options have names in C++20" says '^1 1 0.01$'

# The program that is timed beside other libraries (./dev bench peers).
claim_runs "the program beside other libraries compiles without a warning" ${CC:-cc} -std=gnu11 $warnings \
    "$NORMA_SOURCE/tests/bench/peers/norma.c" -o peer $link
for what in train predict; do
    ask peer ./peer $what 2-8-2 4 0 1
    claim_of peer "it prints the time of what it is asked for: $what" says '^{"us": [0-9.]*, "mean": [0-9.]*}$'
done
echo 'model: {input: [4, 4, 1], layers: [flatten, dense: {units: 2}]}' >peer.yaml
ask peer ./peer train peer.yaml=16-2 4 0 1
claim_of peer "it trains the network of a file" says '^{"us": '
ask peer sh -c './peer train_bf16 peer.yaml=16-2 4 0 1 && echo fine'
claim_of peer "in bf16 too, or says nothing where there is none" says '^fine$'
ask peer sh -c './peer start 2-8-2 1 0 1 && echo fine'
claim_of peer "it starts and ends" says '^fine$'

finish
