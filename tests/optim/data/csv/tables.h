/* Tables from text, for the tests of the CSV reader. */
#ifndef NM_TESTS_OPTIM_DATA_TABLES_H
#define NM_TESTS_OPTIM_DATA_TABLES_H

#include "core/op.h"
#include "tests/optim/data/data_sets.h"

/* What the reader said, a line each; empty after begin_telling(). */
static char told[8192];

static inline void keep_message(void *user, nm_log_level level, const char *message)
{
    (void)user;
    const size_t length = strlen(told);
    snprintf(told + length, sizeof told - length, "%s%s\n",
             level == NM_LOG_WARNING ? "warning: " : "", message);
}

static inline void begin_telling(void)
{
    told[0] = 0;
    context = nm_context_create(&(nm_context_options){.threads = 2, .log = keep_message});
    ck_assert_ptr_nonnull(context);
    nm_register_datasets(context);
}

#define assert_told(part)                                                                          \
    ck_assert_msg(strstr(told, part), "\"%s\" does not contain \"%s\"", told, part)

/* The document goes before the set is used. */
static inline nm_status open_reading(nm_dataset *set, const nm_reading *reading, const char *yaml)
{
    nm_choice choice = {0};
    nm_diagnostics d;
    nm_document *document = nm_document_parse(context, yaml, SIZE_MAX, "");
    *set = (nm_dataset){.context = context};
    nm_diagnostics_begin(&d, context);
    if (document) {
        nm_choice_read(NM_KIND_DATASET, nm_document_root(document), "train", document, &d, &choice);
    }
    nm_status status = document ? nm_diagnostics_end(&d) : nm_context_status(context);
    if (status == NM_OK) {
        status = nm_dataset_open(context, &choice, reading, set);
    }
    nm_document_destroy(document);
    return status;
}

/* Opens bytes as a file, with more options such as ", target: 0". */
static inline nm_status open_bytes(nm_dataset *set, const nm_reading *reading, const void *bytes,
                                   size_t size, const char *more)
{
    char yaml[2048];
    const nm_reading plain = {0};
    snprintf(yaml, sizeof yaml, "csv: {path: %s%s}", write_file("t.csv", bytes, size), more);
    return open_reading(set, reading ? reading : &plain, yaml);
}

static inline nm_status open_table(nm_dataset *set, const char *text, const char *more)
{
    return open_bytes(set, NULL, text, strlen(text), more);
}

/* For a loss that wants labels or values (nm_wanted). */
static inline nm_status open_wanted(nm_dataset *set, int wanted, const char *text, const char *more)
{
    return open_bytes(set, &(nm_reading){.wanted = wanted}, text, strlen(text), more);
}

/* For a network that was trained on another table. */
static inline nm_status open_like(nm_dataset *set, const nm_schema *schema, const char *text,
                                  const char *more)
{
    return open_bytes(set, &(nm_reading){.schema = schema}, text, strlen(text), more);
}

/* What a network trained on the table would keep; close with nm_schema_destroy(). */
static inline nm_schema *schema_of(int wanted, const char *text, const char *more)
{
    nm_dataset set;
    open_wanted(&set, wanted, text, more);
    assert_fine(context);
    nm_schema *schema = set.schema;
    set.schema = NULL;
    schema->shape = set.shape;
    schema->target_shape = set.target_shape;
    schema->classes = set.classes;
    nm_dataset_close(&set);
    return schema;
}

static inline double sample_at(const nm_dataset *set, int64_t i)
{
    return set->dtype == NM_F64 ? ((const double *)set->samples)[i]
                                : (double)((const float *)set->samples)[i];
}

/* Without a word about f32 or f64. */
static inline void expect_values(const nm_dataset *set, int64_t count, int64_t width,
                                 const double *values)
{
    assert_fine(context);
    ck_assert_int_eq(set->count, count);
    ck_assert_int_eq(nm_shape_count(&set->shape), width);
    for (int64_t i = 0; i < count * width; i++) {
        ck_assert_msg(sample_at(set, i) == values[i], "value %d is %.17g, not %.17g", (int)i,
                      sample_at(set, i), values[i]);
    }
}

static inline void expect_classes(const nm_dataset *set, const int32_t *labels)
{
    assert_fine(context);
    ck_assert_int_eq(set->target_dtype, NM_I32);
    ck_assert_mem_eq(set->targets, labels, (size_t)set->count * sizeof *labels);
}

static inline void expect_targets(const nm_dataset *set, int64_t width, const double *values)
{
    assert_fine(context);
    ck_assert_int_eq(set->target_dtype, NM_F64);
    ck_assert(nm_shape_equal(&set->target_shape, &NM_SHAPE(width)));
    ck_assert_mem_eq(set->targets, values, (size_t)(set->count * width) * sizeof *values);
}

/* The table is one of these samples, the last column the target. */
static inline void expect_table(const char *text, const char *more, int64_t count, int64_t width,
                                const double *values)
{
    nm_dataset set;
    open_table(&set, text, more);
    expect_values(&set, count, width, values);
    nm_dataset_close(&set);
}

/* `part` stands in the message, behind the file's name. */
static inline void expect_refused(const char *text, const char *more, const char *part)
{
    nm_dataset set;
    char message[1024];
    nm_status status = open_table(&set, text, more);
    snprintf(message, sizeof message, "%s%s", test_path("t.csv"), part);
    ck_assert_msg(status == NM_ERROR_FORMAT || status == NM_ERROR_INPUT, "%s: status %d",
                  nm_context_error(context), (int)status);
    assert_error(context, status, message);
}

/* `rows` lines of "%d" replaced by their number from `first`, below a header. */
static inline const char *lines_of(const char *header, const char *format, int rows, int first)
{
    static char text[65536];
    size_t length = (size_t)snprintf(text, sizeof text, "%s", header);
    for (int i = 0; i < rows; i++) {
        for (const char *at = format; *at; at++) {
            if (*at == '%') {
                length += (size_t)snprintf(text + length, sizeof text - length, "%d", first + i);
            } else {
                text[length++] = *at;
            }
        }
        text[length++] = '\n';
    }
    text[length] = 0;
    return text;
}

#endif
