/* Steps that are kept and done again as lists: when they are, when not, and with what bits. */
#include "optim/steps.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ops/loss.h"
#include "ops/norm.h"
#include "ops/ops.h"
#include "optim/learn.h"
#include "optim/optim.h"
#include "optim/optimizers.h"
#include "optim/traced.h"

#include "tests/test.h"

#define SAMPLES 12

typedef struct net {
    nm_context *context;
    nm_store *store;
    nm_tensor *w1, *b1, *scale, *shift, *mean, *var, *w2;
    nm_network network;
    nm_traced *traced;
    nm_loss loss;
    nm_cross_entropy_loss_options options;
    nm_choice choice;
    nm_learner learner;
    bool reads;  /* elements */
    bool shares; /* w1 and b1, with another layer */
    int passes;  /* of forward() */
    float x[SAMPLES][3];
    int32_t labels[SAMPLES];
} net;

static nm_tensor *forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    net *n = self;
    n->passes++;
    if (n->reads && !nm_tape_is_dry(pass->tape)) {
        nm_tensor_get(x, 0);
    }
    nm_tensor *h = nm_dense(pass->tape, x, n->w1, n->b1);
    if (n->shares) {
        h = nm_mul(pass->tape, h, nm_tanh(pass->tape, nm_dense(pass->tape, x, n->w1, n->b1)));
    }
    h = nm_batch_norm_running(pass->tape, h, n->scale, n->shift, n->mean, n->var, pass->training);
    h = nm_relu(pass->tape, h);
    if (pass->training) {
        h = nm_dropout_drawn(pass->tape, h, nm_tape_draw(pass->tape, pass->random), 0.25);
    }
    return nm_dense(pass->tape, h, n->w2, NULL);
}

static nm_tensor *add(net *n, const char *name, nm_purpose purpose, nm_shape shape, double value)
{
    const nm_role role = purpose >= NM_STATISTIC ? NM_BUFFER : NM_PARAMETER;
    nm_tensor *tensor = nm_store_add(n->store, name, role, purpose, NM_F32, shape);
    nm_random random = nm_random_create(4, 4);
    if (tensor) {
        nm_random_fill_uniform(&random, tensor, value, value + 1);
    }
    return tensor;
}

static void make_parameters(net *n)
{
    n->w1 = add(n, "w1", NM_WEIGHT, NM_SHAPE(5, 3), -0.5);
    n->b1 = add(n, "b1", NM_BIAS, NM_SHAPE(5), 0);
    n->scale = add(n, "scale", NM_NORM_SCALE, NM_SHAPE(5), 0.5);
    n->shift = add(n, "shift", NM_NORM_SHIFT, NM_SHAPE(5), 0);
    n->mean = add(n, "mean", NM_STATISTIC, NM_SHAPE(5), 0);
    n->var = add(n, "var", NM_VARIANCE, NM_SHAPE(5), 1);
    n->w2 = add(n, "w2", NM_WEIGHT, NM_SHAPE(2, 5), -0.5);
}

static void make_samples(net *n)
{
    nm_random random = nm_random_create(9, 9);
    for (int i = 0; i < SAMPLES; i++) {
        for (int k = 0; k < 3; k++) {
            n->x[i][k] = (float)nm_random_normal(&random);
        }
        n->labels[i] = (int32_t)nm_random_below(&random, 2);
    }
}

static nm_status begin_with(net *n, test_memory *memory, bool by_tape)
{
    *n = (net){.context = test_context(memory), .options = {NM_CROSS_ENTROPY_LOSS_DEFAULTS}};
    if (!n->context || nm_register_ops(n->context) != NM_OK) {
        return NM_ERROR_MEMORY;
    }
    n->store = nm_store_create(n->context);
    if (n->store) {
        make_parameters(n);
    }
    make_samples(n);
    n->network = (nm_network){.self = n, .store = n->store, .forward = forward};
    n->traced = nm_context_status(n->context) == NM_OK ? nm_traced_create(&n->network) : NULL;
    n->choice = (nm_choice){.item = &nm_loss_cross_entropy.item, .options = &n->options};
    nm_loss_begin(&n->loss, n->context, &n->choice);
    n->learner = (nm_learner){
        .network = nm_traced_network(n->traced),
        .loss = &n->loss,
        .optimizer = nm_optimizer_create(n->store, &nm_sgd(.rate = 0.1, .momentum = 0.9), NULL, 0),
        .tape = nm_tape_create(n->context),
        .seed = 3,
        .by_tape = by_tape};
    return nm_context_status(n->context);
}

