/* Whether two graphs do the same: each thing that may differ is seen, and nothing else. */
#include "core/graph/graph.h"
#include "core/graph/internal.h"
#include "core/graph/parts.h"

#include "ops/ops.h"

#include "tests/test.h"

typedef struct net {
    nm_context *context;
    nm_tensor *w, *v;
    nm_random random;
} net;

static nm_status nothing(const void *data, nm_tensor *const *in)
{
    (void)data, (void)in;
    return NM_OK;
}

static const nm_effect one = {"one", sizeof(int), nothing}, other = {"other", sizeof(int), nothing},
                       empty = {"empty", 0, nothing};

typedef nm_tensor *pass_fn(net *n, nm_tape *tape, nm_tensor *x);
#define PASS(name, ...)                                                                            \
    static nm_tensor *name(net *n, nm_tape *tape, nm_tensor *x)                                    \
    {                                                                                              \
        (void)n;                                                                                   \
        return __VA_ARGS__;                                                                        \
    }

static nm_tensor *do_one(nm_tape *tape, const nm_effect *effect, int number, nm_tensor *x)
{
    nm_tape_do(tape, effect, &number, &x, 1);
    return x;
}

PASS(plain, nm_relu(tape, nm_add(tape, x, n->w)))
PASS(another_op, nm_tanh(tape, nm_add(tape, x, n->w)))
PASS(turned, nm_relu(tape, nm_add(tape, n->w, x)))
PASS(another_tensor, nm_relu(tape, nm_add(tape, x, n->v)))
PASS(longer, nm_relu(tape, nm_relu(tape, nm_add(tape, x, n->w))))
PASS(scaled, nm_relu(tape, nm_affine(tape, x, 2, 0)))
PASS(scaled_more, nm_relu(tape, nm_affine(tape, x, 3, 0)))
PASS(detached, nm_detach(tape, nm_add(tape, x, n->w)))
PASS(with_effect, nm_relu(tape, do_one(tape, &one, 1, nm_add(tape, x, n->w))))
PASS(with_another, nm_relu(tape, do_one(tape, &other, 1, nm_add(tape, x, n->w))))
PASS(with_other_data, nm_relu(tape, do_one(tape, &one, 2, nm_add(tape, x, n->w))))
PASS(with_no_data, nm_relu(tape, do_one(tape, &empty, 0, nm_add(tape, x, n->w))))
PASS(then_an_effect, do_one(tape, &one, 1, nm_relu(tape, nm_add(tape, x, n->w))))
PASS(drawn, nm_dropout_drawn(tape, x, nm_tape_draw(tape, &n->random), 0.25))
PASS(dropped_more, nm_dropout_drawn(tape, x, nm_tape_draw(tape, &n->random), 0.5))
PASS(given_back, nm_add(tape, x, n->w))

static pass_fn *const passes[] = {plain,       another_op,   turned,          another_tensor,
                                  longer,      scaled,       scaled_more,     detached,
                                  with_effect, with_another, with_other_data, with_no_data,
                                  drawn,       dropped_more, given_back,      then_an_effect};

typedef struct forward_of {
    net *n;
    pass_fn *pass;
} forward_of;

static nm_status forward(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)
{
    const forward_of *f = self;
    out[0] = f->pass(f->n, tape, in[0]);
    return nm_context_status(f->n->context);
}

static nm_graph *trace(net *n, pass_fn *pass, nm_dtype dtype, nm_shape shape)
{
    forward_of f = {n, pass};
    const nm_graph_input x = {"x", dtype, shape};
    nm_graph *graph = nm_graph_trace(n->context, NULL, forward, &f, &x, 1, 1);
    assert_fine(n->context);
    return graph;
}

static void begin(net *n)
{
    *n = (net){.context = test_context(NULL), .random = nm_random_create(3, 0)};
    nm_register_ops(n->context);
    n->w = nm_tensor_create(n->context, NM_F32, NM_SHAPE(3));
    n->v = nm_tensor_create(n->context, NM_F32, NM_SHAPE(3));
}

static void end(net *n)
{
    nm_tensor_destroy(n->w);
    nm_tensor_destroy(n->v);
    test_context_end(n->context, NULL);
}

START_TEST(each_pass_is_the_same_as_itself_and_as_no_other)
{
    net n;
    nm_graph *graphs[NM_COUNT_OF(passes)], *again[NM_COUNT_OF(passes)];
    begin(&n);
    for (int i = 0; i < NM_COUNT_OF(passes); i++) {
        graphs[i] = trace(&n, passes[i], NM_F32, NM_SHAPE(2, 3));
        again[i] = trace(&n, passes[i], NM_F32, NM_SHAPE(2, 3));
    }
    for (int i = 0; i < NM_COUNT_OF(passes); i++) {
        for (int k = 0; k < NM_COUNT_OF(passes); k++) {
            ck_assert_msg(nm_graph_same(graphs[i], again[k]) == (i == k), "%d and %d", i, k);
        }
    }
    for (int i = 0; i < NM_COUNT_OF(passes); i++) {
        nm_graph_destroy(graphs[i]);
        nm_graph_destroy(again[i]);
    }
    end(&n);
}
END_TEST

START_TEST(another_shape_or_type_of_the_input_is_another_graph)
{
    net n;
    begin(&n);
    nm_graph *a = trace(&n, scaled, NM_F32, NM_SHAPE(2, 3));
    nm_graph *b = trace(&n, scaled, NM_F32, NM_SHAPE(4, 3));
    nm_graph *c = trace(&n, scaled, NM_F64, NM_SHAPE(2, 3));
    ck_assert(!nm_graph_same(a, b));
    ck_assert(!nm_graph_same(a, c));
    nm_graph_destroy(a);
    nm_graph_destroy(b);
    nm_graph_destroy(c);
    end(&n);
}
END_TEST

TEST_MAIN("core/graph/same", each_pass_is_the_same_as_itself_and_as_no_other,
          another_shape_or_type_of_the_input_is_another_graph)
