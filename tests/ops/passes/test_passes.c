/* Passes over the graph of a network written in C: what becomes one op, and what must not. Numbers
 * are compared in tests/models/test_fuse.c, for networks from YAML. */
#include "ops/passes/passes.h"

#include <string.h>

#include "core/graph/edit.h"
#include "ops/loss.h"
#include "ops/norm.h"
#include "ops/ops.h"

#include "tests/test.h"

typedef struct net {
    nm_context *context;
    nm_tensor *w, *scale, *mean, *var;
    nm_tensor *wide; /* f32, [80, 80] */
    nm_dtype dtype;  /* of the input */
    int precision;
    nm_forward_fn *forward;
} net;

static nm_batch_norm_result norm(const net *n, nm_tape *tape, nm_tensor *x)
{
    return nm_batch_norm_with(tape, x, n->scale, NULL, NULL, NULL, NULL);
}

static nm_tensor *norm_by_running(const net *n, nm_tape *tape, nm_tensor *x)
{
    return nm_batch_norm_inference(tape, x, n->scale, NULL, n->mean, n->var);
}

static net begin(nm_forward_fn *forward)
{
    net n = {.context = test_context(NULL), .forward = forward, .dtype = NM_F64};
    nm_random random = nm_random_create(1, 1);
    nm_register_ops(n.context);
    n.w = nm_tensor_create(n.context, NM_F64, NM_SHAPE(3, 3));
    n.scale = nm_tensor_create(n.context, NM_F64, NM_SHAPE(3));
    n.mean = nm_tensor_create(n.context, NM_F64, NM_SHAPE(3));
    n.var = nm_tensor_create(n.context, NM_F64, NM_SHAPE(3));
    n.wide = nm_tensor_create(n.context, NM_F32, NM_SHAPE(80, 80));
    nm_tensor *const all[] = {n.w, n.scale, n.mean, n.var, n.wide};
    static const char *const names[] = {"w", "scale", "mean", "var", "wide"};
    for (int i = 0; i < 5; i++) {
        nm_random_fill_uniform(&random, all[i], 0.5, 1.5);
        nm_tensor_set_name(all[i], names[i]);
    }
    assert_fine(n.context);
    return n;
}

static void end(net *n)
{
    nm_tensor_destroy(n->w);
    nm_tensor_destroy(n->scale);
    nm_tensor_destroy(n->mean);
    nm_tensor_destroy(n->var);
    nm_tensor_destroy(n->wide);
    nm_context_destroy(n->context);
}

static nm_graph *trace(net *n, nm_shape shape)
{
    const nm_graph_input x = {"x", n->dtype, shape};
    nm_graph *graph = nm_graph_trace(n->context, NULL, n->forward, n, &x, 1, 1);
    assert_fine(n->context);
    return graph;
}

/* The steps' names in their order, such as "dense relu". */
static const char *steps_of(const nm_graph *graph)
{
    static char names[512];
    names[0] = 0;
    for (int s = 0; s < nm_graph_step_count(graph); s++) {
        const nm_graph_step *step = nm_graph_step_at(graph, s);
        strcat(names, s ? " " : "");
        strcat(names, step->kind == NM_STEP_EFFECT ? step->effect->name : step->op->item.name);
    }
    return names;
}

/* The outputs of a graph and of its pass are the same. */
static void compare_outputs(net *n, nm_graph *graph, nm_shape shape)
{
    nm_tape *tape = nm_tape_create(n->context);
    nm_tensor *x = nm_tape_tensor(tape, n->dtype, shape), *a, *b;
    nm_random random = nm_random_create(2, 2);
    nm_random_fill_normal(&random, x, 0, 1);
    n->forward(n, tape, &x, &a);
    nm_graph_run(graph, tape, NULL, &x, &b);
    assert_fine(n->context);
    for (int64_t i = 0; i < nm_tensor_count(a); i++) {
        assert_near(nm_tensor_get(b, i), nm_tensor_get(a, i), 1e-12, 1e-12);
    }
    nm_tape_destroy(tape);
}

