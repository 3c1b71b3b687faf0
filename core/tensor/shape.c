/* Types and shapes. */
#include <stdio.h>

#include "core/guard.h"
#include "core/internal.h"

/* ---- Types ---- */

static const struct {
    size_t size;
    const char *name;
    bool is_float;
} dtypes[NM_DTYPE_COUNT] = {
    [NM_F32] = {4, "f32", true},  [NM_F64] = {8, "f64", true},  [NM_BF16] = {2, "bf16", true},
    [NM_I32] = {4, "i32", false}, [NM_I64] = {8, "i64", false}, [NM_U8] = {1, "u8", false},
    [NM_I8] = {1, "i8", false},
};

static bool is_dtype(nm_dtype dtype)
{
    return (unsigned)dtype < NM_DTYPE_COUNT;
}

size_t nm_dtype_size(nm_dtype dtype)
{
    return is_dtype(dtype) ? dtypes[dtype].size : 0;
}

const char *nm_dtype_name(nm_dtype dtype)
{
    return is_dtype(dtype) ? dtypes[dtype].name : "no type";
}

bool nm_dtype_is_float(nm_dtype dtype)
{
    return is_dtype(dtype) && dtypes[dtype].is_float;
}

/* ---- Shapes ---- */

/* Whether there is a shape whose dimensions can be read. */
static bool is_shape(const nm_shape *shape)
{
    return shape && (unsigned)shape->rank <= NM_MAX_RANK;
}

int64_t nm_shape_count(const nm_shape *shape)
{
    NM_GIVEN(is_shape(shape), -1);
    int64_t count = 1;
    bool overflow = false;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0) {
            return -1;
        }
        overflow |= __builtin_mul_overflow(count, shape->dim[i], &count);
    }
    /* 2^56 elements exceed any memory; below that, 64 bits hold their bytes too. */
    return overflow || count >> 56 ? -1 : count;
}

bool nm_shape_equal(const nm_shape *a, const nm_shape *b)
{
    NM_GIVEN(is_shape(a) && is_shape(b), false);
    if (a->rank != b->rank) {
        return false;
    }
    for (int i = 0; i < a->rank; i++) {
        if (a->dim[i] != b->dim[i]) {
            return false;
        }
    }
    return true;
}

bool nm_shape_broadcast(const nm_shape *a, const nm_shape *b, nm_shape *out)
{
    NM_GIVEN(is_shape(a) && is_shape(b) && out, false);
    if (a->rank < b->rank) {
        const nm_shape *swap = a;
        a = b;
        b = swap;
    }
    nm_shape result = *a;
    for (int i = 0; i < b->rank; i++) {
        int64_t *dim = &result.dim[a->rank - b->rank + i];
        if (*dim == 1) {
            *dim = b->dim[i];
        } else if (b->dim[i] != 1 && b->dim[i] != *dim) {
            return false;
        }
    }
    *out = result;
    return true;
}

int nm_shape_axis(const nm_shape *shape, int64_t axis)
{
    NM_GIVEN(is_shape(shape), -1);
    axis += axis < 0 ? shape->rank : 0;
    return axis >= 0 && axis < shape->rank ? (int)axis : -1;
}

static void dimension_text(int64_t dim, char text[32])
{
    const bool any = dim > 0 && dim % NM_ANY_BATCH == 0;
    const long long times = any ? dim / NM_ANY_BATCH : dim;
    snprintf(text, 32, any ? times == 1 ? "batch" : "%lld*batch" : "%lld", times);
}

char *nm_shape_text(const nm_shape *shape, char text[NM_SHAPE_TEXT])
{
    NM_GIVEN(shape && text, NULL);
    char dim[32];
    int length = snprintf(text, NM_SHAPE_TEXT, "[");
    for (int i = 0; i < shape->rank && i < NM_MAX_RANK; i++) {
        dimension_text(shape->dim[i], dim);
        length +=
            snprintf(text + length, (size_t)(NM_SHAPE_TEXT - length), "%s%s", i ? ", " : "", dim);
    }
    snprintf(text + length, (size_t)(NM_SHAPE_TEXT - length), "]");
    return text;
}

char *nm_shape_place_text(const nm_shape *shape, int64_t index, char text[NM_SHAPE_TEXT])
{
    NM_GIVEN(shape && text, NULL);
    nm_shape place = *shape;
    place.rank = is_shape(shape) ? shape->rank : 0;
    for (int i = place.rank - 1; i >= 0; i--) {
        place.dim[i] = shape->dim[i] ? index % shape->dim[i] : 0;
        index /= shape->dim[i] ? shape->dim[i] : 1;
    }
    return nm_shape_text(&place, text);
}
