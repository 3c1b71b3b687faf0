/* Compares the ops with PyTorch on stored values. The files and their format are described in
 * tests/golden/common.py; a file there is a test here. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/op.h"
#include "ops/ops.h"
#include "tests/test.h"

/* The largest differences: of the reference, and of the tensor's largest element. */
#define RELATIVE(dtype) ((dtype) == NM_F64 ? 1e-12 : 1e-5)
#define OF_LARGEST(dtype) ((dtype) == NM_F64 ? 1e-12 : 1e-6)
#define MAX_SECOND (NM_MAX_INPUTS + NM_MAX_OUTPUTS)

typedef struct golden_case {
    nm_context *context;
    nm_tape *tape;
    const nm_tensor_file *file;
    nm_dtype dtype; /* in which it runs */
    char name[128]; /* "sigmoid/plain" */
    nm_tensor *in[NM_MAX_INPUTS];
    nm_tensor *out[NM_MAX_OUTPUTS];
    int inputs;
    int compared; /* tensors so far */
} golden_case;

/* A list of tensors that are present, with their numbers. */
typedef struct numbered {
    int count;
    nm_tensor *at[MAX_SECOND];
    int number[MAX_SECOND];
} numbered;

/* The file's tensor "<case>/<kind><number>", or NULL. */
static nm_tensor *find(const golden_case *c, const char *kind, int number)
{
    char name[192];
    snprintf(name, sizeof name, "%s/%s%d", c->name, kind, number);
    return nm_tensor_file_find(c->file, name);
}

/* The same in the type of the run: a copy where the file has another. */
static nm_tensor *take(const golden_case *c, const char *kind, int number)
{
    nm_tensor *wide = find(c, kind, number);
    if (!wide || nm_tensor_dtype(wide) == c->dtype || !nm_dtype_is_float(nm_tensor_dtype(wide))) {
        return wide;
    }
    nm_tensor *x = nm_tape_tensor(c->tape, c->dtype, *nm_tensor_shape(wide));
    for (int64_t i = 0; i < nm_tensor_count(wide); i++) {
        nm_tensor_set(x, i, nm_tensor_get(wide, i));
    }
    return x;
}

static void append(numbered *list, nm_tensor *tensor, int number)
{
    list->at[list->count] = tensor;
    list->number[list->count++] = number;
}

static void compare(golden_case *c, const char *kind, int number, nm_tensor *result)
{
    nm_tensor *wanted = find(c, kind, number);
    ck_assert_msg(wanted != NULL, "%s: the file has no %s%d", c->name, kind, number);
    assert_fine(c->context);
    ck_assert_msg(nm_shape_equal(nm_tensor_shape(result), nm_tensor_shape(wanted)),
                  "%s: %s%d has another shape", c->name, kind, number);
    double largest = 0;
    for (int64_t i = 0; i < nm_tensor_count(wanted); i++) {
        const double size = fabs(nm_tensor_get(wanted, i));
        largest = size < INFINITY ? fmax(largest, size) : largest;
    }
    for (int64_t i = 0; i < nm_tensor_count(wanted); i++) {
        double a = nm_tensor_get(result, i), b = nm_tensor_get(wanted, i);
        const bool same = a == b || (isnan(a) && isnan(b));
        ck_assert_msg(same || near_to(a, b, RELATIVE(c->dtype), OF_LARGEST(c->dtype) * largest),
                      "%s: %s%d[%lld] is %.9g, PyTorch's %.9g", c->name, kind, number, (long long)i,
                      a, b);
    }
    c->compared++;
}

static void compare_all(golden_case *c, const char *kind, const numbered *where, int begin, int end,
                        nm_tensor *const *results)
{
    for (int i = begin; i < end; i++) {
        compare(c, kind, where->number[i], results[i]);
    }
}

/* The inputs; those that have a gradient in the file require one. */
static void take_inputs(golden_case *c, numbered *smooth)
{
    for (int i = 0; i < NM_MAX_INPUTS; i++) {
        c->in[i] = take(c, "in", i);
        c->inputs = c->in[i] ? i + 1 : c->inputs;
        bool wanted = c->in[i] && find(c, "gin", i);
        if (c->in[i]) {
            nm_tensor_set_requires_grad(c->in[i], wanted);
        }
        if (wanted) {
            append(smooth, c->in[i], i);
        }
    }
}

