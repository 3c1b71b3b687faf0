/* SGD against PyTorch's, on stored values. tests/golden/sgd.py describes the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "ops/ops.h"
#include "optim/optimizers.h"
#include "tests/test.h"

#define TOLERANCE 1e-6
#define COUNT 6 /* elements of the parameter */

typedef struct golden {
    nm_context *context;
    nm_tensor_file *file;
    nm_store *store;
    nm_tensor *parameter;
    nm_optimizer *optimizer;
    int64_t compared;
} golden;

static nm_tensor *required(const golden *g, const char *name)
{
    nm_tensor *tensor = nm_tensor_file_find(g->file, name);
    ck_assert_msg(tensor != NULL, "the file has no %s", name);
    return tensor;
}

/* The variant's numbers, with a rate of 1, which the factor of a step then scales. */
static void make_optimizer(golden *g, const char *variant)
{
    char text[160];
    nm_sgd_options options;
    const char *given = nm_tensor_file_metadata(g->file, variant);
    ck_assert_msg(given != NULL, "the file has no options of %s", variant);
    snprintf(text, sizeof text, "{rate: 1%s%s", strcmp(given, "{}") ? ", " : "", given + 1);
    nm_spec_read_text(g->context, nm_optimizer_sgd.item.spec, text, "sgd", &options);
    const nm_choice choice = {.item = &nm_optimizer_sgd.item, .options = &options};
    g->optimizer = nm_optimizer_create(g->store, &choice, NULL, 0);
    assert_fine(g->context);
}

/* Row `step` of gradients becomes the gradient: of sum(parameter * row). */
static void set_gradient(golden *g, int step)
{
    nm_tape *tape = nm_tape_create(g->context);
    nm_tensor *row = nm_tensor_create(g->context, NM_F32, NM_SHAPE(2, 3));
    for (int i = 0; i < COUNT; i++) {
        nm_tensor_set(row, i, nm_tensor_get(required(g, "gradients"), step * COUNT + i));
    }
    nm_backward(tape, nm_sum(tape, nm_mul(tape, g->parameter, row)), 0);
    assert_fine(g->context);
    nm_tensor_destroy(row);
    nm_tape_destroy(tape);
}

static void compare(golden *g, const char *variant, const char *kind, int step, nm_tensor *result)
{
    char name[96];
    snprintf(name, sizeof name, "%s/%s", variant, kind);
    nm_tensor *wanted = required(g, name);
    for (int i = 0; i < COUNT; i++) {
        double a = nm_tensor_get(result, i), b = nm_tensor_get(wanted, step * COUNT + i);
        ck_assert_msg(near_to(a, b, TOLERANCE, TOLERANCE),
                      "%s, step %d, element %d: %.9g, PyTorch's %.9g", name, step, i, a, b);
        g->compared++;
    }
}

static void check_variant(golden *g, const char *variant)
{
    nm_tensor_assign(g->parameter, required(g, "parameter"));
    make_optimizer(g, variant);
    const nm_entry *velocity = nm_store_find(nm_optimizer_state(g->optimizer), "momentum.w");
    nm_tensor *rates = required(g, "rates");
    for (int step = 0; step < nm_tensor_count(rates); step++) {
        set_gradient(g, step);
        nm_optimizer_step(g->optimizer, step, nm_tensor_get(rates, step), 1);
        nm_store_clear_grads(g->store);
        compare(g, variant, "parameters", step, g->parameter);
        if (velocity) {
            compare(g, variant, "velocity", step, velocity->tensor);
        }
    }
    nm_optimizer_destroy(g->optimizer);
}

START_TEST(sgd_is_pytorchs)
{
    char path[512];
    const char *source = getenv("NORMA_SOURCE");
    snprintf(path, sizeof path, "%s/tests/golden/sgd.safetensors", source ? source : ".");
    golden g = {.context = test_context(NULL)};
    nm_register_ops(g.context);
    g.file = nm_tensor_file_read(g.context, path);
    g.store = nm_store_create(g.context);
    g.parameter = nm_store_add(g.store, "w", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(2, 3));
    assert_fine(g.context);
    int64_t wanted = 0;
    for (int i = 0; i < nm_tensor_file_count(g.file); i++) {
        char variant[64];
        const char *name = nm_tensor_file_name(g.file, i), *slash = strchr(name, '/');
        wanted += slash ? nm_tensor_count(nm_tensor_file_at(g.file, i)) : 0;
        if (slash && strcmp(slash, "/parameters") == 0) {
            snprintf(variant, sizeof variant, "%.*s", (int)(slash - name), name);
            check_variant(&g, variant);
        }
    }
    ck_assert_int_gt(wanted, 0);
    ck_assert_int_eq(g.compared, wanted); /* nothing in the file was left out */
    nm_store_destroy(g.store);
    nm_tensor_file_destroy(g.file);
    nm_context_destroy(g.context);
}
END_TEST

TEST_MAIN("optim/golden_sgd", sgd_is_pytorchs)
