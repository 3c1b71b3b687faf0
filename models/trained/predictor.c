#include "models/predictor.h"

#include <math.h>
#include <string.h>

#include "core/guard.h"
#include "models/model_internal.h"
#include "ops/basic.h"
#include "ops/loss.h"
#include "optim/loss.h"

#define BATCH 128 /* samples that go through the network at a time */

struct nm_predictor {
    nm_context *context;
    nm_model *model, *own; /* `own`: the same, if it goes with the predictor */
    bool reads;            /* the model is another predictor's */
    nm_traced *traced;     /* the model's, or where it is another predictor's, one of its own */
    nm_tape *tape;
    bool is_classifier;
    nm_loss loss; /* which says what outputs predict; the options are the predictor's */
    double temperature;
};

/* ---- Opening ---- */

/* For what the loss makes of outputs, with a copy of its options, which may be gone before. */
static void take_loss(nm_predictor *p, const nm_loss_type *type, const void *options)
{
    const size_t size = type && type->predicted && type->item.spec ? type->item.spec->size : 0;
    void *own = size ? nm_alloc(p->context, size) : NULL;
    if (own) {
        memcpy(own, options, size);
    }
    p->loss = (nm_loss){.context = p->context, .type = type, .options = own, .prepared = own};
}

nm_predictor *nm_predictor_create(nm_model *model, const nm_choice *loss)
{
    nm_context *context = model ? model->context : NULL;
    nm_predictor *p = context ? nm_alloc_zero(context, 1, sizeof *p) : NULL;
    if (!p) {
        return NULL;
    }
    const nm_choice *told = loss && loss->item ? loss : &model->saved.loss;
    const nm_loss_type *type = (const nm_loss_type *)(const void *)told->item;
    *p = (nm_predictor){.context = context,
                        .model = model,
                        .traced = model->traced,
                        .temperature = model->saved.temperature};
    p->is_classifier = model->schema && model->schema->classes > 0 && (!type || type->wants_labels);
    nm_model_hold(model);
    take_loss(p, type, nm_choice_options(told));
    p->tape = nm_tape_create(context);
    if (!model->schema) {
        nm_fail(context, NM_ERROR_INPUT, "the network does not say what its samples are");
    }
    if (nm_context_status(context) != NM_OK || nm_model_fold(model) != NM_OK ||
        nm_model_expect_readers(model) != NM_OK) {
        nm_predictor_close(p);
        return NULL;
    }
    return p;
}

/* With a model that goes with it. */
static nm_predictor *create_with(nm_model *model)
{
    nm_predictor *p = nm_predictor_create(model, NULL);
    if (p) {
        p->own = model;
    } else {
        nm_model_destroy(model);
    }
    return p;
}

nm_predictor *nm_predictor_open(nm_context *context, const char *path)
{
    return create_with(nm_model_open_saved(context, path));
}

nm_predictor *nm_predictor_open_memory(nm_context *context, const void *data, size_t size,
                                       const char *name)
{
    return create_with(nm_model_open_memory(context, data, size, name));
}

nm_predictor *nm_predictor_share(nm_context *context, const nm_predictor *predictor)
{
    NM_REQUIRE(context, predictor, NULL);
    if (predictor->model->is_wrapped && !predictor->model->network.reentrant) {
        nm_fail(context, NM_ERROR_INPUT,
                "nm_predictor_share: the network is the program's own (nm_model_wrap), and only it "
                "knows whether threads may run it; say so by nm_network.reentrant, or make one for "
                "each thread");
        return NULL;
    }
    nm_predictor *p =
        nm_context_status(context) == NM_OK ? nm_alloc_zero(context, 1, sizeof *p) : NULL;
    if (!p) {
        return NULL;
    }
    *p = *predictor;
    p->context = context;
    p->own = NULL;
    p->reads = false;
    take_loss(p, predictor->loss.type, predictor->loss.options);
    p->tape = nm_tape_create(context);
    p->traced = p->tape && predictor->traced ? nm_traced_share(context, predictor->traced) : NULL;
    if (!p->tape || nm_context_status(context) != NM_OK) {
        nm_tape_destroy(p->tape);
        nm_loss_end(&p->loss);
        nm_free(context, p);
        return NULL;
    }
    p->reads = true;
    nm_store_lend(p->model->store, p->tape);
    nm_context_compute_alone(context);
    return p;
}

