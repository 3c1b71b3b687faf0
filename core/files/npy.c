/* NPY, NumPy's array file: magic, version, a Python dict as text, the data. Only what the dict of a
 * saved array can hold is understood, in any order; anything else is refused, not guessed. Format:
 * numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/files/input.h"
#include "core/files/known.h"
#include "core/files/npy_elements.h"
#include "core/files/order.h"
#include "core/guard.h"

#define MAGIC "\x93NUMPY"

/* ---- A cursor over the dict's text ---- */

typedef struct cursor {
    nm_context *context;
    const char *name;
    const char *begin, *at, *end;
    bool failed; /* every step returns false from then on */
} cursor;

/* "NAME: message". Returns false. */
static bool fail(cursor *c, const char *format, ...) NM_PRINTF(2, 3);

static bool fail(cursor *c, const char *format, ...)
{
    char message[512];
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    if (!c->failed) {
        nm_fail(c->context, NM_ERROR_FORMAT, "%s: %s", c->name, message);
    }
    c->failed = true;
    return false;
}

static bool expected(cursor *c, const char *what)
{
    return fail(c, "damaged NPY header: expected %s at byte %td of it", what, c->at - c->begin);
}

/* The next byte that is no white space, or -1 at the end. */
static int peek(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t')) {
        c->at++;
    }
    return c->at < c->end ? (unsigned char)*c->at : -1;
}

static bool take(cursor *c, char mark)
{
    bool there = !c->failed && peek(c) == mark;
    c->at += there;
    return there;
}

static bool take_word(cursor *c, const char *word)
{
    size_t length = strlen(word);
    bool there =
        peek(c) >= 0 && (size_t)(c->end - c->at) >= length && memcmp(c->at, word, length) == 0;
    c->at += there ? length : 0;
    return there;
}

#define TEXT NM_NPY_TYPE_TEXT

/* 'text' or "text" of printable ASCII without escapes: all that keys and simple types need. */
static bool take_text(cursor *c, char out[TEXT])
{
    int quote = peek(c);
    if (quote != '\'' && quote != '"') {
        return expected(c, "a quoted text");
    }
    size_t length = 0;
    for (c->at++; c->at < c->end && *c->at != quote; c->at++) {
        if (length + 1 == TEXT || *c->at < ' ' || *c->at > '~' || *c->at == '\\') {
            return expected(c, "a short, plain text");
        }
        out[length++] = *c->at;
    }
    out[length] = 0;
    return take(c, (char)quote) || expected(c, "a closing quote");
}

static bool take_count(cursor *c, int64_t *value)
{
    int first = peek(c);
    if (first < '0' || first > '9') {
        return expected(c, "a size that is a whole number and not negative");
    }
    for (*value = 0; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, *c->at - '0', value)) {
            return fail(c, "a size in the shape is too large");
        }
    }
    take(c, 'L'); /* of Python 2 */
    return true;
}

/* ---- The dict ---- */

typedef struct header {
    const nm_npy_type *type;
    nm_npy_info info;
    nm_shape shape;
    bool has_type, has_order, has_shape;
} header;

/* (), (3,), (3, 4) or (3, 4,); (3) is no tuple. */
static bool read_shape(cursor *c, header *h)
{
    bool comma = false;
    if (!take(c, '(')) {
        return expected(c, "a tuple of sizes");
    }
    while (!take(c, ')')) {
        if (h->shape.rank && !comma) {
            return expected(c, "a comma");
        }
        if (h->shape.rank == NM_MAX_RANK) {
            return fail(c, "the array has more than %d dimensions, the limit; reshape it",
                        NM_MAX_RANK);
        }
        if (!take_count(c, &h->shape.dim[h->shape.rank++])) {
            return false;
        }
        comma = take(c, ',');
    }
    return h->shape.rank != 1 || comma || expected(c, "a comma in a tuple of one");
}

/* What NumPy stores besides numbers that are read, by the letter of its kind. */
static const struct {
    char kind;
    const char *what;
    const char *remedy;
} refused[] = {
    {'O', "Python objects", "save numbers, such as x.astype(\"<f4\")"},
    {'c', "complex numbers", "save x.real and x.imag, or numpy.abs(x)"},
    {'U', "texts", "save numbers: x.astype(\"<f4\"), or numpy.unique(x, return_inverse=True)[1]"},
    {'S', "texts", "save numbers: x.astype(\"<f4\"), or numpy.unique(x, return_inverse=True)[1]"},
    {'M', "dates", "save x.astype(\"<i8\")"},
    {'m', "times", "save x.astype(\"<i8\")"},
    {'V', "raw bytes", "save numbers, such as x.astype(\"<f4\")"},
    {'f', "long floating-point numbers", "save x.astype(\"<f8\")"},
};