static void run_op(golden_case *c)
{
    char op[128], options[192];
    snprintf(op, sizeof op, "%.*s", (int)strcspn(c->name, "/"), c->name);
    snprintf(options, sizeof options, "%s/options", c->name);
    const nm_op *known = nm_find_op(c->context, op);
    ck_assert_msg(known != NULL, "%s: there is no such op", c->name);
    nm_call(c->tape, op, c->in, c->inputs, nm_tensor_file_metadata(c->file, options), c->out,
            known->output_count);
    assert_fine(c->context);
    for (int i = 0; i < known->output_count; i++) {
        if (find(c, "out", i)) {
            compare(c, "out", i, c->out[i]);
        }
    }
}

static void check_second_order(golden_case *c, const numbered *smooth, nm_tensor *const *first,
                               const numbered *weights)
{
    nm_tensor *again[NM_MAX_INPUTS], *second[MAX_SECOND];
    numbered variables = *smooth;
    for (int i = 0; i < weights->count; i++) {
        append(&variables, weights->at[i], weights->number[i]);
    }
    for (int i = 0; i < smooth->count; i++) {
        again[i] = take(c, "v", smooth->number[i]);
    }
    nm_gradients(c->tape, first, again, smooth->count, variables.at, variables.count, 0, second);
    assert_fine(c->context);
    compare_all(c, "second_in", &variables, 0, smooth->count, second);
    compare_all(c, "second_gout", &variables, smooth->count, variables.count, second);
}

static void check_gradients(golden_case *c, const numbered *smooth)
{
    nm_tensor *out[NM_MAX_OUTPUTS], *first[NM_MAX_INPUTS];
    numbered weights = {0};
    bool second = find(c, "v", smooth->number[0]) != NULL;
    for (int i = 0; i < NM_MAX_OUTPUTS; i++) {
        nm_tensor *weight = take(c, "gout", i);
        if (weight) {
            nm_tensor_set_requires_grad(weight, second);
            out[weights.count] = c->out[i];
            append(&weights, weight, i);
        }
    }
    nm_gradients(c->tape, out, weights.at, weights.count, smooth->at, smooth->count,
                 second ? NM_CREATE_GRAPH : 0, first);
    assert_fine(c->context);
    compare_all(c, "gin", smooth, 0, smooth->count, first);
    if (second) {
        check_second_order(c, smooth, first, &weights);
    }
}

static void check_case(golden_case *c)
{
    numbered smooth = {0};
    take_inputs(c, &smooth);
    run_op(c);
    if (smooth.count) {
        check_gradients(c, &smooth);
    }
    nm_tape_reset(c->tape);
}

/* Whether a tensor's name is "<case>/out<first number>": a case is visited at its first output. */
static bool begins_case(golden_case *c, const char *name)
{
    const char *end = strrchr(name, '/');
    ck_assert_msg(end != NULL && end - name < (long)sizeof c->name, "%s: not a case", name);
    memcpy(c->name, name, (size_t)(end - name));
    c->name[end - name] = '\0';
    return strcmp(end, "/out0") == 0;
}

static void check_file_in(nm_dtype dtype, const char *name, bool onednn)
{
    const char *source = getenv("NORMA_SOURCE");
    char path[512];
    snprintf(path, sizeof path, "%s/tests/golden/%s.safetensors", source ? source : ".", name);
    nm_context *context = test_context(NULL);
    nm_register_ops(context);
    nm_context_set_onednn(context, onednn);
    nm_tensor_file *file = nm_tensor_file_read(context, path);
    assert_fine(context);
    golden_case c = {
        .context = context, .tape = nm_tape_create(context), .file = file, .dtype = dtype};
    for (int i = 0; i < nm_tensor_file_count(file); i++) {
        if (begins_case(&c, nm_tensor_file_name(file, i))) {
            c.inputs = 0;
            check_case(&c);
        }
    }
    /* Everything but inputs, weights (gout) and directions (v) was compared. */
    int given = 0;
    for (int i = 0; i < nm_tensor_file_count(file); i++) {
        const char *kind = strrchr(nm_tensor_file_name(file, i), '/') + 1;
        given += kind[0] == 'v' || strncmp(kind, "in", 2) == 0 || strncmp(kind, "gout", 4) == 0;
    }
    ck_assert_int_gt(c.compared, 0);
    ck_assert_int_eq(c.compared + given, nm_tensor_file_count(file));
    nm_tape_destroy(c.tape);
    nm_tensor_file_destroy(file);
    nm_context_destroy(context);
}

