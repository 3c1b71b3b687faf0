/* Metrics against scikit-learn's, on stored values. tests/golden/metrics.py describes the file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "optim/metric.h"
#include "optim/optim.h"
#include "tests/test.h"

#define TOLERANCE 2e-6 /* stored as f32, from targets of f32 */

typedef struct golden {
    nm_context *context;
    nm_tensor_file *file;
} golden;

static nm_tensor *find(const golden *g, const char *of, const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "%s/%s", of, name);
    return nm_tensor_file_find(g->file, full);
}

/* Samples from begin to end - 1, as a batch of the file's targets. */
static void add(const golden *g, const char *of, nm_metric *metric, int64_t begin, int64_t end)
{
    nm_tensor *outputs = find(g, of, "outputs"), *labels = find(g, of, "labels");
    int64_t width = nm_tensor_shape(outputs)->dim[1];
    nm_shape shape = NM_SHAPE(end - begin, width);
    nm_tensor *part = nm_tensor_copy_of(g->context, NM_F32, shape,
                                        (const float *)nm_tensor_data(outputs) + begin * width);
    nm_batch batch = {.count = end - begin, .target_shape = shape, .target_dtype = NM_F32};
    if (labels) {
        batch.target_shape.rank = 1;
        batch.target_dtype = NM_I32;
        batch.targets = (int32_t *)nm_tensor_data(labels) + begin;
    } else {
        batch.targets = (float *)nm_tensor_data(find(g, of, "values")) + begin * width;
    }
    nm_metric_add(metric, part, &batch);
    assert_fine(g->context);
    nm_tensor_destroy(part);
}

/* The metric called "f1" or "top_3_accuracy"; its options go to *k. */
static const nm_metric_type *type_of(const golden *g, const char *name, nm_top_k_options *k)
{
    long long number;
    bool top = sscanf(name, "top_%lld_accuracy", &number) == 1;
    k->k = top ? number : 0;
    return (const nm_metric_type *)nm_require(g->context, NM_KIND_METRIC,
                                              top ? "top_k_accuracy" : name);
}

static void compare(const char *of, const char *name, double value, double wanted)
{
    ck_assert_msg(isnan(wanted) ? isnan(value) : near_to(value, wanted, TOLERANCE, TOLERANCE),
                  "%s/%s: %.9g, scikit-learn's %.9g", of, name, value, wanted);
}

/* Compares the number, or the parts, with what is in `wanted`. */
static void check(const golden *g, const char *of, const char *name, nm_tensor *wanted)
{
    nm_metric metric;
    nm_top_k_options k;
    const char *slash = strchr(name, '/');
    char plain[64];
    snprintf(plain, sizeof plain, "%.*s", (int)strcspn(name, "/"), name);
    const nm_metric_type *type = type_of(g, plain, &k);
    assert_fine(g->context);
    nm_metric_begin(&metric, g->context, type, k.k ? &k : NULL);
    int64_t samples = nm_tensor_shape(find(g, of, "outputs"))->dim[0];
    add(g, of, &metric, 0, 1); /* batches of any size give the same */
    add(g, of, &metric, 1, samples);
    if (!slash) {
        compare(of, name, nm_metric_value(&metric), nm_tensor_item(wanted));
    }
    for (int64_t i = 0; slash && i < nm_tensor_count(wanted); i++) {
        compare(of, name, nm_metric_part(&metric, i), nm_tensor_get(wanted, i));
    }
    nm_metric_end(&metric);
}

START_TEST(metrics_are_scikit_learns)
{
    char path[512];
    const char *source = getenv("NORMA_SOURCE");
    snprintf(path, sizeof path, "%s/tests/golden/metrics.safetensors", source ? source : ".");
    golden g = {.context = test_context(NULL)};
    nm_register_metrics(g.context);
    g.file = nm_tensor_file_read(g.context, path);
    assert_fine(g.context);
    int compared = 0;
    for (int i = 0; i < nm_tensor_file_count(g.file); i++) {
        char of[64];
        const char *full = nm_tensor_file_name(g.file, i), *name = strchr(full, '/') + 1;
        snprintf(of, sizeof of, "%.*s", (int)(name - full - 1), full);
        bool given = !strcmp(name, "outputs") || !strcmp(name, "labels") || !strcmp(name, "values");
        if (!given) {
            check(&g, of, name, nm_tensor_file_at(g.file, i));
            compared++;
        }
    }
    ck_assert_int_gt(compared, 60);
    nm_tensor_file_destroy(g.file);
    nm_context_destroy(g.context);
}
END_TEST

TEST_MAIN("optim/golden_metrics", metrics_are_scikit_learns)