static void begin(net *n, bool by_tape)
{
    ck_assert_int_eq(begin_with(n, NULL, by_tape), NM_OK);
}

static void end(net *n)
{
    nm_optimizer_destroy(n->learner.optimizer);
    nm_tape_destroy(n->learner.tape);
    nm_loss_end(&n->loss);
    nm_traced_destroy(n->traced);
    nm_store_destroy(n->store);
    nm_context_destroy(n->context);
}

/* A step on the samples first..first + count. Returns whether it was done from a list. */
static bool learn(net *n, int first, int count, double *loss)
{
    const nm_batch batch =
        nm_batch_of_labels(NM_SHAPE(count, 3), &n->x[first][0], &n->labels[first]);
    nm_learn(&n->learner, &batch, loss);
    return nm_tape_nodes(n->learner.tape) == 0;
}

/* Two networks alike, of which one may use lists. */
typedef struct pair {
    net planned, plain;
} pair;

static pair *begin_pair(void)
{
    static pair p; /* networks point to themselves */
    begin(&p.planned, false);
    begin(&p.plain, true);
    return &p;
}

static void assert_same(nm_tensor *a, nm_tensor *b)
{
    ck_assert_mem_eq(nm_tensor_data(a), nm_tensor_data(b), nm_tensor_bytes(a));
}

static void end_pair(pair *p)
{
    for (int i = 0; i < nm_store_count(p->plain.store); i++) {
        assert_same(nm_store_at(p->planned.store, i)->tensor,
                    nm_store_at(p->plain.store, i)->tensor);
    }
    assert_fine(p->planned.context);
    assert_fine(p->plain.context);
    end(&p->planned);
    end(&p->plain);
}

/* The same step of both; `listed`: how the first does it. */
static void learn_both(pair *p, int first, int count, bool listed)
{
    double a, b;
    ck_assert_int_eq(learn(&p->planned, first, count, &a), listed);
    ck_assert(!learn(&p->plain, first, count, &b));
    ck_assert_int_eq(nm_tape_cost_so_far(p->planned.learner.tape).multiply_adds,
                     nm_tape_cost_so_far(p->plain.learner.tape).multiply_adds);
    ck_assert_int_gt(nm_tape_cost_so_far(p->planned.learner.tape).ops, 5);
    assert_fine(p->planned.context);
    assert_fine(p->plain.context);
    ck_assert_mem_eq(&a, &b, sizeof a);
}

/* Until it is kept. */
static void warm_up(pair *p)
{
    learn_both(p, 0, 4, false);
    learn_both(p, 4, 4, true);
}

START_TEST(a_step_that_comes_again_is_done_from_a_list)
{
    pair *p = begin_pair();
    warm_up(p);
    for (int i = 0; i < 20; i++) {
        learn_both(p, i % 9, 4, true);
    }
    ck_assert_int_le(p->planned.passes, 3); /* to look whether the pass varies */
    end_pair(p);
}
END_TEST

START_TEST(another_number_of_samples_is_another_step)
{
    pair *p = begin_pair();
    warm_up(p);
    learn_both(p, 2, 6, false);
    learn_both(p, 0, 4, true);
    learn_both(p, 2, 6, true);
    learn_both(p, 5, 3, false);
    learn_both(p, 2, 6, true);
    end_pair(p);
}
END_TEST

static void freeze(net *n, bool freeze)
{
    nm_store_set_trainable(n->store, "w1", !freeze);
}

START_TEST(what_is_frozen_later_is_noticed)
{
    pair *p = begin_pair();
    warm_up(p);
    freeze(&p->planned, true), freeze(&p->plain, true);
    warm_up(p);
    freeze(&p->planned, false), freeze(&p->plain, false);
    warm_up(p);
    nm_tensor_set_requires_grad(p->planned.b1, false);
    nm_tensor_set_requires_grad(p->plain.b1, false);
    warm_up(p);
    end_pair(p);
}
END_TEST