static void fuses_into(nm_forward_fn *forward, nm_shape shape, const char *steps)
{
    net n = begin(forward);
    nm_graph *graph = trace(&n, shape);
    ck_assert_int_eq(nm_graph_fuse(graph), NM_OK);
    ck_assert_str_eq(steps_of(graph), steps);
    compare_outputs(&n, graph, shape);
    nm_graph_destroy(graph);
    end(&n);
}

/* ---- What becomes one ---- */

#define FORWARD(name_)                                                                             \
    static nm_status name_(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)

FORWARD(dense_relu)
{
    const net *n = self;
    out[0] = nm_relu(tape, nm_dense(tape, in[0], n->w, NULL));
    return NM_OK;
}

FORWARD(residual_behind)
{
    const net *n = self;
    out[0] = nm_tanh(tape, nm_add(tape, in[0], norm(n, tape, in[0]).y));
    return NM_OK;
}

FORWARD(two_norms_added)
{
    const net *n = self;
    nm_tensor *a = norm(n, tape, in[0]).y;
    nm_tensor *b = norm(n, tape, nm_square(tape, in[0])).y;
    out[0] = nm_add(tape, a, b);
    return NM_OK;
}

START_TEST(a_network_in_c_is_fused_like_one_from_a_file)
{
    fuses_into(dense_relu, NM_SHAPE(4, 3), "dense_activation");
    fuses_into(residual_behind, NM_SHAPE(4, 3), "batch_norm_activation");
    fuses_into(two_norms_added, NM_SHAPE(4, 3), "square batch_norm batch_norm_activation");
}
END_TEST

/* ---- What must not ---- */

FORWARD(read_twice)
{
    const net *n = self;
    nm_tensor *h = nm_dense(tape, in[0], n->w, NULL);
    out[0] = nm_add(tape, nm_relu(tape, h), h);
    return NM_OK;
}

FORWARD(read_outside)
{
    const net *n = self;
    nm_tensor *h = nm_dense(tape, in[0], n->w, NULL);
    nm_relu(tape, h);
    out[0] = h;
    return NM_OK;
}

FORWARD(mean_between)
{
    const net *n = self;
    nm_batch_norm_result r = norm(n, tape, in[0]);
    nm_tensor *scaled = nm_mul(tape, in[0], r.mean);
    out[0] = nm_add(tape, r.y, scaled);
    return NM_OK;
}

FORWARD(broadcast_addition)
{
    const net *n = self;
    out[0] = nm_add(tape, norm(n, tape, in[0]).y, n->mean);
    return NM_OK;
}

FORWARD(unrecorded)
{
    const net *n = self;
    nm_tensor *h = nm_dense(tape, in[0], n->w, NULL);
    bool recording = nm_tape_set_recording(tape, false);
    out[0] = nm_relu(tape, h);
    nm_tape_set_recording(tape, recording);
    return NM_OK;
}

static nm_status look(const void *data, nm_tensor *const *in)
{
    (void)data;
    ck_assert_ptr_nonnull(nm_tensor_data(in[0]));
    return NM_OK;
}

static const nm_effect looking = {"look", 0, look};

FORWARD(looked_at)
{
    const net *n = self;
    nm_tensor *h = nm_dense(tape, in[0], n->w, NULL);
    nm_tape_do(tape, &looking, NULL, &h, 1);
    out[0] = nm_relu(tape, h);
    return NM_OK;
}

START_TEST(what_something_else_reads_stays)
{
    fuses_into(looked_at, NM_SHAPE(4, 3), "dense look relu");
    fuses_into(read_twice, NM_SHAPE(4, 3), "dense relu add");
    fuses_into(read_outside, NM_SHAPE(4, 3), "dense relu");
    fuses_into(mean_between, NM_SHAPE(4, 3), "batch_norm mul add");
    fuses_into(broadcast_addition, NM_SHAPE(4, 3), "batch_norm add");
    fuses_into(unrecorded, NM_SHAPE(4, 3), "dense relu");
}
END_TEST

