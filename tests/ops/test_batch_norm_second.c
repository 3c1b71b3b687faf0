/* The gradient of batch_norm_grad: the kernel that a gradient of a gradient takes, beside the
 * formula of ops, which it takes where it is to be differentiated again. */
#include <math.h>

#include "ops/norm/batch_norm.h"
#include "ops/table.h"
#include "tests/ops/ops_test.h"

enum { LEAVES = 5, PENDING = 3 };

/* batch_norm_grad of random inputs, and random gradients of its results. */
typedef struct problem {
    fixture f;
    nm_tensor *leaf[LEAVES]; /* x, dy, scale, dmean, dvar; NULL: absent */
    nm_tensor *out[PENDING], *gout[PENDING];
} problem;

typedef struct setting {
    nm_shape shape;
    int axis;
    bool mean_only, plain; /* plain: no scale, dmean, dvar, and a gradient of dx alone */
} setting;

static problem start(const setting *s, nm_dtype dtype, int threads, double offset)
{
    problem p = {.f = begin_with(threads)};
    const nm_shape channels = {1, {s->shape.dim[s->axis < 0 ? s->shape.rank - 1 : s->axis]}};
    const nm_batch_norm_options o = {.struct_size = sizeof o,
                                     .axis = s->axis,
                                     .eps = 1e-5,
                                     .mean_only = s->mean_only,
                                     .mode = NM_TRAINING};
    for (int i = 0; i < (s->plain ? 2 : LEAVES); i++) {
        p.leaf[i] = normal(&p.f, dtype, i < 2 ? s->shape : channels, offset, 1, (uint64_t)i);
    }
    nm_tensor *in[G_INPUTS] = {[G_X] = p.leaf[0],
                               [G_DY] = p.leaf[1],
                               [G_SCALE] = p.leaf[2],
                               [G_DMEAN] = p.leaf[3],
                               [G_DVAR] = p.leaf[4]};
    ck_assert_int_eq(nm_apply(p.f.tape, &nm_op_batch_norm_grad, in, G_INPUTS, &o, p.out), NM_OK);
    for (int i = 0; i < (s->plain ? 1 : PENDING); i++) {
        p.gout[i] = normal(&p.f, dtype, *nm_tensor_shape(p.out[i]), offset, 1, 10 + (uint64_t)i);
    }
    return p;
}

static void go_back(problem *p, unsigned flags, nm_tensor *gradient[LEAVES])
{
    nm_tensor *asked[LEAVES];
    int count = 0;
    for (; count < LEAVES && p->leaf[count]; count++) {
        asked[count] = p->leaf[count];
    }
    nm_gradients(p->f.tape, p->out, p->gout, p->gout[1] ? PENDING : 1, asked, count, flags,
                 gradient);
    assert_fine(p->f.context);
}

static double largest(nm_tensor *x)
{
    double most = 0;
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        most = fmax(most, fabs(nm_tensor_get(x, i)));
    }
    return most;
}

static void assert_alike(nm_tensor *a, nm_tensor *b, double tolerance, int64_t line)
{
    const double scale = largest(b) + 1e-300;
    ck_assert_int_eq(nm_tensor_count(a), nm_tensor_count(b));
    for (int64_t i = 0; i < nm_tensor_count(a); i++) {
        const double x = nm_tensor_get(a, i), y = nm_tensor_get(b, i);
        ck_assert_msg(fabs(x - y) <= tolerance * scale, "gradient %lld, element %lld: %g and %g",
                      (long long)line, (long long)i, x, y);
    }
}

/* The third has so few values that there is no kernel. */
static const setting settings[] = {
    {{2, {6, 3}}, -1, false, false},      {{2, {7, 1}}, -1, false, false},
    {{2, {2, 4}}, -1, false, false},      {{4, {3, 5, 2, 70}}, -1, false, false},
    {{2, {70, 300}}, -1, false, true},    {{2, {3000, 16}}, 1, true, false},
    {{4, {3, 5, 7, 9}}, 1, false, false}, {{3, {2, 3, 2000}}, 1, false, true},
    {{2, {3, 40}}, 0, false, false},      {{3, {4, 9, 3}}, 1, true, true},
};

START_TEST(the_kernel_is_the_formula)
{
    for (size_t s = 0; s < NM_COUNT_OF(settings); s++) {
        problem p = start(&settings[s], NM_F64, 2, 0.3);
        nm_tensor *kernel[LEAVES], *formula[LEAVES];
        go_back(&p, NM_KEEP_GRAPH, kernel);
        const int64_t nodes = nm_tape_nodes(p.f.tape);
        go_back(&p, NM_CREATE_GRAPH, formula);
        ck_assert_int_gt(nm_tape_nodes(p.f.tape), nodes + 5); /* of ops, and recorded */
        for (int i = 0; i < LEAVES && p.leaf[i]; i++) {
            assert_alike(kernel[i], formula[i], 1e-11, i);
        }
        end(&p.f);
    }
}
END_TEST

static double error_of(nm_tensor *x, nm_tensor *exact)
{
    double most = 0;
    for (int64_t i = 0; i < nm_tensor_count(exact); i++) {
        most = fmax(most, fabs(nm_tensor_get(x, i) - nm_tensor_get(exact, i)));
    }
    return most;
}

/* Means that are large beside deviations, in dy and in its gradient. */
START_TEST(an_offset_costs_no_more_digits_than_in_the_formula)
{
    for (size_t s = 0; s < NM_COUNT_OF(settings); s++) {
        problem wide = start(&settings[s], NM_F64, 2, 30);
        problem narrow = start(&settings[s], NM_F32, 2, 30);
        nm_tensor *exact[LEAVES], *kernel[LEAVES], *formula[LEAVES];
        go_back(&wide, 0, exact);
        go_back(&narrow, NM_KEEP_GRAPH, kernel);
        go_back(&narrow, NM_CREATE_GRAPH, formula);
        for (int i = 0; i < LEAVES && wide.leaf[i]; i++) {
            const double bound = 5 * error_of(formula[i], exact[i]) + 1e-5 * largest(exact[i]);
            ck_assert_double_le(error_of(kernel[i], exact[i]), bound);
        }
        end(&wide.f);
        end(&narrow.f);
    }
}
END_TEST

START_TEST(the_bits_do_not_depend_on_the_number_of_threads)
{
    for (size_t s = 0; s < NM_COUNT_OF(settings); s++) {
        problem one = start(&settings[s], NM_F32, 1, 0), many = start(&settings[s], NM_F32, 4, 0);
        nm_tensor *a[LEAVES], *b[LEAVES];
        go_back(&one, 0, a);
        go_back(&many, 0, b);
        for (int i = 0; i < LEAVES && one.leaf[i]; i++) {
            ck_assert_mem_eq(nm_tensor_data(a[i]), nm_tensor_data(b[i]), nm_tensor_bytes(a[i]));
        }
        end(&one.f);
        end(&many.f);
    }
}
END_TEST

TEST_MAIN("ops/batch_norm_second", the_kernel_is_the_formula,
          an_offset_costs_no_more_digits_than_in_the_formula,
          the_bits_do_not_depend_on_the_number_of_threads)