START_TEST(options_of_the_loss_that_change_are_noticed)
{
    pair *p = begin_pair();
    warm_up(p);
    p->planned.options.label_smoothing = p->plain.options.label_smoothing = 0.3;
    warm_up(p);
    p->planned.options.ignore_index = p->plain.options.ignore_index = 1;
    warm_up(p);
    end_pair(p);
}
END_TEST

START_TEST(parameters_that_the_program_changes_between_steps_count)
{
    pair *p = begin_pair();
    warm_up(p);
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < nm_store_count(p->plain.store); k++) { /* running statistics too */
            nm_tensor_set(nm_store_at(p->plain.store, k)->tensor, i, 0.5 + k);
            nm_tensor_set(nm_store_at(p->planned.store, k)->tensor, i, 0.5 + k);
        }
        learn_both(p, i, 4, true);
    }
    end_pair(p);
}
END_TEST

START_TEST(a_parameter_of_two_layers_has_the_gradients_of_both)
{
    pair *p = begin_pair();
    p->planned.shares = p->plain.shares = true;
    warm_up(p);
    for (int i = 0; i < 6; i++) {
        learn_both(p, i, 4, true);
    }
    end_pair(p);
}
END_TEST

/* One network, whose steps are kept, with two losses, tapes and optimizers. */
START_TEST(two_who_train_one_network_in_turn_do_not_take_each_others_steps)
{
    pair *p = begin_pair();
    net *nets[] = {&p->planned, &p->plain};
    nm_cross_entropy_loss_options other = {NM_CROSS_ENTROPY_LOSS_DEFAULTS};
    nm_learner first[2], second[2];
    nm_loss loss[2];
    other.label_smoothing = 0.4;
    for (int i = 0; i < 2; i++) {
        const nm_choice choice = {.item = &nm_loss_cross_entropy.item, .options = &other};
        nm_loss_begin(&loss[i], nets[i]->context, &choice);
        first[i] = second[i] = nets[i]->learner;
        second[i].loss = &loss[i];
        second[i].optimizer = nm_optimizer_create(nets[i]->store, &nm_adam(), NULL, 0);
        second[i].tape = nm_tape_create(nets[i]->context);
    }
    for (int step = 0; step < 8; step++) {
        for (int i = 0; i < 2; i++) {
            nets[i]->learner = step % 2 ? second[i] : first[i];
        }
        learn_both(p, step, 4, step > 1);
        for (int i = 0; i < 2; i++) {
            *(step % 2 ? &second[i] : &first[i]) = nets[i]->learner;
        }
    }
    for (int i = 0; i < 2; i++) {
        nets[i]->learner = first[i];
        nm_optimizer_destroy(second[i].optimizer);
        nm_tape_destroy(second[i].tape);
        nm_loss_end(&loss[i]);
    }
    end_pair(p);
}
END_TEST

START_TEST(gradients_that_were_there_before_count_too)
{
    pair *p = begin_pair();
    const float before[] = {1, 2, 3, 4, 5};
    for (int i = 0; i < 4; i++) {
        nm_tensor_set_grad_f32(p->planned.b1, before, 5);
        nm_tensor_set_grad_f32(p->plain.b1, before, 5);
        learn_both(p, i, 4, i > 0);
    }
    end_pair(p);
}
END_TEST

START_TEST(clipping_and_threads_may_change_between_steps)
{
    pair *p = begin_pair();
    warm_up(p);
    p->planned.learner.clip_norm = p->plain.learner.clip_norm = 0.01;
    learn_both(p, 3, 4, true);
    nm_context_set_threads(p->planned.context, 1);
    nm_context_set_threads(p->plain.context, 1);
    learn_both(p, 5, 4, true);
    end_pair(p);
}
END_TEST

START_TEST(anomaly_mode_takes_the_tape)
{
    pair *p = begin_pair();
    warm_up(p);
    nm_tape_set_anomaly(p->planned.learner.tape, true);
    learn_both(p, 1, 4, false);
    nm_tape_set_anomaly(p->planned.learner.tape, false);
    learn_both(p, 2, 4, true);
    end_pair(p);
}
END_TEST

START_TEST(what_no_graph_can_hold_takes_the_tape)
{
    pair *p = begin_pair();
    p->planned.reads = p->plain.reads = true;
    for (int i = 0; i < 4; i++) {
        learn_both(p, i, 4, false);
    }
    end_pair(p);
}
END_TEST

