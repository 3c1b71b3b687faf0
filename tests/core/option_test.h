/* Specs of every type of option, and what reads them: for the tests of options. */
#ifndef NM_TESTS_CORE_OPTION_TEST_H
#define NM_TESTS_CORE_OPTION_TEST_H

/* Option specs: every type read, refused with place and remedy, checked from C, and told as text.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/op.h"
#include "core/option.h"
#include "tests/test.h"

/* ---- A spec of every type ---- */

typedef struct norm_options {
    bool on; /* no option: set by the defaults of its own */
    int64_t axis;
    double eps;
} norm_options;

static const nm_option norm_rows[] = {
    {NM_FIELD(norm_options, axis), NM_OPTION_INT, .doc = "the kept axis"},
    {NM_FIELD(norm_options, eps), NM_OPTION_FLOAT, .doc = "added to the norm", .min = 0, .max = 1,
     .flags = NM_MIN_OPEN},
};

static const norm_options norm_defaults = {true, -1, 1e-12};

static const nm_spec norm_spec = {"norm_options",
                                  sizeof(norm_options),
                                  &norm_defaults,
                                  norm_rows,
                                  NM_COUNT_OF(norm_rows),
                                  NULL,
                                  NULL};

typedef struct layer_options {
    size_t struct_size;
    int64_t units;
    double p;
    bool bias;
    const char *name;
    int padding;
    nm_ints stride;
    nm_floats betas;
    norm_options norm;
    nm_choice schedule;
    const nm_value *any;
    int64_t threads;
    nm_numbers weight;
    nm_choices several;
} layer_options;

static const char *const weight_words[] = {"balanced", "rare", NULL};

static const char *const paddings[] = {"valid", "same", NULL};

static const nm_option layer_rows[] = {
    {NM_FIELD(layer_options, units), NM_OPTION_INT, .doc = "outputs", .min = 1, .max = NM_NO_LIMIT,
     .flags = NM_REQUIRED},
    {NM_FIELD(layer_options, p), NM_OPTION_FLOAT, .doc = "share dropped", .min = 0, .max = 1,
     .flags = NM_MAX_OPEN},
    {NM_FIELD(layer_options, bias), NM_OPTION_BOOL, .doc = "whether to add a bias"},
    {NM_FIELD(layer_options, name), NM_OPTION_STRING, .doc = "for messages"},
    {NM_FIELD(layer_options, padding), NM_OPTION_ENUM, .doc = "at the border", .names = paddings},
    {NM_FIELD(layer_options, stride), NM_OPTION_INTS, .doc = "step", .min = 1, .max = 100},
    {NM_FIELD(layer_options, betas), NM_OPTION_FLOATS, .doc = "decays"},
    {NM_FIELD(layer_options, norm), NM_OPTION_STRUCT, .doc = "weight norm", .spec = &norm_spec},
    {NM_FIELD(layer_options, schedule), NM_OPTION_CHOICE, .doc = "of the learning rate",
     .kind = NM_KIND_SCHEDULE},
    {NM_FIELD(layer_options, any), NM_OPTION_VALUE, .doc = "read by the layer"},
    {NM_FIELD(layer_options, threads), NM_OPTION_INT, .doc = "-1: as many as there are", .min = 1,
     .max = 64},
    {NM_FIELD(layer_options, weight), NM_OPTION_NUMBERS, .doc = "of the classes",
     .names = weight_words, .min = 0, .max = NM_NO_LIMIT},
    {NM_FIELD(layer_options, several), NM_OPTION_CHOICES, .doc = "one after the other",
     .kind = NM_KIND_SCHEDULE},
};

static inline void check_layer(const void *options, const nm_value *at, nm_diagnostics *d)
{
    const layer_options *o = options;
    if (o->units == 13 && o->bias) {
        nm_diagnose(d, at, "layer: 13 units and a bias do not go together");
    }
}

static const layer_options layer_defaults = {.struct_size = sizeof(layer_options),
                                             .units = 0,
                                             .p = 0.5,
                                             .bias = true,
                                             .stride = NM_LIST_OF(2, 1, 1),
                                             .betas = NM_LIST_OF(2, 0.9, 0.999),
                                             .threads = -1};

