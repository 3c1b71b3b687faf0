#include "optim/saved_quantized.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "ops/kernels/gemm_i8.h"
#include "ops/passes/passes.h"

#define SCALE "_scale"

static bool is_quantized(const nm_entry *entry)
{
    return entry->purpose == NM_WEIGHT && nm_tensor_dtype(entry->tensor) == NM_F32 &&
           nm_takes_i8(nm_tensor_shape(entry->tensor));
}

/* Rows of 0 have a scale like any other. */
static float round_row(const float *w, int64_t count, int8_t *q)
{
    const float scale = nm_i8_round_row(w, count, q);
    return scale == 0 ? 1 : scale;
}

static void widen_row(const int8_t *q, float scale, int64_t count, float *w)
{
    for (int64_t i = 0; i < count; i++) {
        w[i] = (float)q[i] * scale;
    }
}

/* ---- Writing ---- */

/* Two tensors of the store `made`. */
static nm_status quantize(const nm_entry *entry, nm_store *made)
{
    nm_context *context = nm_store_context(made);
    const nm_shape *shape = nm_tensor_shape(entry->tensor);
    const int64_t rows = shape->dim[0], length = nm_tensor_count(entry->tensor) / rows;
    char *name = nm_format(context, "%s" SCALE, entry->name);
    nm_tensor *q = nm_store_add(made, entry->name, NM_BUFFER, NM_WEIGHT, NM_I8, *shape);
    nm_tensor *scale = nm_store_add(made, name, NM_BUFFER, NM_NORM_SCALE, NM_F32, NM_SHAPE(rows));
    const float *w = q && scale ? nm_tensor_f32(entry->tensor) : NULL;
    for (int64_t i = 0; w && i < rows; i++) {
        nm_tensor_f32(scale)[i] =
            round_row(w + i * length, length, (int8_t *)nm_tensor_data(q) + i * length);
    }
    nm_free(context, name);
    return nm_context_status(context);
}

nm_status nm_quantized_write(const nm_store *store, nm_tensor_writer *writer, nm_store **made)
{
    nm_context *context = nm_store_context(store);
    *made = nm_store_create(context);
    nm_status status = nm_context_status(context);
    for (int i = 0; status == NM_OK && i < nm_store_count(store); i++) {
        const nm_entry *entry = nm_store_at(store, i);
        status = is_quantized(entry) ? quantize(entry, *made)
                                     : nm_tensor_writer_add(writer, entry->name, entry->tensor);
    }
    status = status == NM_OK ? nm_store_write(*made, NULL, writer) : status;
    if (status != NM_OK) {
        nm_store_destroy(*made);
        *made = NULL;
    }
    return status;
}

nm_status nm_quantized_round(nm_store *store)
{
    nm_context *context = nm_store_context(store);
    nm_status status = nm_store_check_change(store);
    for (int i = 0; status == NM_OK && i < nm_store_count(store); i++) {
        const nm_entry *entry = nm_store_at(store, i);
        const int64_t rows = nm_tensor_shape(entry->tensor)->dim[0];
        const int64_t length = is_quantized(entry) ? nm_tensor_count(entry->tensor) / rows : 0;
        int8_t *q = length ? nm_scratch(context, (size_t)length) : NULL;
        float *w = q ? nm_tensor_f32(entry->tensor) : NULL;
        for (int64_t r = 0; w && r < rows; r++) {
            widen_row(q, round_row(w + r * length, length, q), length, w + r * length);
        }
        nm_scratch_end(q);
        if (w) {
            nm_tensor_touch(entry->tensor);
        }
        status = nm_context_status(context);
    }
    return status;
}

/* ---- Reading ---- */

/* Checks the scale of `name`, of which it is to have `rows`. */
static nm_status check_scale(nm_context *context, nm_tensor *scale, const char *name, int64_t rows)
{
    char number[32], shape[NM_SHAPE_TEXT];
    if (!scale || nm_tensor_dtype(scale) != NM_F32 ||
        !nm_shape_equal(nm_tensor_shape(scale), &NM_SHAPE(rows))) {
        return nm_fail(
            context, NM_ERROR_FORMAT,
            "\"%s\" has 8 bits, so the file must have \"%s" SCALE "\", f32 [%lld]; it %s", name,
            name, (long long)rows, scale ? "is of another type or shape" : "is not there");
    }
    for (int64_t i = 0; i < rows; i++) {
        const double value = nm_tensor_get(scale, i);
        if (!(value > 0 && isfinite(value))) {
            snprintf(number, sizeof number, "%g", value);
            return nm_fail(context, NM_ERROR_FORMAT,
                           "\"%s" SCALE "\" is %s at %s; it must be a finite number above 0", name,
                           isnan(value) ? "NaN" : number,
                           nm_shape_place_text(nm_tensor_shape(scale), i, shape));
        }
    }
    return NM_OK;
}

static nm_tensor *widened(nm_context *context, nm_tensor *q, nm_tensor *scale)
{
    const nm_shape *shape = nm_tensor_shape(q);
    nm_tensor *w = nm_tensor_create(context, NM_F32, *shape);
    const int64_t rows = shape->dim[0], length = rows ? nm_tensor_count(q) / rows : 0;
    for (int64_t r = 0; w && r < rows; r++) {
        widen_row((const int8_t *)nm_tensor_data(q) + r * length, nm_tensor_f32(scale)[r], length,
                  nm_tensor_f32(w) + r * length);
    }
    return w;
}

static nm_status widen(nm_context *context, nm_tensor_file *file, int index)
{
    const char *name = nm_tensor_file_name(file, index);
    nm_tensor *q = nm_tensor_file_at(file, index);
    char *of_scale = nm_format(context, "%s" SCALE, name);
    nm_tensor *scale = of_scale ? nm_tensor_file_find(file, of_scale) : NULL;
    const int64_t rows = nm_tensor_shape(q)->rank ? nm_tensor_shape(q)->dim[0] : 0;
    nm_status status = of_scale ? check_scale(context, scale, name, rows) : NM_ERROR_MEMORY;
    nm_tensor *w = status == NM_OK ? widened(context, q, scale) : NULL;
    if (w) {
        nm_tensor_file_replace(file, name, w);
        nm_tensor_file_replace(file, of_scale, NULL);
    }
    nm_free(context, of_scale);
    return nm_context_status(context);
}

nm_status nm_quantized_widen(nm_context *context, nm_tensor_file *file, const char *prefix)
{
    const size_t length = prefix ? strlen(prefix) : 0;
    nm_status status = nm_context_status(context);
    for (int i = 0; status == NM_OK && i < nm_tensor_file_count(file); i++) {
        nm_tensor *tensor = nm_tensor_file_at(file, i);
        if (tensor && nm_tensor_dtype(tensor) == NM_I8 &&
            strncmp(nm_tensor_file_name(file, i), prefix ? prefix : "", length) == 0) {
            status = widen(context, file, i);
        }
    }
    return status;
}