static nm_status do_nothing(const void *data, nm_tensor *const *in)
{
    (void)data, (void)in;
    return NM_OK;
}

static const nm_effect nothing = {"do_nothing", sizeof(int), do_nothing};

enum { OPTION, NUMBER, TENSOR, EFFECT, KINDS };

static int kind, calls;
static nm_tensor *masks[2];

/* Another one each time, as no loss should be: by what `kind` says. */
static nm_tensor *restless(const void *options, nm_tape *tape, nm_tensor *outputs,
                           nm_tensor *targets)
{
    (void)options;
    nm_tensor *loss = nm_cross_entropy(tape, outputs, targets);
    calls++;
    switch (kind) {
    case OPTION: return nm_affine(tape, loss, calls, 0);
    case NUMBER: return nm_mul(tape, loss, nm_scalar(tape, NM_F32, calls));
    case TENSOR: return nm_mul(tape, loss, masks[calls % 2]);
    default: return nm_tape_do(tape, &nothing, &calls, &loss, 1) == NM_OK ? loss : NULL;
    }
}

START_TEST(a_loss_that_changes_on_its_own_is_noticed)
{
    static const nm_loss_type type = {.item = NM_ITEM(nm_loss_type, "restless", "for tests"),
                                      .wants_labels = true,
                                      .compute = restless};
    for (kind = OPTION; kind < KINDS; kind++) {
        net n;
        double loss;
        begin(&n, false);
        n.loss = (nm_loss){.context = n.context, .type = &type};
        for (int i = 0; i < 2; i++) {
            masks[i] = nm_tensor_create(n.context, NM_F32, NM_SCALAR_SHAPE);
            nm_tensor_fill(masks[i], 1 + i);
        }
        for (int i = 0; i < 5; i++) {
            const bool listed = learn(&n, 0, 4, &loss);
            ck_assert_msg(i == 1 || !listed, "kind %d, step %d", kind, i);
        }
        assert_fine(n.context);
        nm_tensor_destroy(masks[0]);
        nm_tensor_destroy(masks[1]);
        end(&n);
    }
}
END_TEST

static nm_tensor *plain_loss(const void *options, nm_tape *tape, nm_tensor *outputs,
                             nm_tensor *targets)
{
    (void)options;
    return nm_cross_entropy(tape, outputs, targets);
}

static nm_tensor *double_loss(const void *options, nm_tape *tape, nm_tensor *outputs,
                              nm_tensor *targets)
{
    return nm_affine(tape, plain_loss(options, tape, outputs, targets), 2, 0);
}

START_TEST(another_loss_without_options_is_another_step)
{
    static const nm_loss_type plain = {.item = NM_ITEM(nm_loss_type, "plain", "for tests"),
                                       .wants_labels = true,
                                       .compute = plain_loss};
    static const nm_loss_type twice = {.item = NM_ITEM(nm_loss_type, "twice", "for tests"),
                                       .wants_labels = true,
                                       .compute = double_loss};
    pair *p = begin_pair();
    p->planned.loss = (nm_loss){.context = p->planned.context, .type = &plain};
    p->plain.loss = (nm_loss){.context = p->plain.context, .type = &plain};
    warm_up(p);
    p->planned.loss.type = p->plain.loss.type = &twice;
    warm_up(p);
    end_pair(p);
}
END_TEST

static bool step_in(net *n, nm_precision precision)
{
    double loss;
    nm_random random = nm_random_create(1, 1);
    const nm_batch batch = nm_batch_of_labels(NM_SHAPE(4, 3), n->x[0], n->labels);
    const nm_batch_step step = {.network = n->learner.network,
                                .loss = &n->loss,
                                .tape = n->learner.tape,
                                .random = &random,
                                .precision = precision,
                                .batch = &batch,
                                .scale = 1};
    ck_assert_int_eq(nm_batch_step_run(&step, &loss), NM_OK);
    nm_store_clear_grads(n->store);
    return nm_tape_nodes(n->learner.tape) == 0;
}