void nm_predictor_close(nm_predictor *p)
{
    if (!p) {
        return;
    }
    nm_store *read = p->reads ? p->model->store : NULL;
    if (read) {
        nm_traced_destroy(p->traced);
    }
    nm_tape_destroy(p->tape);
    nm_model_destroy(p->own);
    if (!read) {
        nm_model_release(p->model);
    }
    nm_loss_end(&p->loss);
    nm_free(p->context, p);
    if (read) {
        nm_store_take_back(read);
    }
}

const nm_schema *nm_predictor_schema(const nm_predictor *predictor)
{
    NM_GIVEN(predictor, NULL);
    return predictor->model->schema;
}

nm_model *nm_predictor_model(const nm_predictor *predictor)
{
    NM_GIVEN(predictor, NULL);
    if (predictor->reads) {
        nm_fail(predictor->context, NM_ERROR_INPUT,
                "nm_predictor_model: the model is of the predictor that this one was made from; "
                "ask that one");
        return NULL;
    }
    return predictor->model;
}

bool nm_predictor_is_classifier(const nm_predictor *predictor)
{
    NM_GIVEN(predictor, false);
    return predictor->is_classifier;
}

/* ---- Running ---- */

static nm_tensor *finish(const nm_predictor *p, nm_tensor *y)
{
    if (y && p->is_classifier) {
        bool plain = p->temperature == 0 || p->temperature == 1;
        y = plain ? y : nm_affine(p->tape, y, 1 / p->temperature, 0);
        y = nm_softmax(p->tape, y);
    }
    return y ? nm_loss_predicted(&p->loss, p->tape, y) : NULL;
}

/* Room for the outputs of `count` samples, as one batch's are. */
static nm_tensor *make_outputs(const nm_predictor *p, const nm_tensor *y, int64_t count)
{
    nm_shape shape = *nm_tensor_shape(y);
    shape.dim[0] = count;
    return nm_tensor_create(p->context, NM_F32, shape);
}

/* `row` of the batch x, whose output is `y`: the sample's fault, or that of what it met. */
static nm_status not_finite(const nm_predictor *p, const nm_tensor *x, int64_t row, int64_t first,
                            float y)
{
    const int64_t width = nm_tensor_count(x) / nm_tensor_shape(x)->dim[0];
    for (int64_t i = 0; i < width; i++) {
        const double element = nm_tensor_get(x, row * width + i);
        if (!isfinite(element)) {
            return nm_fail(p->context, NM_ERROR_INPUT,
                           "sample %lld has %s at element %lld; remove or replace it",
                           (long long)(first + row), isnan(element) ? "NaN" : "an infinity",
                           (long long)i);
        }
    }
    return nm_fail(p->context, NM_ERROR_NUMERIC,
                   "sample %lld: the network's output is %s; its parameters or the sample "
                   "are too large",
                   (long long)(first + row), isnan(y) ? "NaN" : "infinite");
}

static nm_status check_finite(const nm_predictor *p, const nm_tensor *x, nm_tensor *y,
                              int64_t first)
{
    const float *values = nm_tensor_f32(y);
    const int64_t count = nm_tensor_count(y), width = count / nm_tensor_shape(x)->dim[0];
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) {
            return not_finite(p, x, i / width, first, values[i]);
        }
    }
    return NM_OK;
}