static const nm_spec layer_spec = {"layer_options",
                                   sizeof(layer_options),
                                   &layer_defaults,
                                   layer_rows,
                                   NM_COUNT_OF(layer_rows),
                                   check_layer,
                                   NULL};

typedef struct cosine_options {
    double end;
    nm_choice then;
} cosine_options;

static const nm_option cosine_rows[] = {
    {NM_FIELD(cosine_options, end), NM_OPTION_FLOAT, .doc = "last rate", .min = 0, .max = 1,
     .flags = NM_REQUIRED},
    {NM_FIELD(cosine_options, then), NM_OPTION_CHOICE, .doc = "what follows",
     .kind = NM_KIND_SCHEDULE},
};

static const cosine_options cosine_defaults = {0};

static const nm_spec cosine_spec = {"cosine_options",
                                    sizeof(cosine_options),
                                    &cosine_defaults,
                                    cosine_rows,
                                    NM_COUNT_OF(cosine_rows),
                                    NULL,
                                    NULL};

static const nm_item cosine = NM_ITEM(nm_item, "cosine", "half a cosine", .spec = &cosine_spec);
static const nm_item constant = NM_ITEM(nm_item, "constant", "the same", .doc = "rate = rate_0");

/* More than a document holds at first, so that its memory is an allocation of its own. */
typedef struct large_options {
    char room[100000];
    bool flag;
} large_options;

static const nm_option large_rows[] = {{NM_FIELD(large_options, flag), NM_OPTION_BOOL, .doc = "-"}};
static const nm_spec large_spec = {
    "large_options", sizeof(large_options), NULL, large_rows, 1, NULL, NULL};
static const nm_item large = NM_ITEM(nm_item, "large", "large options", .spec = &large_spec);

typedef struct small_options {
    size_t struct_size;
    int64_t axis;
    double eps;
} small_options;

static const nm_option small_rows[] = {
    {NM_FIELD(small_options, axis), NM_OPTION_INT, .doc = "axis"},
    {NM_FIELD(small_options, eps), NM_OPTION_FLOAT, .doc = "eps", .min = 0, .max = NM_NO_LIMIT},
};

static const small_options small_defaults = {sizeof(small_options), -1, 1e-5};

static const nm_spec small_spec = {"small_options",
                                   sizeof(small_options),
                                   &small_defaults,
                                   small_rows,
                                   NM_COUNT_OF(small_rows),
                                   NULL,
                                   NULL};

/* A struct around one of every type, whose default would not pass a check of its own. */
typedef struct block_options {
    layer_options layer;
} block_options;

static const nm_option block_rows[] = {
    {NM_FIELD(block_options, layer), NM_OPTION_STRUCT, .doc = "a layer", .spec = &layer_spec},
};

static const nm_spec block_spec = {"block_options",
                                   sizeof(block_options),
                                   &layer_defaults,
                                   block_rows,
                                   NM_COUNT_OF(block_rows),
                                   NULL,
                                   NULL};

/* ---- Helpers ---- */

static nm_context *context;
static nm_document *document;
static layer_options layer;

static inline nm_context *context_with_schedules(test_memory *memory)
{
    nm_context *c = test_context(memory);
    if (c && (nm_register(c, NM_KIND_SCHEDULE, &cosine) != NM_OK ||
              nm_register(c, NM_KIND_SCHEDULE, &constant) != NM_OK)) {
        nm_context_destroy(c);
        return NULL;
    }
    return c;
}

static inline nm_status read(const char *text)
{
    nm_diagnostics d;
    context = context_with_schedules(NULL);
    document = nm_document_parse(context, text, SIZE_MAX, "net.yaml");
    assert_fine(context);
    nm_diagnostics_begin(&d, context);
    memset(&layer, 0xAA, sizeof layer);
    nm_spec_read(&layer_spec, nm_document_root(document), "layer", document, &d, &layer);
    return nm_diagnostics_end(&d);
}

static inline void done(void)
{
    nm_document_destroy(document);
    test_context_end(context, NULL);
}

static inline void accept(const char *text)
{
    nm_status status = read(text);
    assert_fine(context);
    ck_assert_int_eq(status, NM_OK);
}

/* The whole message. */
static inline void refuse(const char *text, const char *message)
{
    ck_assert_int_eq(read(text), NM_ERROR_INPUT);
    ck_assert_str_eq(nm_context_error(context), message);
    done();
}

#endif
