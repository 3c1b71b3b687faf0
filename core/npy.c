/* NPY, NumPy's array file: magic, version, a Python dict as text, the data. Only what the dict of a
 * saved array can hold is understood; anything else is refused, not guessed. */
#include <stdio.h>
#include <string.h>

#include "core/file.h"

#define FILE_LIMIT ((size_t)1 << 46)
#define HEADER_LIMIT 65536

/* `descr` as NumPy writes it: byte order, kind, size. */
static const struct {
    const char *descr;
    nm_dtype dtype;
} types[] = {
    {"<f4", NM_F32}, {"<f8", NM_F64}, {"<i4", NM_I32},
    {"<i8", NM_I64}, {"|u1", NM_U8},  {"|b1", NM_U8},
};

/* ---- Reading ---- */

typedef struct cursor {
    nm_context *context;
    const char *name;
    const char *at, *end;
} cursor;

static nm_status npy_fail(const cursor *c, const char *format, ...) NM_PRINTF(2, 3);

static nm_status npy_fail(const cursor *c, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    nm_fail_v(c->context, NM_ERROR_FORMAT, format, list);
    va_end(list);
    return nm_fail_in(c->context, "%s", c->name);
}

static char peek(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n')) {
        c->at++;
    }
    return c->at < c->end ? *c->at : 0;
}

static bool take(cursor *c, char mark)
{
    if (peek(c) != mark) {
        return false;
    }
    c->at++;
    return true;
}

/* 'text' or "text", without escapes. */
static bool take_string(cursor *c, char *out, size_t size)
{
    char quote = peek(c);
    if (quote != '\'' && quote != '"') {
        return false;
    }
    size_t length = 0;
    for (c->at++; c->at < c->end && *c->at != quote; c->at++) {
        if (length + 1 == size || *c->at == '\\') {
            return false;
        }
        out[length++] = *c->at;
    }
    out[length] = 0;
    return take(c, quote);
}

static bool take_word(cursor *c, const char *word)
{
    size_t length = strlen(word);
    if (!peek(c) || (size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0) {
        return false;
    }
    c->at += length;
    return true;
}

static bool take_dim(cursor *c, int64_t *value)
{
    char first = peek(c);
    *value = 0;
    if (first < '0' || first > '9') {
        return false;
    }
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, *c->at - '0', value)) {
            return false;
        }
    }
    return true;
}

/* (), (3,), (3, 4) */
static nm_status read_shape(cursor *c, nm_shape *shape)
{
    if (!take(c, '(')) {
        return npy_fail(c, "damaged header: the shape is no tuple");
    }
    while (!take(c, ')')) {
        if (shape->rank == NM_MAX_RANK) {
            return npy_fail(c, "more than %d dimensions, the most a tensor has", NM_MAX_RANK);
        }
        if (!take_dim(c, &shape->dim[shape->rank++]) || (!take(c, ',') && peek(c) != ')')) {
            return npy_fail(c, "damaged header: bad shape");
        }
    }
    return NM_OK;
}

static nm_status read_type(cursor *c, nm_dtype *dtype)
{
    char descr[32];
    if (peek(c) == '[') {
        return npy_fail(c, "records (structured arrays) are not read; save one field");
    }
    if (!take_string(c, descr, sizeof descr)) {
        return npy_fail(c, "damaged header: bad type");
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].descr, descr) == 0) {
            *dtype = types[i].dtype;
            return NM_OK;
        }
    }
    const char *remedy = descr[0] == '>'      ? "; save it in little-endian order"
                         : strchr(descr, 'O') ? "; it holds Python objects"
                                              : "";
    return npy_fail(c, "the type '%s' is not read (f4, f8, i4, i8, u1 and bool are)%s", descr,
                    remedy);
}

typedef struct header {
    nm_dtype dtype;
    nm_shape shape;
    bool has_descr, has_order, has_shape;
} header;

static nm_status read_entry(cursor *c, header *h)
{
    char key[32];
    if (!take_string(c, key, sizeof key) || !take(c, ':')) {
        return npy_fail(c, "damaged header");
    }
    if (strcmp(key, "descr") == 0 && !h->has_descr) {
        h->has_descr = true;
        return read_type(c, &h->dtype);
    }
    if (strcmp(key, "shape") == 0 && !h->has_shape) {
        h->has_shape = true;
        return read_shape(c, &h->shape);
    }
    if (strcmp(key, "fortran_order") == 0 && !h->has_order) {
        h->has_order = true;
        if (take_word(c, "False")) {
            return NM_OK;
        }
        return npy_fail(c, take_word(c, "True") ? "the array is stored column by column; save "
                                                  "numpy.ascontiguousarray() of it"
                                                : "damaged header: bad fortran_order");
    }
    return npy_fail(c, "damaged header: unknown or repeated key '%s'", key);
}

