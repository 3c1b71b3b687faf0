/* What the tests of models share: a model from a line of YAML, with what runs it. */
#ifndef NM_TESTS_MODELS_MODEL_TEST_H
#define NM_TESTS_MODELS_MODEL_TEST_H

#include <string.h>

#include "models/model.h"
#include "models/open.h"
#include "ops/ops.h"

#include "tests/test.h"

/* A full context on `memory` (may be NULL). */
static inline nm_context *open_context(test_memory *memory)
{
    nm_context_options options = {.threads = 2, .seed = 1};
    if (memory) {
        options.allocator = test_allocator(memory);
    }
    return nm_open(&options);
}

typedef struct fixture {
    nm_context *context;
    nm_document *document;
    nm_model *model; /* NULL: an error stands */
    nm_store *store;
    nm_tape *tape;
    nm_random random; /* of dropout */
} fixture;

/* `yaml` is the value of `model`; the file's name is "net.yaml". */
static inline fixture begin_with(const char *yaml, nm_shape sample, nm_model_options options)
{
    fixture f = {.context = open_context(NULL), .random = nm_random_create(3, 0)};
    f.tape = nm_tape_create(f.context);
    f.document = nm_document_parse(f.context, yaml, SIZE_MAX, "net.yaml");
    if (f.document) {
        f.model =
            nm_model_create(f.context, f.document, nm_document_root(f.document), &sample, &options);
        f.store = f.model ? nm_model_store(f.model) : NULL;
    }
    return f;
}

static inline fixture begin(const char *yaml, nm_shape sample)
{
    fixture f = begin_with(yaml, sample, (nm_model_options){NM_MODEL_DEFAULTS});
    assert_fine(f.context);
    return f;
}

/* The same, with parameters of f64. */
static inline fixture begin_f64(const char *yaml, nm_shape sample)
{
    fixture f = begin_with(yaml, sample, (nm_model_options){NM_MODEL_DEFAULTS, .dtype = NM_F64});
    assert_fine(f.context);
    return f;
}

static inline void end(fixture *f)
{
    nm_tape_destroy(f->tape);
    nm_model_destroy(f->model);
    nm_document_destroy(f->document);
    nm_close(f->context);
}

/* [count, ...sample] */
static inline nm_shape batch_of(int64_t count, nm_shape sample)
{
    nm_shape shape = {.rank = sample.rank + 1, .dim = {count}};
    memcpy(shape.dim + 1, sample.dim, (size_t)sample.rank * sizeof *sample.dim);
    return shape;
}

/* A tensor of the caller's own, normal, the same for the same seed and shape. */
static inline nm_tensor *normal(fixture *f, nm_dtype dtype, nm_shape shape, uint64_t seed)
{
    nm_tensor *x = nm_tensor_create(f->context, dtype, shape);
    nm_random random = nm_random_create(seed, 99);
    ck_assert_int_eq(nm_random_fill_normal(&random, x, 0, 1), NM_OK);
    return x;
}

static inline nm_tensor *train(fixture *f, nm_tensor *x)
{
    nm_pass pass = {.tape = f->tape, .random = &f->random, .training = true};
    return nm_model_forward(f->model, &pass, x);
}

static inline nm_tensor *evaluate(fixture *f, nm_tensor *x)
{
    return nm_model_predict(f->model, f->tape, x);
}

static inline nm_tensor *named(fixture *f, const char *name)
{
    const nm_entry *entry = nm_store_find(f->store, name);
    ck_assert_msg(entry != NULL, "there is no tensor \"%s\"", name);
    return entry->tensor;
}

static inline double value_of(fixture *f, const char *name, int64_t index)
{
    return nm_tensor_get(named(f, name), index);
}

/* Whether two tensors have the same type, shape and bits. */
static inline bool same_bits(nm_tensor *a, nm_tensor *b)
{
    return nm_tensor_dtype(a) == nm_tensor_dtype(b) &&
           nm_shape_equal(nm_tensor_shape(a), nm_tensor_shape(b)) &&
           memcmp(nm_tensor_data(a), nm_tensor_data(b), nm_tensor_bytes(a)) == 0;
}

/* Asserts that `yaml` makes no model, for exactly this reason. */
static inline void refused(const char *yaml, nm_shape sample, const char *message)
{
    fixture f = begin_with(yaml, sample, (nm_model_options){NM_MODEL_DEFAULTS});
    ck_assert_ptr_null(f.model);
    ck_assert_int_eq(nm_context_status(f.context), NM_ERROR_INPUT);
    ck_assert_str_eq(nm_context_error(f.context), message);
    end(&f);
}

#endif
