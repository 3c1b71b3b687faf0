/* safetensors: 8 bytes of header length, a JSON header, the data. Promises of the reader:
 *
 * 1. Nothing that the header says is believed before it is held against the file's real size.
 * 2. The tensors' ranges cover the data exactly: no hole, no overlap, nothing behind the last. Only
 *    then are there tensors, so no header makes memory many times the file.
 * 3. Every name occurs once; every range is as long as its shape and type say.
 * 4. Time grows as n log n with the number of names, whatever they are: they are sorted, not
 * hashed.
 *
 * The header is read into one block, in which names and texts stay; the data into another, in which
 * the elements do. */
#include <string.h>

#include "core/file.h"
#include "core/files/input.h"
#include "core/files/known.h"
#include "core/files/order.h"
#include "core/guard.h"
#include "core/internal.h"
#include "core/json.h"
#include "core/value_internal.h"

#define HEADER_LIMIT 100000000u /* bytes, as the format says */

/* ---- What is in the file: tensors and metadata, both by name ---- */

typedef struct entry {
    const char *name;
    const char *text; /* metadata: its value */
    nm_dtype dtype;   /* tensors: these */
    nm_shape shape;
    uint64_t begin, end; /* bytes of the data */
    nm_tensor *tensor;
} entry;

typedef struct list {
    entry *items; /* in the file's order */
    entry **sorted;
    int count, capacity;
} list;

struct nm_tensor_file {
    nm_context *context;
    char *header, *data; /* the file's two parts */
    list tensors, metadata;
};

/* A new item, cleared; NULL if memory ran out. */
static entry *list_add(nm_context *context, list *l)
{
    if (l->count == l->capacity) {
        int capacity = l->capacity ? 2 * l->capacity : 16;
        entry *items = nm_resize(context, l->items, (size_t)capacity * sizeof *items);
        if (!items) {
            return NULL;
        }
        l->items = items;
        l->capacity = capacity;
    }
    entry *added = &l->items[l->count++];
    *added = (entry){0};
    return added;
}

typedef int (*compare_fn)(const entry *a, const entry *b);

static int by_name(const entry *a, const entry *b)
{
    return strcmp(a->name, b->name);
}

/* Empty ranges come before others that begin where they do. */
static int by_range(const entry *a, const entry *b)
{
    return a->begin != b->begin ? (a->begin < b->begin ? -1 : 1)
                                : (a->end > b->end) - (a->end < b->end);
}

/* Lets the item at `at` sink below larger ones. */
static void sink(entry **heap, int at, int count, compare_fn compare)
{
    for (int child; (child = 2 * at + 1) < count; at = child) {
        child += child + 1 < count && compare(heap[child], heap[child + 1]) < 0;
        if (compare(heap[at], heap[child]) >= 0) {
            return;
        }
        entry *larger = heap[child];
        heap[child] = heap[at];
        heap[at] = larger;
    }
}

/* Heapsort: neither memory of its own, as qsort() may take, nor a slow case. */
static void sort(list *l, compare_fn compare)
{
    for (int at = l->count / 2; at-- > 0;) {
        sink(l->sorted, at, l->count, compare);
    }
    for (int count = l->count; --count > 0;) {
        entry *largest = l->sorted[0];
        l->sorted[0] = l->sorted[count];
        l->sorted[count] = largest;
        sink(l->sorted, 0, count, compare);
    }
}