static nm_status read_dict(cursor *c, header *h)
{
    if (!take(c, '{')) {
        return npy_fail(c, "damaged header: no dict");
    }
    while (!take(c, '}')) {
        nm_status status = read_entry(c, h);
        if (status != NM_OK) {
            return status;
        }
        if (!take(c, ',') && peek(c) != '}') {
            return npy_fail(c, "damaged header");
        }
    }
    if (peek(c) || !h->has_descr || !h->has_order || !h->has_shape) {
        return npy_fail(
            c, "damaged header: descr, fortran_order or shape is missing, or more follows");
    }
    return NM_OK;
}

/* Finds the dict's text between the fixed part and the data. */
static nm_status find_header(cursor *c, const unsigned char *bytes, size_t size)
{
    if (size < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0) {
        return npy_fail(c, "not an NPY file (its magic is missing)");
    }
    int version = bytes[6];
    size_t fixed = version == 1 ? 10 : 12;
    if (version < 1 || version > 3 || size < fixed) {
        return npy_fail(c, "NPY version %d is not read (1 to 3 are)", version);
    }
    size_t length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (version > 1) {
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    }
    if (length > HEADER_LIMIT || length > size - fixed) {
        return npy_fail(c, "truncated or damaged: a header of %zu bytes in a file of %zu", length,
                        size);
    }
    c->at = (const char *)bytes + fixed;
    c->end = c->at + length;
    return NM_OK;
}

nm_tensor *nm_npy_parse(nm_context *context, const void *bytes, size_t size, const char *name)
{
    cursor c = {.context = context, .name = name};
    header h = {0};
    if (find_header(&c, bytes, size) != NM_OK || read_dict(&c, &h) != NM_OK) {
        return NULL;
    }
    int64_t count = nm_shape_count(&h.shape);
    size_t have = (size_t)((const char *)bytes + size - c.end);
    if (count < 0 || (size_t)count > have / nm_dtype_size(h.dtype) ||
        (size_t)count * nm_dtype_size(h.dtype) != have) {
        char text[NM_SHAPE_TEXT];
        npy_fail(&c, "truncated or damaged: %s %s does not take the %zu bytes of data it has",
                 nm_dtype_name(h.dtype), nm_shape_text(&h.shape, text), have);
        return NULL;
    }
    return nm_tensor_copy_of(context, h.dtype, h.shape, c.end);
}

nm_tensor *nm_npy_read(nm_context *context, const char *path)
{
    size_t size;
    char *bytes = nm_file_read(context, path, FILE_LIMIT, &size);
    nm_tensor *tensor = bytes ? nm_npy_parse(context, bytes, size, path) : NULL;
    nm_free(context, bytes);
    return tensor;
}

/* ---- Writing ---- */

static const char *descr_of(nm_dtype dtype)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].dtype == dtype) {
            return types[i].descr;
        }
    }
    return NULL;
}

/* Version 1.0, padded so that the data begins at a multiple of 64. Returns its length. */
static size_t make_header(nm_tensor *tensor, char out[512])
{
    const nm_shape *shape = nm_tensor_shape(tensor);
    int length = snprintf(out + 10, 500, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                          descr_of(nm_tensor_dtype(tensor)));
    for (int i = 0; i < shape->rank; i++) {
        length += snprintf(out + 10 + length, (size_t)(500 - length), "%lld,%s",
                           (long long)shape->dim[i], i + 1 < shape->rank ? " " : "");
    }
    length += snprintf(out + 10 + length, (size_t)(500 - length), "), }");
    size_t total = ((size_t)length + 1 + 10 + 63) / 64 * 64;
    memset(out + 10 + length, ' ', total - 10 - (size_t)length);
    out[total - 1] = '\n';
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (char)((total - 10) & 0xff);
    out[9] = (char)((total - 10) >> 8);
    return total;
}

nm_status nm_npy_write(nm_tensor *tensor, const char *path)
{
    nm_context *context = nm_tensor_context(tensor);
    const void *data = nm_tensor_data(tensor);
    if (!data) {
        return nm_context_status(context);
    }
    if (!descr_of(nm_tensor_dtype(tensor))) {
        return nm_fail(context, NM_ERROR_INPUT, "%s: NPY has no type for %s", path,
                       nm_dtype_name(nm_tensor_dtype(tensor)));
    }
    char head[512];
    size_t length = make_header(tensor, head);
    nm_file *file = nm_file_create(context, path);
    if (!file) {
        return nm_context_status(context);
    }
    nm_status status = nm_file_write(file, head, length);
    if (status == NM_OK) {
        status = nm_file_write(file, data, nm_tensor_bytes(tensor));
    }
    if (status != NM_OK) {
        nm_file_abandon(file);
        return status;
    }
    return nm_file_commit(file);
}
