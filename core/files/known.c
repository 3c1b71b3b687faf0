#include "core/files/known.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *bytes;
    size_t size;
    const char *what;
} known_files[] = {
    {"PK\3\4", 4, "a zip archive, as .xlsx and .ods are; save the sheet as CSV"},
    {"\xd0\xcf\x11\xe0", 4, "an .xls workbook; save the sheet as CSV"},
    {"PAR1", 4, "a Parquet file; write the table as CSV"},
    {"ARROW1", 6, "an Arrow file (Feather); write the table as CSV"},
    {"SQLite format 3", 15, "a SQLite database; write the table as CSV"},
    {"RDX", 3, "a file of R's own; write.csv() makes a table of it"},
    {"\x93NUMPY", 6, "a NumPy array; read it with npy: {x: ..., y: ...}"},
    {"\x89HDF", 4, "an HDF5 file; save its arrays with numpy.save()"},
    {"MATLAB 5.0", 10, "a MATLAB file; save its arrays with numpy.save()"},
    {"\x89PNG", 4, "a picture; save all of them as one array with numpy.save()"},
    {"\xff\xd8\xff", 3, "a picture; save all of them as one array with numpy.save()"},
    {"\x80\3", 2, "a Python pickle; save its array with numpy.save()"},
    {"\x80\4", 2, "a Python pickle; save its array with numpy.save()"},
    {"\x80\5", 2, "a Python pickle; save its array with numpy.save()"},
    {"\x1f\x8b", 2, "gzip data; unpack it with gunzip"},
    {"BZh", 3, "compressed by bzip2; gzip or plain text can be read"},
    {"\xfd"
     "7zXZ",
     5, "compressed by xz; gzip or plain text can be read"},
    {"\x28\xb5\x2f\xfd", 4, "compressed by zstd; gzip or plain text can be read"},
    {"version https://git-lfs", 23,
     "a pointer of Git LFS and not the file itself, which `git lfs pull` fetches"},
};

/* ---- Kinds of text that are no tables ---- */

static bool is_idx(const unsigned char *bytes, size_t size)
{
    return size >= 4 && !bytes[0] && !bytes[1] && bytes[2] >= 0x08 && bytes[2] <= 0x0e &&
           bytes[2] != 0x0a && bytes[3] >= 1 && bytes[3] <= 6;
}

/* The header's length, and the map that it is. */
static bool is_tensors(const unsigned char *bytes, size_t size)
{
    return size >= 10 && !bytes[6] && !bytes[7] && bytes[8] == '{' && bytes[9] == '"';
}

/* The next byte that is no white space, from *at on; 0: none. */
static char next_mark(const char *bytes, size_t size, size_t *at)
{
    while (*at < size && bytes[*at] && strchr(" \t\r\n", bytes[*at])) {
        ++*at;
    }
    return *at < size ? bytes[(*at)++] : (char)0;
}

static bool is_json(const char *bytes, size_t size)
{
    size_t at = 0;
    const char first = next_mark(bytes, size, &at), second = next_mark(bytes, size, &at);
    return (first == '{' && second == '"') || (first == '[' && (second == '{' || second == '['));
}

static bool is_web_page(const char *bytes, size_t size)
{
    static const char *const begins[] = {"!doctype html", "html"};
    size_t at = 0;
    if (next_mark(bytes, size, &at) != '<') {
        return false;
    }
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        const size_t length = strlen(begins[i]);
        if (size - at >= length && strncasecmp(bytes + at, begins[i], length) == 0) {
            return true;
        }
    }
    return false;
}

const char *nm_known_file(const void *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof known_files / sizeof *known_files; i++) {
        if (size >= known_files[i].size &&
            !memcmp(bytes, known_files[i].bytes, known_files[i].size)) {
            return known_files[i].what;
        }
    }
    if (is_idx(bytes, size)) {
        return "an IDX file; read it with idx: {images: ..., labels: ...}";
    }
    if (is_tensors(bytes, size)) {
        return "a saved network (safetensors); predict, eval and check take it, and train: {from: "
               "PATH} begins with it";
    }
    if (is_json(bytes, size)) {
        return "JSON; write the table as CSV: pandas.read_json(...).to_csv(...)";
    }
    return is_web_page(bytes, size) ? "a web page (HTML); look at what was downloaded" : NULL;
}

/* ---- Messages ---- */

static bool is_text(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] < ' ' && !strchr("\t\r\n", bytes[i] ? bytes[i] : 1)) {
            return false;
        }
    }
    return size > 0;
}

nm_status nm_refuse_file(nm_input *input, const char *name, const char *wanted, const void *begin,
                         size_t size)
{
    unsigned char bytes[64] = {0};
    size_t more = 0;
    memcpy(bytes, begin, size);
    nm_status status = nm_input_read(input, bytes + size, sizeof bytes - size, &more);
    if (status != NM_OK) {
        return status;
    }
    size += more;
    const char *what = nm_known_file(bytes, size);
    if (!what && is_text(bytes, size)) {
        what = "text; read a table with csv: {path: ...}";
    }
    if (!what && size == 0) {
        what = "empty";
    }
    return what ? nm_fail(input->context, NM_ERROR_FORMAT, "%s: not %s but %s", name, wanted, what)
                : nm_fail(input->context, NM_ERROR_FORMAT,
                          "%s: not %s: it begins with %02x %02x %02x %02x", name, wanted, bytes[0],
                          bytes[1], bytes[2], bytes[3]);
}
