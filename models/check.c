/* For the number s(p) = <u, f(p)> with random u, and a random direction v of length 1 in one tensor
 * p:
 *
 *     <ds/dp, v> = (8 (s(p + h v) - s(p - h v)) - (s(p + 2 h v) - s(p - 2 h v))) / 12 h + O(h^4)
 *
 * One tensor at a time, so that a wrong gradient of few numbers does not drown in those of many.
 * Where that does not hold, shorter steps are tried: a kink that lay within the first is then
 * outside. At a kink itself the derivatives from the two sides differ, and the gradient lies
 * between them. */
#include "models/check.h"

#include <math.h>
#include <string.h>

#include "core/guard.h"

#define PROJECTIONS 3
#define STEP 1e-4
#define SHORTEST 1e-7
#define TOLERANCE 1e-6
#define NOISE 1e-14 /* of s, relative to the sum of its terms' sizes */

typedef struct checker {
    nm_model *model;
    nm_context *context;
    nm_store *store;
    nm_tape *tape;
    nm_tensor *x;
    nm_tensor *u;         /* of the outputs' shape; NULL before the first pass */
    nm_tensor **variable; /* parameters, then x */
    nm_tensor **gradient; /* copies */
    const char **name;
    int count;
    nm_tensor **before; /* copies of the buffers, by index in the store; NULLs elsewhere */
    nm_random random;   /* of weights and directions */
    double size;        /* the sum of |u_i y_i| */
} checker;

/* ---- s and its gradient ---- */

static nm_status restore_buffers(const checker *c)
{
    nm_status status = NM_OK;
    for (int i = 0; i < nm_store_count(c->store) && status == NM_OK; i++) {
        if (c->before[i]) {
            status = nm_tensor_assign(nm_store_at(c->store, i)->tensor, c->before[i]);
        }
    }
    return status;
}

/* The outputs of a pass like any other; NULL on failure. */
static nm_tensor *run(checker *c, bool recording)
{
    nm_random dropout = nm_random_create(1, 0);
    const nm_pass pass = {.tape = c->tape, .random = &dropout, .training = true};
    nm_tape_reset(c->tape);
    if (restore_buffers(c) != NM_OK) {
        return NULL;
    }
    nm_tape_set_recording(c->tape, recording);
    nm_tensor *y = nm_model_forward(c->model, &pass, c->x);
    nm_tape_set_recording(c->tape, true);
    return y;
}

/* `size` (NULL: not wanted) is the sum of its terms' sizes. */
static double weigh(const checker *c, nm_tensor *y, double *size)
{
    double sum = 0, all = 0;
    for (int64_t i = 0; y && i < nm_tensor_count(y); i++) {
        const double term = nm_tensor_get(c->u, i) * nm_tensor_get(y, i);
        sum += term;
        all += fabs(term);
    }
    if (size) {
        *size = all;
    }
    return sum;
}

static nm_status make_weights(checker *c, const nm_tensor *y)
{
    c->u = nm_tensor_create(c->context, NM_F64, *nm_tensor_shape(y));
    return c->u ? nm_random_fill_normal(&c->random, c->u, 0, 1) : NM_ERROR_MEMORY;
}

static nm_status find_gradients(checker *c)
{
    nm_tensor *y = run(c, true);
    if (!y || make_weights(c, y) != NM_OK) {
        return nm_context_status(c->context);
    }
    weigh(c, y, &c->size);
    nm_tensor **grads = nm_alloc_zero(c->context, (size_t)c->count, sizeof *grads);
    nm_status status = grads ? nm_gradients(c->tape, &y, &c->u, 1, c->variable, c->count, 0, grads)
                             : NM_ERROR_MEMORY;
    for (int i = 0; i < c->count && status == NM_OK; i++) {
        c->gradient[i] = nm_tensor_copy_of(c->context, NM_F64, *nm_tensor_shape(grads[i]),
                                           nm_tensor_data(grads[i]));
        status = c->gradient[i] ? NM_OK : NM_ERROR_MEMORY;
    }
    nm_free(c->context, grads);
    return status;
}

/* ---- Along a direction ---- */

typedef struct line {
    checker *c;
    nm_tensor *p, *start, *v; /* copies of p's values, and the direction */
    double slope;             /* by the gradient */
    double usual;             /* what a gradient of that length makes along a direction */
} line;