static bool refuse_type(cursor *c, const char *descr, const char *kind)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (*kind == refused[i].kind) {
            return fail(c, "the array holds %s (%s); %s", refused[i].what, descr,
                        refused[i].remedy);
        }
    }
    return fail(c, "the type \"%s\" is not read; save x.astype(\"<f4\"), or another number", descr);
}

/* A byte order and a kind: "<f4", "|b1". Without an order, as with "=" and "|", it is this
 * processor's. */
static bool read_type(cursor *c, header *h)
{
    char *descr = h->info.type;
    if (peek(c) == '[') {
        return fail(c, "the array is made of records; save one field of it, such as x[\"name\"]");
    }
    if (!take_text(c, descr)) {
        return false;
    }
    const char *kind = descr + (*descr && strchr("<>|=", *descr) ? 1 : 0);
    h->type = nm_npy_type_find(kind);
    h->info.is_bool = strcmp(kind, "b1") == 0;
    h->info.is_big_endian =
        h->type && h->type->size > 1 && (*descr == '>' || (*descr != '<' && !NM_LITTLE_ENDIAN));
    return h->type || refuse_type(c, descr, kind);
}

static bool read_order(cursor *c, header *h)
{
    h->info.is_fortran = take_word(c, "True");
    return h->info.is_fortran || take_word(c, "False") || expected(c, "True or False");
}

static bool first_time(cursor *c, bool *seen, const char *key)
{
    bool first = !*seen;
    *seen = true;
    return first || fail(c, "damaged NPY header: \"%s\" is there twice", key);
}

static bool read_entry(cursor *c, header *h)
{
    char key[TEXT];
    if (!take_text(c, key) || !(take(c, ':') || expected(c, "a colon"))) {
        return false;
    }
    if (strcmp(key, "descr") == 0) {
        return first_time(c, &h->has_type, key) && read_type(c, h);
    }
    if (strcmp(key, "fortran_order") == 0) {
        return first_time(c, &h->has_order, key) && read_order(c, h);
    }
    if (strcmp(key, "shape") == 0) {
        return first_time(c, &h->has_shape, key) && read_shape(c, h);
    }
    return fail(c, "damaged NPY header: unknown key \"%s\"", key);
}

static bool read_dict(cursor *c, header *h)
{
    if (!take(c, '{')) {
        return expected(c, "{");
    }
    for (bool comma = true; !take(c, '}'); comma = take(c, ',')) {
        if (!comma) {
            return expected(c, "a comma or }");
        }
        if (!read_entry(c, h)) {
            return false;
        }
    }
    if (peek(c) >= 0) {
        return expected(c, "nothing more");
    }
    return (h->has_type && h->has_order && h->has_shape) ||
           fail(c, "damaged NPY header: it needs descr, fortran_order and shape");
}

/* ---- The file ---- */

/* Says what the file may be instead, by its first bytes. */
static bool refuse_file(cursor *c, nm_input *input, const unsigned char *data, size_t size)
{
    if (size >= 4 && memcmp(data, "PK\x03\x04", 4) == 0) {
        return fail(c, "not an NPY file but an archive of several (.npz); save the array alone: "
                       "numpy.save(\"x.npy\", numpy.load(\"x.npz\")[\"NAME\"])");
    }
    nm_refuse_file(input, c->name, "an NPY file", data, size);
    c->failed = true;
    return false;
}

#define FIXED 12           /* bytes before the dict; of version 1 two less */
#define DICT_LIMIT 1000000 /* bytes: of NumPy's own, 10 000 are the most */

/* The first bytes: magic, version, the dict's length, to *length. */
static bool read_fixed(cursor *c, nm_input *input, size_t *length)
{
    unsigned char fixed[FIXED] = {0};
    size_t magic = sizeof MAGIC - 1, size = 0, more = 0;
    if (nm_input_read(input, fixed, 10, &size) != NM_OK) {
        return false;
    }
    if (size < magic || memcmp(fixed, MAGIC, magic) != 0) {
        return refuse_file(c, input, fixed, size);
    }
    int version = size > magic ? fixed[6] : 1;
    if (version < 1 || version > 3) {
        return fail(c, "NPY version %d is not read; versions 1 to 3 are", version);
    }
    if (version > 1 && nm_input_read(input, fixed + 10, 2, &more) != NM_OK) {
        return false;
    }
    size_t needed = version == 1 ? 10 : 12;
    size += more;
    *length = fixed[8] | (size_t)fixed[9] << 8 | (size_t)fixed[10] << 16 | (size_t)fixed[11] << 24;
    if (size < needed || (nm_input_is_exact(input) && *length > nm_input_left(input))) {
        return fail(c, "truncated: the header ends at byte %zu, the file at byte %zu",
                    needed + *length, size + (size_t)nm_input_left(input));
    }
    return *length <= DICT_LIMIT || fail(c, "damaged NPY header: it claims %zu bytes", *length);
}