START_TEST(a_step_of_another_precision_is_another_step)
{
    net n;
    begin(&n, false);
    ck_assert(!step_in(&n, NM_PRECISION_F32));
    ck_assert(step_in(&n, NM_PRECISION_F32));
    const int passes = n.passes;
    ck_assert(!step_in(&n, NM_PRECISION_BF16));
    ck_assert_int_gt(n.passes, passes); /* the network's pass is another, too */
    ck_assert(step_in(&n, NM_PRECISION_BF16));
    ck_assert(step_in(&n, NM_PRECISION_F32));
    end(&n);
}
END_TEST

START_TEST(a_network_that_is_not_traced_takes_the_tape)
{
    net n;
    double loss;
    begin(&n, false);
    n.learner.network = &n.network;
    for (int i = 0; i < 4; i++) {
        ck_assert(!learn(&n, 0, 4, &loss));
    }
    ck_assert_int_eq(n.passes, 4);
    end(&n);
}
END_TEST

START_TEST(a_loss_that_is_not_finite_moves_no_parameter)
{
    pair *p = begin_pair();
    double loss;
    warm_up(p);
    p->planned.x[1][0] = p->plain.x[1][0] = NAN;
    learn(&p->planned, 0, 4, &loss);
    ck_assert(isnan(loss));
    assert_error(p->planned.context, NM_ERROR_NUMERIC,
                 "the loss is NaN at step 2; nothing was updated");
    nm_context_clear_error(p->planned.context);
    learn(&p->plain, 0, 4, &loss);
    nm_context_clear_error(p->plain.context);
    assert_same(p->planned.w1, p->plain.w1);
    ck_assert(isfinite(nm_tensor_get(p->planned.w1, 0)));
    ck_assert_ptr_null(nm_tensor_grad(p->planned.w1));
    assert_same(p->planned.w2, p->plain.w2);
    end(&p->planned);
    end(&p->plain);
}
END_TEST

START_TEST(wrong_labels_are_told_alike)
{
    pair *p = begin_pair();
    double loss;
    char text[256];
    warm_up(p);
    p->planned.labels[2] = p->plain.labels[2] = 5;
    learn(&p->plain, 0, 4, &loss);
    snprintf(text, sizeof text, "%s", nm_context_error(p->plain.context));
    learn(&p->planned, 0, 4, &loss);
    ck_assert_str_eq(nm_context_error(p->planned.context), text);
    ck_assert_ptr_nonnull(strstr(text, "label 5 in row 2 is out of range"));
    end(&p->planned);
    end(&p->plain);
}
END_TEST

START_TEST(more_steps_than_are_kept_work_all_the_same)
{
    pair *p = begin_pair();
    double a, b;
    for (int i = 0; i < 60; i++) {
        learn(&p->planned, 0, 2 + i * 7 % 11, &a);
        learn(&p->plain, 0, 2 + i * 7 % 11, &b);
        ck_assert_mem_eq(&a, &b, sizeof a);
    }
    end_pair(p);
}
END_TEST

static nm_status do_all(test_memory *memory)
{
    net n;
    double loss;
    if (begin_with(&n, memory, false) == NM_OK) {
        for (int i = 0; i < 3; i++) {
            learn(&n, 0, 4, &loss);
        }
    }
    if (!n.context) {
        return NM_ERROR_MEMORY;
    }
    const nm_status status = nm_context_status(n.context);
    end(&n);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    test_every_allocation(do_all);
}
END_TEST

TEST_MAIN("optim/steps", a_step_that_comes_again_is_done_from_a_list,
          another_number_of_samples_is_another_step, what_is_frozen_later_is_noticed,
          options_of_the_loss_that_change_are_noticed,
          parameters_that_the_program_changes_between_steps_count,
          a_parameter_of_two_layers_has_the_gradients_of_both,
          two_who_train_one_network_in_turn_do_not_take_each_others_steps,
          gradients_that_were_there_before_count_too, clipping_and_threads_may_change_between_steps,
          anomaly_mode_takes_the_tape, what_no_graph_can_hold_takes_the_tape,
          a_loss_that_changes_on_its_own_is_noticed, another_loss_without_options_is_another_step,
          a_step_of_another_precision_is_another_step, a_network_that_is_not_traced_takes_the_tape,
          a_loss_that_is_not_finite_moves_no_parameter, wrong_labels_are_told_alike,
          more_steps_than_are_kept_work_all_the_same, every_allocation_may_fail)