static double s_at(const line *l, double distance)
{
    for (int64_t i = 0; i < nm_tensor_count(l->p); i++) {
        nm_tensor_set(l->p, i, nm_tensor_get(l->start, i) + distance * nm_tensor_get(l->v, i));
    }
    return weigh(l->c, run(l->c, false), NULL);
}

static double difference(const line *l, double step)
{
    const double near = s_at(l, step) - s_at(l, -step);
    const double far = s_at(l, 2 * step) - s_at(l, -2 * step);
    return (8 * near - far) / (12 * step);
}

/* How far the numbers may be apart. */
static double allowed(const line *l, double step)
{
    return TOLERANCE * fmax(fabs(l->slope), l->usual) + NOISE * l->c->size / step;
}

/* Whether p is at a kink: the derivatives from its two sides differ, and the gradient is none that
 * lies outside of them. */
static bool is_at_kink(const line *l)
{
    const double here = s_at(l, 0), step = SHORTEST;
    const double right = (s_at(l, step) - here) / step, left = (here - s_at(l, -step)) / step;
    const double room = 10 * allowed(l, step);
    return fabs(right - left) > 4 * room && l->slope >= fmin(left, right) - room &&
           l->slope <= fmax(left, right) + room;
}

static nm_status compare(const line *l, nm_model_check *check)
{
    double step = STEP, found = difference(l, step);
    while (fabs(found - l->slope) > allowed(l, step) && step > SHORTEST) {
        step /= 10;
        found = difference(l, step);
    }
    if (nm_context_status(l->c->context) != NM_OK) {
        return nm_context_status(l->c->context);
    }
    if (fabs(found - l->slope) <= allowed(l, step)) {
        const double scale = allowed(l, step) / TOLERANCE;
        check->projections++;
        check->kinks += step < STEP;
        check->error = fmax(check->error, scale > 0 ? fabs(found - l->slope) / scale : 0);
        return NM_OK;
    }
    if (is_at_kink(l)) {
        check->left_out++;
        return NM_OK;
    }
    return nm_fail(l->c->context, NM_ERROR_NUMERIC,
                   "%s: along a random direction the gradient is %.12g, differences say %.12g",
                   check->name, l->slope, found);
}

static double dot(nm_tensor *a, nm_tensor *b)
{
    double sum = 0;
    for (int64_t i = 0; i < nm_tensor_count(a); i++) {
        sum += nm_tensor_get(a, i) * nm_tensor_get(b, i);
    }
    return sum;
}

static nm_status choose_direction(line *l, nm_tensor *gradient)
{
    const double count = (double)nm_tensor_count(l->v);
    nm_status status = nm_random_fill_normal(&l->c->random, l->v, 0, 1);
    const double length = sqrt(dot(l->v, l->v));
    for (int64_t i = 0; i < nm_tensor_count(l->v) && length > 0; i++) {
        nm_tensor_set(l->v, i, nm_tensor_get(l->v, i) / length);
    }
    l->slope = dot(gradient, l->v);
    l->usual = sqrt(dot(gradient, gradient) / count);
    return status;
}

static nm_status check_along(line *l, int index, nm_model_check *check)
{
    nm_status status = NM_OK;
    for (int k = 0; k < PROJECTIONS && status == NM_OK; k++) {
        status = choose_direction(l, l->c->gradient[index]);
        if (status == NM_OK) {
            status = compare(l, check);
        }
        nm_tape_reset(l->c->tape);
        nm_tensor_assign(l->p, l->start);
    }
    return status;
}

static nm_status check_variable(checker *c, int index, nm_model_check *check)
{
    line l = {.c = c, .p = c->variable[index]};
    *check = (nm_model_check){.name = c->name[index]};
    if (nm_tensor_count(l.p) == 0) {
        return NM_OK;
    }
    const nm_shape shape = *nm_tensor_shape(l.p);
    l.start = nm_tensor_copy_of(c->context, NM_F64, shape, nm_tensor_data(l.p));
    l.v = nm_tensor_create(c->context, NM_F64, shape);
    nm_status status =
        l.start && l.v ? check_along(&l, index, check) : nm_context_status(c->context);
    nm_tensor_destroy(l.start);
    nm_tensor_destroy(l.v);
    return status;
}