static void check_file(const char *name, bool onednn)
{
    check_file_in(NM_F32, name, onednn);
}

/* Of a file in f64. */
static void check_wide_file(const char *name)
{
    check_file_in(NM_F64, name, true);
    check_file_in(NM_F32, name, true);
}

START_TEST(elementwise_ops_are_pytorchs_in_both_types)
{
    check_wide_file("elementwise");
}
END_TEST

START_TEST(reductions_are_pytorchs_in_both_types)
{
    check_wide_file("reduce");
}
END_TEST

START_TEST(ops_that_move_elements_are_pytorchs_in_both_types)
{
    check_wide_file("shape");
}
END_TEST

START_TEST(windows_of_all_kinds_are_pytorchs_in_both_types)
{
    check_wide_file("windows");
    check_file_in(NM_F32, "windows", false);
}
END_TEST

START_TEST(transposed_convolutions_and_those_of_volumes_are_pytorchs_in_both_types)
{
    check_wide_file("convolutions");
    check_file_in(NM_F32, "convolutions", false);
}
END_TEST

START_TEST(ops_of_sequences_and_vectors_are_pytorchs_in_both_types)
{
    check_wide_file("sequence");
    check_file_in(NM_F32, "sequence", false);
}
END_TEST

START_TEST(what_the_catalogue_has_beside_is_pytorchs_in_both_types)
{
    check_wide_file("catalogue");
}
END_TEST

START_TEST(ctc_is_pytorchs_in_both_types)
{
    check_wide_file("ctc");
}
END_TEST

START_TEST(the_basic_ops_are_pytorchs)
{
    check_file("basic", true);
}
END_TEST

START_TEST(losses_made_of_ops_are_pytorchs_in_both_types)
{
    check_wide_file("losses");
}
END_TEST

START_TEST(normalization_and_losses_are_pytorchs)
{
    check_file("norm", true);
}
END_TEST

START_TEST(the_family_of_normalizations_is_pytorchs)
{
    check_file("family", true);
}
END_TEST

START_TEST(the_family_of_normalizations_is_pytorchs_in_f64)
{
    check_file_in(NM_F64, "family_f64", true);
}
END_TEST

START_TEST(products_convolutions_and_pooling_are_pytorchs_by_onednn)
{
    check_file("linear", true);
}
END_TEST

START_TEST(products_convolutions_and_pooling_are_pytorchs_by_our_own_kernels)
{
    check_file("linear", false);
}
END_TEST

TEST_MAIN("ops/golden", ctc_is_pytorchs_in_both_types,
          what_the_catalogue_has_beside_is_pytorchs_in_both_types,
          ops_of_sequences_and_vectors_are_pytorchs_in_both_types,
          transposed_convolutions_and_those_of_volumes_are_pytorchs_in_both_types,
          windows_of_all_kinds_are_pytorchs_in_both_types,
          elementwise_ops_are_pytorchs_in_both_types, reductions_are_pytorchs_in_both_types,
          ops_that_move_elements_are_pytorchs_in_both_types, the_basic_ops_are_pytorchs,
          normalization_and_losses_are_pytorchs, losses_made_of_ops_are_pytorchs_in_both_types,
          the_family_of_normalizations_is_pytorchs, the_family_of_normalizations_is_pytorchs_in_f64,
          products_convolutions_and_pooling_are_pytorchs_by_onednn,
          products_convolutions_and_pooling_are_pytorchs_by_our_own_kernels)
