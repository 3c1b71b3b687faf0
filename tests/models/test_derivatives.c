/* Products with Jacobians and Hessians of whole networks: against PyTorch's, and what a call that
 * is wrong says. tests/golden/derivatives.py describes the file. */
#include <stdio.h>
#include <stdlib.h>

#include "core/derivatives.h"
#include "core/file.h"

#include "tests/models/golden_network.h"

#define TOLERANCE 1e-10 /* relative, and of numbers about 1 */
#define MOST 16         /* parameters */

typedef struct golden {
    const char *network;
    nm_tensor_file *file;
    fixture f;
    int count;
    nm_tensor *parameter[MOST], *v[MOST];
    const char *name[MOST];
} golden;

static nm_tensor *stored(const golden *g, const char *what, const char *name)
{
    return find_golden(g->file, g->network, what, name);
}

static golden begin_golden(const char *network)
{
    nm_context *context = open_context(NULL);
    golden g = {.network = network, .file = read_golden(context, "derivatives")};
    nm_shape sample = *nm_tensor_shape(stored(&g, "x", ""));
    memmove(sample.dim, sample.dim + 1, (size_t)--sample.rank * sizeof *sample.dim);
    g.f = begin_f64(nm_tensor_file_metadata(g.file, network), sample);
    nm_tensor_file_destroy(g.file);
    nm_close(context);
    g.file = read_golden(g.f.context, "derivatives");
    for (int i = 0; i < nm_store_count(g.f.store); i++) {
        const nm_entry *entry = nm_store_at(g.f.store, i);
        if (entry->role == NM_PARAMETER) {
            nm_tensor_assign(entry->tensor, stored(&g, "at/", entry->name));
            g.parameter[g.count] = entry->tensor;
            g.v[g.count] = stored(&g, "v/", entry->name);
            g.name[g.count++] = entry->name;
        }
    }
    assert_fine(g.f.context);
    return g;
}

static void end_golden(golden *g)
{
    nm_tensor_file_destroy(g->file);
    end(&g->f);
}

static void compare(const golden *g, const char *what, nm_tensor *is, nm_tensor *wanted)
{
    ck_assert_msg(is != NULL, "%s", nm_context_error(g->f.context));
    ck_assert(nm_shape_equal(nm_tensor_shape(is), nm_tensor_shape(wanted)));
    for (int64_t i = 0; i < nm_tensor_count(wanted); i++) {
        const double a = nm_tensor_get(is, i), b = nm_tensor_get(wanted, i);
        ck_assert_msg(near_to(a, b, TOLERANCE, TOLERANCE), "%s, %s[%lld]: %.15g, PyTorch's %.15g",
                      g->network, what, (long long)i, a, b);
    }
}

static void check_network(const char *network)
{
    golden g = begin_golden(network);
    nm_tensor *products[MOST], *x = stored(&g, "x", ""), *v = stored(&g, "x_v", ""), *change;
    nm_tensor_set_requires_grad(x, true);
    nm_tensor *y = train(&g.f, x);
    nm_jvp(g.f.tape, &y, 1, g.parameter, g.v, g.count, NM_KEEP_GRAPH, &change);
    compare(&g, "jvp", change, stored(&g, "jvp", ""));
    nm_jvp(g.f.tape, &y, 1, &x, &v, 1, NM_KEEP_GRAPH, &change);
    compare(&g, "x_jvp", change, stored(&g, "x_jvp", ""));
    nm_tensor *loss = nm_cross_entropy(g.f.tape, y, stored(&g, "labels", ""));
    nm_hvp(g.f.tape, loss, g.parameter, g.v, g.count, 0, products);
    for (int i = 0; i < g.count; i++) {
        compare(&g, g.name[i], products[i], stored(&g, "hvp/", g.name[i]));
    }
    end_golden(&g);
}

START_TEST(a_perceptron_with_batch_norm_has_pytorchs_products)
{
    check_network("mlp_bn");
}
END_TEST

START_TEST(a_network_of_convolutions_has_pytorchs_products)
{
    check_network("cnn_bn");
}
END_TEST

/* ---- What it is, on small things ---- */

static nm_tensor *own(fixture *f, int count, const double *values)
{
    nm_tensor *x = nm_tensor_copy_of(f->context, NM_F64, NM_SHAPE(count), values);
    nm_tensor_set_requires_grad(x, true);
    return x;
}