/* ---- Effects ---- */

static nm_status move(const net *n, nm_tape *tape, nm_tensor *x, const nm_batch_norm_result *r)
{
    return nm_batch_norm_move(tape, x, r, n->mean, n->var, 0.5);
}

FORWARD(moves_and_adds)
{
    const net *n = self;
    nm_batch_norm_result r = norm(n, tape, in[0]);
    move(n, tape, in[0], &r);
    nm_tensor *other = nm_square(tape, in[0]);
    out[0] = nm_relu(tape, nm_add(tape, r.y, other));
    return NM_OK;
}

START_TEST(an_effect_follows_the_op_whose_results_it_reads)
{
    fuses_into(moves_and_adds, NM_SHAPE(4, 3), "square batch_norm_activation move_statistics");
}
END_TEST

/* One layer used twice: its statistics move in the order of the uses. */
FORWARD(moves_twice)
{
    const net *n = self;
    nm_batch_norm_result r = norm(n, tape, in[0]);
    move(n, tape, in[0], &r);
    nm_tensor *other = nm_square(tape, in[0]);
    nm_batch_norm_result q = norm(n, tape, other);
    move(n, tape, other, &q);
    out[0] = nm_add(tape, r.y, q.y);
    return NM_OK;
}

START_TEST(effects_keep_their_order)
{
    net n = begin(moves_twice);
    nm_graph *graph = trace(&n, NM_SHAPE(4, 3));
    nm_graph_fuse(graph);
    ck_assert_str_eq(steps_of(graph), "square batch_norm batch_norm_activation move_statistics "
                                      "move_statistics");
    const int first = nm_graph_step_at(graph, 3)->in[2];
    ck_assert_int_eq(first, nm_graph_input_at(graph, 0));
    nm_graph_destroy(graph);
    end(&n);
}
END_TEST

FORWARD(reads_what_moves)
{
    const net *n = self;
    nm_batch_norm_result r = norm(n, tape, in[0]);
    move(n, tape, in[0], &r);
    nm_tensor *other = nm_mul(tape, in[0], n->mean); /* the moved one */
    out[0] = nm_add(tape, r.y, other);
    return NM_OK;
}

START_TEST(an_effect_stays_before_what_reads_its_tensors)
{
    net n = begin(reads_what_moves);
    nm_graph *graph = trace(&n, NM_SHAPE(4, 3));
    nm_graph_fuse(graph);
    ck_assert_str_eq(steps_of(graph), "batch_norm move_statistics mul add");
    nm_graph_destroy(graph);
    end(&n);
}
END_TEST

/* ---- Folding ---- */

FORWARD(dense_norm)
{
    const net *n = self;
    out[0] = nm_relu(tape, norm_by_running(n, tape, nm_dense(tape, in[0], n->w, NULL)));
    return NM_OK;
}

FORWARD(weight_of_op)
{
    const net *n = self;
    nm_tensor *w = nm_weight_norm(tape, n->w, n->scale);
    out[0] = norm_by_running(n, tape, nm_dense(tape, in[0], w, n->mean));
    return NM_OK;
}

FORWARD(weight_of_input)
{
    const net *n = self;
    nm_tensor *w = nm_mul(tape, n->w, nm_mean(tape, in[0]));
    out[0] = norm_by_running(n, tape, nm_dense(tape, in[0], w, NULL));
    return NM_OK;
}

static void folds_into(nm_forward_fn *forward, const char *steps)
{
    net n = begin(forward);
    nm_graph *graph = trace(&n, NM_SHAPE(4, 3));
    nm_constants *constants = nm_constants_create(n.context, NULL);
    nm_graph_settle(graph, constants);
    nm_graph_fold(graph);
    nm_graph_settle(graph, constants);
    nm_graph_drop(graph);
    assert_fine(n.context);
    ck_assert_str_eq(steps_of(graph), steps);
    compare_outputs(&n, graph, NM_SHAPE(4, 3));
    nm_tensor_set(n.w, 4, 2);
    nm_tensor_set(n.var, 1, 2);
    nm_constants_refresh(constants);
    compare_outputs(&n, graph, NM_SHAPE(4, 3));
    nm_graph_destroy(graph);
    nm_constants_destroy(constants);
    end(&n);
}