/* The dict's text, between the fixed part and the data, in new memory. */
static char *read_text(cursor *c, nm_input *input)
{
    size_t length = 0, got = 0;
    if (!read_fixed(c, input, &length)) {
        return NULL;
    }
    char *text = nm_alloc(c->context, length);
    if (!text || nm_input_read(input, text, length, &got) != NM_OK || got < length) {
        if (text && got < length && nm_context_status(c->context) == NM_OK) {
            fail(c, "truncated: the file ends within the header");
        }
        nm_free(c->context, text);
        return NULL;
    }
    c->begin = c->at = text;
    c->end = text + length;
    return text;
}

/* Holds what the header promises against what is there. */
static bool check_size(cursor *c, uint64_t promised, uint64_t there)
{
    if (promised > there) {
        return fail(c, "truncated: the header promises %llu bytes of data, the file has %llu",
                    (unsigned long long)promised, (unsigned long long)there);
    }
    return promised == there || fail(c, "%llu bytes behind the array; a file holds one array",
                                     (unsigned long long)(there - promised));
}

/* What i64 cannot hold of u8's numbers has come out negative. */
static bool check_range(cursor *c, nm_tensor *tensor)
{
    const int64_t *value = nm_tensor_data(tensor);
    for (int64_t i = 0; i < nm_tensor_count(tensor); i++) {
        if (value[i] < 0) {
            char place[NM_SHAPE_TEXT];
            return fail(c, "element %s is %llu, more than the %lld that i64 holds",
                        nm_shape_place_text(nm_tensor_shape(tensor), i, place),
                        (unsigned long long)value[i], (long long)INT64_MAX);
        }
    }
    return true;
}

/* Whether the file's bytes are the tensor's: they are read to where they stay. */
static bool is_as_stored(const header *h, const nm_input *input)
{
    bool turned = h->type->size > 1 && h->info.is_big_endian == NM_LITTLE_ENDIAN;
    return h->type->as_stored && !turned && nm_input_is_exact(input) &&
           (!h->info.is_fortran || h->shape.rank < 2);
}

static bool read_in_place(cursor *c, nm_input *input, nm_tensor *tensor)
{
    size_t bytes = nm_tensor_bytes(tensor);
    uint64_t there = bytes;
    return !bytes || (nm_input_fill(input, nm_tensor_data(tensor), bytes, &there) == NM_OK &&
                      check_size(c, bytes, there));
}

static bool read_converted(cursor *c, const header *h, nm_input *input, nm_tensor *tensor)
{
    void *data;
    uint64_t there, bytes = (uint64_t)nm_tensor_count(tensor) * h->type->size;
    if (nm_input_take(input, bytes, &there, &data) != NM_OK || !check_size(c, bytes, there)) {
        return false;
    }
    nm_npy_fill(h->type, h->info.is_big_endian, h->info.is_fortran, data, tensor);
    nm_free(c->context, data);
    return true;
}

/* The header is held against the file before there is a tensor. */
static nm_tensor *read_elements(cursor *c, const header *h, nm_input *input)
{
    char text[NM_SHAPE_TEXT];
    int64_t count = nm_shape_count(&h->shape);
    if (count < 0) {
        fail(c, "no array can have the shape %s", nm_shape_text(&h->shape, text));
        return NULL;
    }
    uint64_t there, bytes = (uint64_t)count * h->type->size; /* below 2^59 */
    if (nm_input_check(input, bytes, &there) != NM_OK || !check_size(c, bytes, there)) {
        return NULL;
    }
    nm_tensor *tensor = nm_tensor_create(c->context, h->type->dtype, h->shape);
    bool fine = tensor && (is_as_stored(h, input) ? read_in_place(c, input, tensor)
                                                  : read_converted(c, h, input, tensor));
    fine = fine && (strcmp(h->type->kind, "u8") != 0 || check_range(c, tensor));
    if (!fine) {
        nm_tensor_destroy(tensor);
        return NULL;
    }
    return tensor;
}