START_TEST(a_product_is_by_the_rule_of_chains)
{
    fixture f = begin_f64("[dense: {units: 1}]", NM_SHAPE(2));
    nm_tensor *x = own(&f, 2, (double[]){2, 3}), *z = own(&f, 2, (double[]){1, 1});
    nm_tensor *v = own(&f, 2, (double[]){1, 10}), *both[] = {x, z}, *tangents[] = {v, NULL};
    nm_tensor *y[] = {nm_square(f.tape, x), nm_mul(f.tape, x, z), nm_square(f.tape, z)}, *r[3];
    ck_assert_int_eq(nm_jvp(f.tape, y, 3, both, tangents, 2, NM_KEEP_GRAPH, r), NM_OK);
    ck_assert_double_eq(nm_tensor_get(r[0], 1), 60); /* 2 x v */
    ck_assert_double_eq(nm_tensor_get(r[1], 1), 10); /* z v, and nothing for z's own */
    ck_assert_double_eq(nm_tensor_get(r[2], 0), 0);  /* depends on z alone, which stays */
    nm_jvp(f.tape, y, 1, &x, &v, 1, NM_CREATE_GRAPH, r);
    nm_tensor *twice;
    nm_jvp(f.tape, r, 1, &x, &v, 1, 0, &twice);
    ck_assert_double_eq(nm_tensor_get(twice, 1), 200); /* 2 v^2 */
    assert_fine(f.context);
    nm_tensor_destroy(x);
    nm_tensor_destroy(z);
    nm_tensor_destroy(v);
    end(&f);
}
END_TEST

START_TEST(a_linear_function_has_no_hessian)
{
    fixture f = begin_f64("[dense: {units: 1}]", NM_SHAPE(2));
    nm_tensor *x = own(&f, 2, (double[]){2, 3}), *v = own(&f, 2, (double[]){1, 10}), *r;
    nm_hvp(f.tape, nm_sum(f.tape, x), &x, &v, 1, 0, &r);
    assert_fine(f.context);
    ck_assert_double_eq(nm_tensor_get(r, 0), 0);
    ck_assert_double_eq(nm_tensor_get(r, 1), 0);
    nm_tensor_destroy(x);
    nm_tensor_destroy(v);
    end(&f);
}
END_TEST

static void expect(fixture *f, nm_status status, const char *message)
{
    ck_assert_int_eq(status, NM_ERROR_INPUT);
    ck_assert_str_eq(nm_context_error(f->context), message);
    nm_context_clear_error(f->context);
}

START_TEST(a_call_that_is_wrong_says_in_what)
{
    fixture f = begin_f64("[dense: {units: 1}]", NM_SHAPE(2));
    nm_tensor *x = own(&f, 2, (double[]){2, 3}), *v = own(&f, 3, (double[]){1, 1, 1}), *r = x;
    nm_tensor *y = nm_square(f.tape, x);
    expect(&f, nm_hvp(f.tape, y, &x, &x, 1, 0, &r), "nm_hvp: the loss must be one number, not [2]");
    ck_assert_ptr_null(r);
    expect(&f, nm_jvp(f.tape, &y, 1, &x, &v, 1, NM_KEEP_GRAPH, &r),
           "nm_jvp: direction 0 is f64 [3], but input 0 f64 [2]");
    nm_tensor *none = NULL;
    expect(&f, nm_jvp(f.tape, &none, 1, &x, &x, 1, 0, &r), "nm_jvp: output 0 is NULL");
    expect(&f, nm_jvp(f.tape, &y, 1, &none, &x, 1, NM_KEEP_GRAPH, &r),
           "nm_jvp: nm_gradients: input 0 is NULL");
    nm_tensor_destroy(x);
    nm_tensor_destroy(v);
    end(&f);
}
END_TEST

/* ---- Memory that runs out ---- */

static nm_status product(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_register_ops(context);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = nm_tensor_create(context, NM_F64, NM_SHAPE(4)), *y, *r[2] = {NULL, NULL};
    nm_tensor_fill(x, 2);
    nm_tensor_set_requires_grad(x, true);
    y = nm_square(tape, x);
    nm_jvp(tape, &y, 1, &x, &x, 1, NM_KEEP_GRAPH, r);
    nm_hvp(tape, nm_sum(tape, y), &x, &x, 1, 0, r + 1);
    const nm_status status = nm_context_status(context);
    ck_assert(status != NM_OK || (nm_tensor_get(r[0], 0) == 8 && nm_tensor_get(r[1], 0) == 4));
    nm_tape_destroy(tape);
    nm_tensor_destroy(x);
    test_context_end(context, memory);
    return status;
}

START_TEST(each_allocation_may_fail)
{
    test_every_allocation(product);
}
END_TEST

TEST_MAIN("models/derivatives", a_perceptron_with_batch_norm_has_pytorchs_products,
          a_network_of_convolutions_has_pytorchs_products, a_product_is_by_the_rule_of_chains,
          a_linear_function_has_no_hessian, a_call_that_is_wrong_says_in_what,
          each_allocation_may_fail)