/* ---- All of it ---- */

static nm_status check_call(const nm_model *model, nm_tensor *x)
{
    nm_store *store = nm_model_store(model);
    nm_context *context = nm_store_context(store);
    const nm_shape *shape = nm_tensor_shape(x), *sample = nm_model_input(model);
    bool fits = nm_tensor_dtype(x) == NM_F64 && shape->rank == sample->rank + 1;
    for (int i = 0; i < sample->rank && fits; i++) {
        fits = shape->dim[i + 1] == sample->dim[i];
    }
    for (int i = 0; i < nm_store_count(store); i++) {
        const nm_entry *entry = nm_store_at(store, i);
        if (entry->role == NM_PARAMETER && nm_tensor_dtype(entry->tensor) != NM_F64) {
            return nm_fail(context, NM_ERROR_INPUT,
                           "nm_check_model: the model must be of f64 (nm_model_options), since f32 "
                           "has too few digits for differences");
        }
    }
    return fits ? NM_OK
                : nm_fail(context, NM_ERROR_INPUT,
                          "nm_check_model: x must be of f64, samples of the model's shape");
}

static nm_status list_tensors(checker *c)
{
    const size_t most = (size_t)nm_store_count(c->store) + 1;
    c->variable = nm_alloc_zero(c->context, most, sizeof *c->variable);
    c->gradient = nm_alloc_zero(c->context, most, sizeof *c->gradient);
    c->name = nm_alloc_zero(c->context, most, sizeof *c->name);
    c->before = nm_alloc_zero(c->context, most, sizeof *c->before);
    if (!c->variable || !c->gradient || !c->name || !c->before) {
        return NM_ERROR_MEMORY;
    }
    for (int i = 0; i < nm_store_count(c->store); i++) {
        const nm_entry *entry = nm_store_at(c->store, i);
        if (entry->role == NM_PARAMETER && entry->trainable) {
            c->variable[c->count] = entry->tensor;
            c->name[c->count++] = entry->name;
        } else if (entry->role != NM_PARAMETER) {
            c->before[i] =
                nm_tensor_copy_of(c->context, nm_tensor_dtype(entry->tensor),
                                  *nm_tensor_shape(entry->tensor), nm_tensor_data(entry->tensor));
        }
    }
    c->variable[c->count] = c->x;
    c->name[c->count++] = "samples";
    return nm_context_status(c->context);
}

static void end(checker *c)
{
    if (c->before) {
        restore_buffers(c);
    }
    nm_tape_destroy(c->tape);
    for (int i = 0; c->gradient && i < c->count; i++) {
        nm_tensor_destroy(c->gradient[i]);
    }
    for (int i = 0; c->before && i < nm_store_count(c->store); i++) {
        nm_tensor_destroy(c->before[i]);
    }
    nm_tensor_destroy(c->u);
    nm_free(c->context, c->variable);
    nm_free(c->context, c->gradient);
    nm_free(c->context, c->name);
    nm_free(c->context, c->before);
}

nm_status nm_check_model(nm_model *model, nm_tensor *x,
                         void (*tell)(void *user, const nm_model_check *check), void *user)
{
    NM_GIVEN(model, NM_ERROR_INPUT);
    checker c = {.model = model, .store = nm_model_store(model), .x = x};
    c.context = nm_store_context(c.store);
    NM_UNLESS_FAILED(c.context);
    NM_REQUIRE(c.context, x, NM_ERROR_INPUT);
    if (check_call(model, x) != NM_OK) {
        return nm_context_status(c.context);
    }
    const bool required = nm_tensor_requires_grad(x);
    c.random = nm_random_create(20150211, 1);
    c.tape = nm_tape_create(c.context);
    nm_tensor_set_requires_grad(x, true);
    nm_status status = c.tape ? list_tensors(&c) : NM_ERROR_MEMORY;
    status = status == NM_OK ? find_gradients(&c) : status;
    for (int i = 0; i < c.count && status == NM_OK; i++) {
        nm_model_check check;
        status = check_variable(&c, i, &check);
        if (status == NM_OK && tell) {
            tell(user, &check);
        }
    }
    end(&c);
    nm_tensor_set_requires_grad(x, required);
    return status;
}