/* Samples first..first+count-1, which are the rows of `x`. */
static nm_status run_batch(const nm_predictor *p, nm_tensor *x, int64_t first, int64_t total,
                           nm_tensor **outputs)
{
    int64_t count = x ? nm_tensor_shape(x)->dim[0] : 0;
    nm_tensor *y = finish(p, nm_model_predict_by(p->model, p->traced, p->tape, x));
    if (!y || (!*outputs && !(*outputs = make_outputs(p, y, total)))) {
        return nm_context_status(p->context);
    }
    const size_t bytes = nm_tensor_bytes(y);
    const float *values = nm_tensor_f32(y);
    if (!values) {
        return nm_context_status(p->context);
    }
    memcpy((char *)nm_tensor_data(*outputs) + bytes / (size_t)count * (size_t)first, values, bytes);
    return check_finite(p, x, y, first);
}

/* `data`: `count` rows of that shape and type, in order or by `rows`. */
typedef struct rows_view {
    nm_dtype dtype;
    nm_shape shape;
    int64_t count;
    const char *data;
    const int64_t *rows; /* NULL: 0, 1, 2, ... */
} rows_view;

static nm_tensor *gather(const nm_predictor *p, const rows_view *v, int64_t first, int64_t count)
{
    const size_t bytes = (size_t)nm_shape_count(&v->shape) * nm_dtype_size(v->dtype);
    nm_shape shape = {.rank = v->shape.rank + 1, .dim = {count}};
    memcpy(shape.dim + 1, v->shape.dim, (size_t)v->shape.rank * sizeof *shape.dim);
    nm_tensor *x = nm_tape_tensor(p->tape, v->dtype, shape);
    char *to = x ? nm_tensor_data(x) : NULL;
    for (int64_t i = 0; to && i < count; i++) {
        const int64_t row = v->rows ? v->rows[first + i] : first + i;
        memcpy(to + (size_t)i * bytes, v->data + (size_t)row * bytes, bytes);
    }
    return x;
}

static nm_tensor *run(const nm_predictor *p, const rows_view *v)
{
    nm_tensor *outputs = NULL;
    nm_status status = nm_context_status(p->context);
    bool recording = nm_tape_set_recording(p->tape, false);
    for (int64_t first = 0; status == NM_OK && first < v->count; first += BATCH) {
        const int64_t count = v->count - first < BATCH ? v->count - first : BATCH;
        nm_tape_reset(p->tape);
        status = run_batch(p, gather(p, v, first, count), first, v->count, &outputs);
    }
    nm_tape_set_recording(p->tape, recording);
    if (status != NM_OK) {
        nm_tensor_destroy(outputs);
        return NULL;
    }
    return outputs;
}

nm_tensor *nm_predictor_run_set(nm_predictor *p, const nm_dataset *set)
{
    NM_GIVEN(p, NULL);
    NM_REQUIRE(p->context, set, NULL);
    if (nm_context_status(p->context) != NM_OK) {
        return NULL;
    }
    const rows_view v = {set->dtype, set->shape, set->count, set->samples, set->rows};
    return run(p, &v);
}

nm_tensor *nm_predictor_run(nm_predictor *p, nm_tensor *x)
{
    if (!p || !x) {
        return NULL;
    }
    if (nm_tensor_context(x) != p->context) {
        nm_fail(p->context, NM_ERROR_INPUT,
                "nm_predictor_run: x belongs to another context than the predictor");
        return NULL;
    }
    if (nm_schema_check(p->model->schema, x) != NM_OK) {
        return NULL;
    }
    const nm_shape *shape = nm_tensor_shape(x);
    rows_view v = {.dtype = nm_tensor_dtype(x), .count = shape->dim[0], .data = nm_tensor_data(x)};
    v.shape.rank = shape->rank - 1;
    memcpy(v.shape.dim, shape->dim + 1, (size_t)v.shape.rank * sizeof *shape->dim);
    return run(p, &v);
}