START_TEST(batch_norm_goes_into_the_weights_before_it)
{
    folds_into(dense_norm, "dense_activation");
    folds_into(weight_of_op, "dense");
}
END_TEST

START_TEST(weights_that_depend_on_the_input_take_nothing)
{
    folds_into(weight_of_input, "mean mul dense batch_norm");
}
END_TEST

START_TEST(graphs_for_several_shapes_share_their_constants)
{
    net n = begin(weight_of_op);
    nm_constants *constants = nm_constants_create(n.context, NULL);
    nm_tensor *w[2] = {NULL};
    nm_graph *graph[2];
    for (int i = 0; i < 2; i++) {
        graph[i] = trace(&n, NM_SHAPE(4 + i, 3));
        nm_graph_settle(graph[i], constants);
        w[i] = nm_graph_value_at(graph[i], nm_graph_step_at(graph[i], 0)->in[1])->tensor;
    }
    ck_assert_ptr_nonnull(w[0]);
    ck_assert_ptr_eq(w[0], w[1]);
    nm_graph_destroy(graph[0]);
    nm_graph_destroy(graph[1]);
    nm_constants_destroy(constants);
    end(&n);
}
END_TEST

/* ---- Packing ---- */

FORWARD(wide_dense)
{
    const net *n = self;
    out[0] = nm_dense_activation(tape, in[0], n->wide, NULL, NM_ACTIVATION_RELU,
                                 .precision = n->precision);
    return NM_OK;
}

static void packs_as(net *n, int64_t rows, const char *steps)
{
    nm_graph *graph = trace(n, NM_SHAPE(rows, 80));
    nm_constants *constants = nm_constants_create(n->context, NULL);
    nm_graph_pack(graph);
    nm_graph_settle(graph, constants);
    nm_graph_drop(graph);
    assert_fine(n->context);
    ck_assert_str_eq(steps_of(graph), steps);
    compare_outputs(n, graph, NM_SHAPE(rows, 80));
    nm_graph_destroy(graph);
    nm_constants_destroy(constants);
}

START_TEST(weights_are_packed_where_that_pays)
{
    net n = begin(wide_dense);
    n.dtype = NM_F32;
    packs_as(&n, 96, "dense_packed");
    packs_as(&n, 1, "dense_activation");
    packs_as(&n, 1000, "dense_activation");
    n.precision = NM_PRECISION_BF16;
    packs_as(&n, 96, "dense_activation");
    end(&n);
}
END_TEST

/* ---- Dropping ---- */

FORWARD(leaves_something)
{
    (void)self;
    nm_square(tape, nm_relu(tape, in[0]));
    out[0] = nm_tanh(tape, in[0]);
    return NM_OK;
}

START_TEST(what_nobody_reads_is_dropped)
{
    net n = begin(leaves_something);
    nm_graph *graph = trace(&n, NM_SHAPE(4, 3));
    ck_assert_int_eq(nm_graph_drop(graph), NM_OK);
    ck_assert_str_eq(steps_of(graph), "tanh");
    compare_outputs(&n, graph, NM_SHAPE(4, 3));
    nm_graph_destroy(graph);
    end(&n);
}
END_TEST

TEST_MAIN("ops/passes", a_network_in_c_is_fused_like_one_from_a_file,
          what_something_else_reads_stays, an_effect_follows_the_op_whose_results_it_reads,
          effects_keep_their_order, an_effect_stays_before_what_reads_its_tensors,
          batch_norm_goes_into_the_weights_before_it, weights_that_depend_on_the_input_take_nothing,
          graphs_for_several_shapes_share_their_constants, weights_are_packed_where_that_pays,
          what_nobody_reads_is_dropped)
