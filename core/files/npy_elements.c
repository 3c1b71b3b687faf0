/* Promises:
 * 1. Every number keeps its value: a type becomes one that holds all of its numbers. Only u8 has
 *    none such, so what i64 cannot hold comes out negative, for the caller to refuse.
 * 2. An element is read byte by byte: it may stand at any address. */
#include "core/files/npy_elements.h"

#include <string.h>

#include "core/files/order.h"

/* ---- One run of elements of each type ---- */

static inline uint64_t load(const unsigned char *from, size_t size, bool big)
{
    uint64_t bits = 0;
    memcpy(&bits, from, size);
    bits = big == NM_LITTLE_ENDIAN ? __builtin_bswap64(bits) : bits;
    return big ? bits >> (64 - 8 * size) : bits;
}

static inline float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754's half: a sign, 5 bits of exponent, 10 of fraction. */
static inline float half_of(uint32_t bits)
{
    uint32_t sign = (bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
    if (exponent == 0) { /* zero, or below the smallest normal number: counts of 2^-24 */
        return (sign ? -1.0f : 1.0f) * (float)fraction * 0x1p-24f;
    }
    exponent = exponent == 31 ? 255 : exponent + 127 - 15;
    return float_of(sign | exponent << 23 | fraction << 13);
}

#define CONVERT(kind, size, real, value)                                                           \
    static void convert_##kind(const unsigned char *from, size_t stride, bool big, void *to,       \
                               int64_t count)                                                      \
    {                                                                                              \
        real *out = to;                                                                            \
        for (int64_t i = 0; i < count; i++, from += stride) {                                      \
            uint64_t bits = load(from, size, big);                                                 \
            out[i] = (value);                                                                      \
        }                                                                                          \
    }

CONVERT(b1, 1, uint8_t, bits != 0)
CONVERT(u1, 1, uint8_t, (uint8_t)bits)
CONVERT(i1, 1, int32_t, (int8_t)bits)
CONVERT(i2, 2, int32_t, (int16_t)bits)
CONVERT(u2, 2, int32_t, (int32_t)bits)
CONVERT(i4, 4, int32_t, (int32_t)bits)
CONVERT(u4, 4, int64_t, (int64_t)bits)
CONVERT(i8, 8, int64_t, (int64_t)bits)
CONVERT(f2, 2, float, half_of((uint32_t)bits))
CONVERT(f4, 4, float, float_of((uint32_t)bits))
CONVERT(f8, 8, double, double_of(bits))

/* The first of a tensor's type is the one that it is written as. */
static const nm_npy_type types[] = {
    {"f4", 4, NM_F32, true, convert_f4},  {"f8", 8, NM_F64, true, convert_f8},
    {"i4", 4, NM_I32, true, convert_i4},  {"i8", 8, NM_I64, true, convert_i8},
    {"u1", 1, NM_U8, true, convert_u1},   {"b1", 1, NM_U8, false, convert_b1},
    {"i1", 1, NM_I32, false, convert_i1}, {"i2", 2, NM_I32, false, convert_i2},
    {"u2", 2, NM_I32, false, convert_u2}, {"u4", 4, NM_I64, false, convert_u4},
    {"u8", 8, NM_I64, true, convert_i8},  {"f2", 2, NM_F32, false, convert_f2},
};

#define TYPES (sizeof types / sizeof *types)

const nm_npy_type *nm_npy_type_find(const char *kind)
{
    for (size_t i = 0; i < TYPES; i++) {
        if (strcmp(types[i].kind, kind) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

const nm_npy_type *nm_npy_type_of(nm_dtype dtype)
{
    for (size_t i = 0; i < TYPES; i++) {
        if (types[i].dtype == dtype) {
            return &types[i];
        }
    }
    return NULL;
}

/* ---- Whole arrays ---- */

#define TILE 64 /* elements: a tile's rows and columns stay in the first cache */

typedef struct transposition {
    const nm_npy_type *type;
    bool big;
    int64_t first, last; /* the sizes of the first and the last dimension */
    int64_t step_in;     /* elements between two of the last index in the file */
    int64_t step_out;    /* elements between two of the first index in the tensor */
} transposition;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The elements of one choice of the middle indices: a transposed matrix, tile by tile. */
static void transpose(const transposition *t, const unsigned char *from, char *to)
{
    size_t size = t->type->size, width = nm_dtype_size(t->type->dtype);
    for (int64_t row = 0; row < t->first; row += TILE) {
        int64_t end = smaller(row + TILE, t->first);
        for (int64_t column = 0; column < t->last; column += TILE) {
            int64_t count = smaller(TILE, t->last - column);
            for (int64_t i = row; i < end; i++) {
                t->type->convert(from + (size_t)(i + column * t->step_in) * size,
                                 (size_t)t->step_in * size, t->big,
                                 to + (size_t)(i * t->step_out + column) * width, count);
            }
        }
    }
}

/* Where the elements of the `number`-th choice of the middle indices begin in the file. */
static int64_t middle_offset(const nm_shape *shape, int64_t number)
{
    int64_t offset = 0, stride = 1;
    for (int i = 1; i + 1 < shape->rank; i++) {
        stride *= shape->dim[i]; /* of the middle alone, row-major: from the last one back */
    }
    int64_t step = shape->dim[0];
    for (int i = 1; i + 1 < shape->rank; i++) {
        stride /= shape->dim[i];
        offset += number / stride % shape->dim[i] * step;
        step *= shape->dim[i];
    }
    return offset;
}

static void fill_transposed(const nm_npy_type *type, bool big, const unsigned char *from,
                            nm_tensor *tensor)
{
    const nm_shape *shape = nm_tensor_shape(tensor);
    int64_t count = nm_tensor_count(tensor), first = shape->dim[0];
    int64_t last = shape->dim[shape->rank - 1], middle = count / first / last;
    transposition t = {type, big, first, last, count / last, count / first};
    char *to = nm_tensor_data(tensor);
    for (int64_t i = 0; i < middle; i++) {
        transpose(&t, from + (size_t)middle_offset(shape, i) * type->size,
                  to + (size_t)(i * last) * nm_dtype_size(type->dtype));
    }
}

void nm_npy_fill(const nm_npy_type *type, bool big, bool fortran, const void *elements,
                 nm_tensor *tensor)
{
    int64_t count = nm_tensor_count(tensor);
    if (!count) {
        return;
    }
    if (fortran && nm_tensor_shape(tensor)->rank > 1) {
        fill_transposed(type, big, elements, tensor);
    } else if (type->as_stored && big != NM_LITTLE_ENDIAN) {
        memcpy(nm_tensor_data(tensor), elements, nm_tensor_bytes(tensor));
    } else {
        type->convert(elements, type->size, big, nm_tensor_data(tensor), count);
    }
}