static entry *list_find(const list *l, const char *name)
{
    int low = 0, high = l->count;
    while (low < high) {
        int middle = low + (high - low) / 2, order = strcmp(name, l->sorted[middle]->name);
        if (order == 0) {
            return l->sorted[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

/* ---- The header ---- */

typedef struct reader {
    nm_json json;
    nm_tensor_file *file;
    char shown[NM_SHOWN]; /* the name of the tensor that is being read, for messages */
} reader;

/* The context knows why already: memory ran out. */
static bool stop(reader *r)
{
    r->json.failed = true;
    return false;
}

enum { HAS_TYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4, HAS_ALL = 7 };

static bool read_type(reader *r, entry *e)
{
    char *text, shown[NM_SHOWN];
    if (!nm_json_string(&r->json, &text)) {
        return false;
    }
    for (int i = 0; i < NM_DTYPE_COUNT; i++) {
        if (strcmp(text, nm_safetensors_types[i]) == 0) {
            e->dtype = (nm_dtype)i;
            return true;
        }
    }
    return nm_json_fail(
        &r->json,
        "tensor \"%s\" has the type %s; F32, F64, BF16, I32, I64, U8 and I8 are read: "
        "convert it first",
        r->shown, nm_text_shown(text, strlen(text), shown));
}

static bool read_shape(reader *r, entry *e)
{
    nm_json_open(&r->json, '[');
    for (int rank = 0; nm_json_more(&r->json, ']', &rank);) {
        if (rank > NM_MAX_RANK) {
            return nm_json_fail(&r->json, "tensor \"%s\" has more than %d dimensions, the limit",
                                r->shown, NM_MAX_RANK);
        }
        e->shape.rank = rank;
        nm_json_count(&r->json, &e->shape.dim[rank - 1]);
    }
    return !r->json.failed;
}

static bool read_offsets(reader *r, entry *e)
{
    int64_t offsets[2] = {0, 0};
    int count = 0;
    nm_json_open(&r->json, '[');
    while (nm_json_more(&r->json, ']', &count)) {
        int64_t ignored;
        nm_json_count(&r->json, count <= 2 ? &offsets[count - 1] : &ignored);
    }
    if (count != 2 || offsets[0] > offsets[1]) {
        return nm_json_fail(&r->json, "the data_offsets of tensor \"%s\" are not [begin, end]",
                            r->shown);
    }
    e->begin = (uint64_t)offsets[0];
    e->end = (uint64_t)offsets[1];
    return true;
}

static bool read_field(reader *r, entry *e, const char *key, int *seen)
{
    static const struct {
        const char *key;
        int bit;
        bool (*read)(reader *r, entry *e);
    } fields[] = {{"dtype", HAS_TYPE, read_type},
                  {"shape", HAS_SHAPE, read_shape},
                  {"data_offsets", HAS_OFFSETS, read_offsets}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(key, fields[i].key) == 0 && !(*seen & fields[i].bit)) {
            *seen |= fields[i].bit;
            return fields[i].read(r, e);
        }
    }
    char shown[NM_SHOWN];
    return nm_json_fail(&r->json, "tensor \"%s\": the key \"%s\" is unknown or there twice",
                        r->shown, nm_text_shown(key, strlen(key), shown));
}

/* Promise 3. Sizes cannot overflow: nm_shape_count() leaves room for any type. */
static bool check_size(reader *r, const entry *e)
{
    int64_t count = nm_shape_count(&e->shape);
    char text[NM_SHAPE_TEXT];
    if (count < 0) {
        return nm_json_fail(&r->json, "tensor \"%s\": no tensor can have the shape %s", r->shown,
                            nm_shape_text(&e->shape, text));
    }
    uint64_t bytes = (uint64_t)count * nm_dtype_size(e->dtype);
    if (e->end - e->begin != bytes) {
        return nm_json_fail(
            &r->json, "tensor \"%s\": %s %s takes %llu bytes, but its data_offsets are %llu apart",
            r->shown, nm_safetensors_types[e->dtype], nm_shape_text(&e->shape, text),
            (unsigned long long)bytes, (unsigned long long)(e->end - e->begin));
    }
    return true;
}

static bool read_tensor(reader *r, const char *name)
{
    entry *e = list_add(r->json.context, &r->file->tensors);
    if (!e) {
        return stop(r);
    }
    e->name = name;
    nm_text_shown(name, strlen(name), r->shown);
    nm_json_open(&r->json, '{');
    int seen = 0;
    char *key;
    for (int n = 0; nm_json_more(&r->json, '}', &n);) {
        if (nm_json_key(&r->json, &key)) {
            read_field(r, e, key, &seen);
        }
    }
    if (seen != HAS_ALL) {
        return nm_json_fail(&r->json, "tensor \"%s\" needs dtype, shape and data_offsets",
                            r->shown);
    }
    return !r->json.failed && check_size(r, e);
}

static bool read_metadata(reader *r)
{
    nm_json_open(&r->json, '{');
    char *key, *text;
    for (int n = 0; nm_json_more(&r->json, '}', &n);) {
        if (nm_json_key(&r->json, &key) && nm_json_string(&r->json, &text)) {
            entry *e = list_add(r->json.context, &r->file->metadata);
            if (!e) {
                return stop(r);
            }
            e->name = key;
            e->text = text;
        }
    }
    return !r->json.failed;
}

static bool read_header(reader *r)
{
    bool metadata = false;
    char *name;
    nm_json_open(&r->json, '{');
    for (int n = 0; nm_json_more(&r->json, '}', &n);) {
        if (!nm_json_key(&r->json, &name)) {
            return false;
        }
        if (strcmp(name, "__metadata__") != 0) {
            read_tensor(r, name);
        } else if (metadata) {
            nm_json_fail(&r->json, "__metadata__ is there twice");
        } else {
            metadata = read_metadata(r);
        }
    }
    return nm_json_end(&r->json);
}

/* ---- What the header says, held against the data ---- */

/* Fails with a message about the file as a whole. */
#define FAIL_FILE(r, ...) (nm_fail((r)->json.context, NM_ERROR_FORMAT, __VA_ARGS__), false)

static bool sort_by_name(reader *r, list *l, const char *what)
{
    l->sorted = nm_alloc_zero(r->json.context, (size_t)l->count, sizeof *l->sorted);
    if (!l->sorted) {
        return false;
    }
    for (int i = 0; i < l->count; i++) {
        l->sorted[i] = &l->items[i];
    }
    sort(l, by_name);
    for (int i = 1; i < l->count; i++) {
        const char *name = l->sorted[i]->name;
        if (strcmp(l->sorted[i - 1]->name, name) == 0) {
            return FAIL_FILE(r, "%s: %s \"%s\" is there twice", r->json.file, what,
                             nm_text_shown(name, strlen(name), r->shown));
        }
    }
    return true;
}

/* `e` follows `before` in the data, of which everything up to `at` is taken. */
static bool check_range(reader *r, const entry *e, const entry *before, uint64_t at)
{
    nm_text_shown(e->name, strlen(e->name), r->shown);
    if (e->begin < at) {
        char other[NM_SHOWN];
        return FAIL_FILE(r, "%s: the data of tensors \"%s\" and \"%s\" overlaps", r->json.file,
                         nm_text_shown(before->name, strlen(before->name), other), r->shown);
    }
    if (e->begin > at) {
        return FAIL_FILE(
            r, "%s: bytes %llu to %llu of the data, before tensor \"%s\", belong to none",
            r->json.file, (unsigned long long)at, (unsigned long long)e->begin, r->shown);
    }
    return true;
}

/* Promise 2, but for the end: how many bytes of data there must be goes to *size. */
static bool check_cover(reader *r, uint64_t *size)
{
    list *l = &r->file->tensors;
    uint64_t at = 0;
    sort(l, by_range);
    for (int i = 0; i < l->count; i++) {
        if (!check_range(r, l->sorted[i], i ? l->sorted[i - 1] : NULL, at)) {
            return false;
        }
        at = l->sorted[i]->end;
    }
    *size = at;
    sort(l, by_name);
    return true;
}

static bool check_end(reader *r, uint64_t promised, uint64_t there)
{
    if (promised > there) {
        return FAIL_FILE(r,
                         "%s: truncated: the header promises %llu bytes of data, the file has %llu",
                         r->json.file, (unsigned long long)promised, (unsigned long long)there);
    }
    return promised == there || FAIL_FILE(r, "%s: %llu bytes behind the last tensor's",
                                          r->json.file, (unsigned long long)(there - promised));
}

/* ---- Tensors ---- */

/* Over the elements in the data where their type allows it: most files are aligned. */
static nm_tensor *make_tensor(nm_context *context, const entry *e, char *data)
{
    const size_t size = nm_dtype_size(e->dtype);
    nm_order_turn(data, nm_bytes(nm_shape_count(&e->shape), size), size);
    bool aligned = (uintptr_t)data % size == 0;
    nm_tensor *tensor = aligned ? nm_tensor_wrap(context, e->dtype, e->shape, data)
                                : nm_tensor_copy_of(context, e->dtype, e->shape, data);
    if (tensor && nm_tensor_set_name(tensor, e->name) != NM_OK) {
        nm_tensor_destroy(tensor);
        return NULL;
    }
    nm_tensor_own(tensor, true);
    return tensor;
}

static bool make_tensors(nm_tensor_file *file)
{
    for (int i = 0; i < file->tensors.count; i++) {
        entry *e = &file->tensors.items[i];
        e->tensor = make_tensor(file->context, e, file->data + e->begin);
        if (!e->tensor) {
            return false;
        }
    }
    return true;
}

/* ---- The whole file ---- */

/* The header's length against the limit and what is there. */
static bool check_length(reader *r, uint64_t length, const nm_input *input)
{
    if (length > HEADER_LIMIT) {
        return FAIL_FILE(r,
                         "%s: not a safetensors file: its first 8 bytes promise a header of %llu "
                         "bytes, and %u are the limit",
                         r->json.file, (unsigned long long)length, HEADER_LIMIT);
    }
    if (length > nm_input_left(input)) {
        return FAIL_FILE(r, "%s: truncated: the header has %llu bytes, the file only %llu for it",
                         r->json.file, (unsigned long long)length,
                         (unsigned long long)nm_input_left(input));
    }
    return true;
}

/* Of files that others save networks in. */
static bool refuse_file(reader *r, nm_input *input, const unsigned char *first)
{
    if (memcmp(first, "PK\3\4", 4) == 0) {
        return FAIL_FILE(r,
                         "%s: not a safetensors file but a zip archive, as PyTorch's are; in "
                         "Python: safetensors.torch.save_file(model.state_dict(), "
                         "\"net.safetensors\")",
                         r->json.file);
    }
    nm_refuse_file(input, r->json.file, "a safetensors file", first, 8);
    return false;
}

/* The length of the header, and its first character, which is looked at before memory is asked for.
 */
static bool read_length(reader *r, nm_input *input, uint64_t *length)
{
    unsigned char first[8];
    char begin = 0;
    size_t size = 0;
    if (nm_input_read(input, first, 8, &size) != NM_OK) {
        return false;
    }
    if (size < 8) {
        return FAIL_FILE(r, "%s: truncated: %zu bytes are no safetensors file", r->json.file, size);
    }
    memcpy(length, first, 8);
    nm_order_turn(length, 8, 8);
    if (*length > HEADER_LIMIT && nm_known_file(first, 8)) {
        return refuse_file(r, input, first);
    }
    if (!check_length(r, *length, input) ||
        (*length && nm_input_read(input, &begin, 1, &size) != NM_OK)) {
        return false;
    }
    return begin == '{' ||
           FAIL_FILE(r, "%s: not a safetensors file: its header must begin with {", r->json.file);
}

/* Reads the header's text to file->header. Promise 1. */
static bool read_text(reader *r, nm_input *input)
{
    uint64_t length = 0;
    if (!read_length(r, input, &length)) {
        return false;
    }
    size_t got = 0, rest = (size_t)length - 1;
    char *text = r->file->header = nm_alloc(r->json.context, rest + 1);
    if (!text || nm_input_read(input, text + 1, rest, &got) != NM_OK) {
        return false;
    }
    if (got < rest) {
        return FAIL_FILE(r, "%s: truncated: the file ends within the header", r->json.file);
    }
    *text = '{';
    r->json.begin = r->json.at = text;
    r->json.end = text + length;
    return true;
}

static bool read_data(reader *r, nm_input *input, uint64_t size)
{
    uint64_t there;
    void *data;
    if (nm_input_take(input, size, &there, &data) != NM_OK || !check_end(r, size, there)) {
        return false;
    }
    r->file->data = data;
    return true;
}

static bool read_file(nm_tensor_file *file, nm_input *input, const char *name)
{
    uint64_t size;
    reader r = {.json = {.context = file->context, .file = name}, .file = file};
    return read_text(&r, input) && read_header(&r) &&
           sort_by_name(&r, &file->metadata, "metadata") &&
           sort_by_name(&r, &file->tensors, "tensor") && check_cover(&r, &size) &&
           read_data(&r, input, size) && make_tensors(file);
}

/* Closes the input. */
static nm_tensor_file *read_input(nm_input *input, const char *name)
{
    nm_tensor_file *file = nm_alloc_zero(input->context, 1, sizeof *file);
    if (file) {
        file->context = input->context;
    }
    if (file && !read_file(file, input, name)) {
        nm_tensor_file_destroy(file);
        file = NULL;
    }
    nm_input_close(input);
    return file;
}

nm_tensor_file *nm_tensor_file_parse(nm_context *context, const void *data, size_t size,
                                     const char *name)
{
    nm_input input;
    nm_input_open_memory(&input, context, data, size);
    return read_input(&input, name);
}

nm_tensor_file *nm_tensor_file_read(nm_context *context, const char *path)
{
    NM_REQUIRE(context, path, NULL);
    nm_input input;
    return nm_input_open(&input, context, path, SIZE_MAX, false) == NM_OK
               ? read_input(&input, nm_file_title(path))
               : NULL;
}

void nm_tensor_file_destroy(nm_tensor_file *file)
{
    if (!file) {
        return;
    }
    nm_context *context = file->context;
    for (int i = 0; i < file->tensors.count; i++) {
        nm_tensor_own(file->tensors.items[i].tensor, false);
        nm_tensor_destroy(file->tensors.items[i].tensor);
    }
    nm_free(context, file->tensors.items);
    nm_free(context, file->tensors.sorted);
    nm_free(context, file->metadata.items);
    nm_free(context, file->metadata.sorted);
    nm_free(context, file->header);
    nm_free(context, file->data);
    nm_free(context, file);
}

/* ---- Looking into it ---- */

static const entry *entry_at(const nm_tensor_file *file, int index)
{
    return index >= 0 && index < file->tensors.count ? &file->tensors.items[index] : NULL;
}

int nm_tensor_file_count(const nm_tensor_file *file)
{
    NM_GIVEN(file, 0);
    return file->tensors.count;
}

const char *nm_tensor_file_name(const nm_tensor_file *file, int index)
{
    NM_GIVEN(file, NULL);
    const entry *e = entry_at(file, index);
    return e ? e->name : NULL;
}

nm_tensor *nm_tensor_file_at(const nm_tensor_file *file, int index)
{
    NM_GIVEN(file, NULL);
    const entry *e = entry_at(file, index);
    return e ? e->tensor : NULL;
}

void nm_tensor_file_replace(nm_tensor_file *file, const char *name, nm_tensor *tensor)
{
    entry *e = list_find(&file->tensors, name);
    nm_tensor_own(e->tensor, false);
    nm_tensor_destroy(e->tensor);
    nm_tensor_own(tensor, true);
    e->tensor = tensor;
}

nm_tensor *nm_tensor_file_find(const nm_tensor_file *file, const char *name)
{
    NM_GIVEN(file && name, NULL);
    const entry *e = list_find(&file->tensors, name);
    return e ? e->tensor : NULL;
}

const char *nm_tensor_file_metadata(const nm_tensor_file *file, const char *key)
{
    NM_GIVEN(file && key, NULL);
    const entry *e = list_find(&file->metadata, key);
    return e ? e->text : NULL;
}

const char *nm_tensor_file_metadata_key(const nm_tensor_file *file, int index)
{
    NM_GIVEN(file, NULL);
    return index >= 0 && index < file->metadata.count ? file->metadata.items[index].name : NULL;
}
