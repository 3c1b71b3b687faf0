/* A network that gives what it gets, and samples whose results are known: those of scikit-learn,
 * SciPy and PyTorch on the same scores stand in the tests. */
#ifndef NM_TESTS_MODELS_IDENTITY_H
#define NM_TESTS_MODELS_IDENTITY_H

#include "tests/models/command_helpers.h"

#define SAMPLES 120
#define CLASSES 4

/* Saves a dense layer of that width whose weights are the identity, for the columns c0, c1, ... of
 * a table, with the rest of its description. */
static inline void save_identity(const char *name, int width, const char *rest)
{
    static char text[8192];
    nm_context *context = nm_open(NULL);
    nm_tensor *weight = nm_tensor_create(context, NM_F32, NM_SHAPE(width, width));
    nm_tensor *bias = nm_tensor_create(context, NM_F32, NM_SHAPE(width));
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    for (int i = 0; i < width * width; i++) {
        nm_tensor_set(weight, i, i % (width + 1) == 0);
        nm_tensor_set(bias, i / width, 0);
    }
    int length =
        snprintf(text, sizeof text, "model: [dense: {units: %d}]\nsample: {shape: [%d], columns: [",
                 width, width);
    for (int i = 0; i < width; i++) {
        length += snprintf(text + length, sizeof text - (size_t)length,
                           "%s{name: c%d, place: %d, kind: number}", i ? ", " : "", i, i);
    }
    snprintf(text + length, sizeof text - (size_t)length, "]}\n%s", rest);
    nm_tensor_writer_set_metadata(writer, "format", "norma network");
    nm_tensor_writer_set_metadata(writer, "version", "2");
    nm_tensor_writer_set_metadata(writer, "network", text);
    nm_tensor_writer_add(writer, "dense1.weight", weight);
    nm_tensor_writer_add(writer, "dense1.bias", bias);
    nm_tensor_writer_write(writer, test_path(name));
    nm_tensor_writer_destroy(writer);
    nm_tensor_destroy(weight);
    nm_tensor_destroy(bias);
    assert_fine(context);
    nm_close(context);
}

/* d.csv: a row of scores and a label, by its name if there are names. */
static inline void write_rows(int samples, int width, const double *scores, const int *labels,
                              const char *const *names)
{
    FILE *file = fopen(test_path("d.csv"), "w");
    ck_assert_ptr_nonnull(file);
    for (int k = 0; k < width; k++) {
        fprintf(file, "c%d,", k);
    }
    fputs("kind\n", file);
    for (int i = 0; i < samples; i++) {
        for (int k = 0; k < width; k++) {
            fprintf(file, "%g,", scores[i * width + k]);
        }
        if (names) {
            fprintf(file, "\"%s\"\n", names[labels[i]]);
        } else {
            fprintf(file, "%d\n", labels[i]);
        }
    }
    ck_assert_int_eq(fclose(file), 0);
}

/* Of four classes, the last of which no sample is of. */
static inline void write_scores(void)
{
    static const char *const names[] = {"ash", "oak", "elm, the tall"};
    double scores[SAMPLES * CLASSES];
    int labels[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        labels[i] = (i * i + i / 3) % 3;
        for (int k = 0; k < CLASSES; k++) {
            const int raw = (37 * i + 11 * k * k + 5 * i * k) % 23;
            scores[i * CLASSES + k] = raw / 4.0 + (k == labels[i] ? 2.5 : 0) - (k == 3 ? 1.5 : 0);
        }
    }
    write_rows(SAMPLES, CLASSES, scores, labels, names);
}

static const char kinds[] =
    "target: {classes: 4, names: [ash, oak, \"elm, the tall\", yew], columns: [{name: kind}]}\n"
    "loss: cross_entropy\n";

#endif