/* Closes the input. */
static nm_tensor *read_array(nm_input *input, const char *name, nm_npy_info *info)
{
    cursor c = {.context = input->context, .name = name};
    header h = {0};
    char *text = read_text(&c, input);
    nm_tensor *tensor = text && read_dict(&c, &h) ? read_elements(&c, &h, input) : NULL;
    if (tensor && info) {
        *info = h.info;
    }
    nm_free(input->context, text);
    nm_input_close(input);
    return tensor;
}

nm_tensor *nm_npy_parse_info(nm_context *context, const void *data, size_t size, const char *name,
                             nm_npy_info *info)
{
    nm_input input;
    nm_input_open_memory(&input, context, data, size);
    return read_array(&input, name, info);
}

nm_tensor *nm_npy_parse(nm_context *context, const void *data, size_t size, const char *name)
{
    return nm_npy_parse_info(context, data, size, name, NULL);
}

nm_tensor *nm_npy_read_info(nm_context *context, const char *path, nm_npy_info *info)
{
    NM_REQUIRE(context, path, NULL);
    nm_input input;
    return nm_input_open(&input, context, path, SIZE_MAX, false) == NM_OK
               ? read_array(&input, nm_file_title(path), info)
               : NULL;
}

nm_tensor *nm_npy_read(nm_context *context, const char *path)
{
    NM_REQUIRE(context, path, NULL);
    return nm_npy_read_info(context, path, NULL);
}

/* ---- Writing ---- */

#define HEAD 256 /* the longest: 10 + 53 + 6 dimensions of 21 bytes + 4, rounded up to 64 */

/* "(3,)", "(3, 4)": as Python writes a tuple. Returns its length. */
static int put_shape(const nm_shape *shape, char *out, size_t size)
{
    int length = snprintf(out, size, "(");
    for (int i = 0; i < shape->rank; i++) {
        length += snprintf(out + length, size - (size_t)length, "%s%lld", i ? ", " : "",
                           (long long)shape->dim[i]);
    }
    return length + snprintf(out + length, size - (size_t)length, shape->rank == 1 ? ",)" : ")");
}

/* Version 1, padded so that the data begins at a multiple of 64. Returns its length. */
static size_t make_header(const nm_tensor *tensor, char out[HEAD])
{
    const nm_npy_type *type = nm_npy_type_of(nm_tensor_dtype(tensor));
    int length =
        snprintf(out + 10, HEAD - 10,
                 "{'descr': '%c%s', 'fortran_order': False, 'shape': ", type->size == 1 ? '|' : '<',
                 type->kind);
    length += put_shape(nm_tensor_shape(tensor), out + 10 + length, HEAD - 10 - (size_t)length);
    length += snprintf(out + 10 + length, HEAD - 10 - (size_t)length, ", }");
    size_t used = 10 + (size_t)length, total = (used + 1 + 63) / 64 * 64;
    memset(out + used, ' ', total - used);
    out[total - 1] = '\n';
    memcpy(out, MAGIC "\x01", 8); /* with the 0 behind it: version 1.0 */
    out[8] = (char)((total - 10) & 0xff);
    out[9] = (char)((total - 10) >> 8);
    return total;
}

static nm_status write_parts(nm_context *context, const char *path, const char *head,
                             size_t head_size, nm_tensor *tensor)
{
    nm_file *file = nm_file_create(context, path);
    if (!file) {
        return nm_context_status(context);
    }
    nm_status status = nm_file_write(file, head, head_size);
    if (status == NM_OK) {
        status = nm_order_write(file, nm_tensor_data(tensor), nm_tensor_bytes(tensor),
                                nm_dtype_size(nm_tensor_dtype(tensor)));
    }
    if (status != NM_OK) {
        nm_file_abandon(file);
        return status;
    }
    return nm_file_commit(file);
}

nm_status nm_npy_write(nm_tensor *tensor, const char *path)
{
    if (!nm_tensor_data(tensor)) {
        return NM_ERROR_INPUT;
    }
    nm_context *context = nm_tensor_context(tensor);
    nm_dtype dtype = nm_tensor_dtype(tensor);
    if (!nm_npy_type_of(dtype)) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "cannot write \"%s\": NPY has no type for %s; convert the tensor to f32",
                       path, nm_dtype_name(dtype));
    }
    char head[HEAD];
    size_t head_size = make_header(tensor, head);
    return write_parts(context, path, head, head_size, tensor);
}
