/* Any bytes as a file, plain or gzip: read whole, read by what a header declares, looked at first.
 * All ways must agree about what is in it. The first two bytes are what is declared, the third how
 * long the header is. */
#include "core/file.h"
#include "core/files/input.h"

#include "tests/fuzz/fuzz.h"

#define MOST_UNPACKED ((size_t)1 << 18) /* much more than is unpacked at a time */

/* `size` bytes at `whole` are the file's contents; NULL: it has none that are right. */
static void check_take(nm_context *context, const char *path, const char *whole, size_t size,
                       size_t header, uint64_t declared)
{
    nm_input input;
    unsigned char front[256];
    void *rest = NULL;
    size_t got = 0;
    uint64_t there = 0;
    nm_status status = nm_input_open(&input, context, path, SIZE_MAX, true);
    require(status == NM_OK || !whole);
    if (status != NM_OK) {
        return;
    }
    status = nm_input_read(&input, front, header, &got);
    require(!whole || (status == NM_OK && got == (size < header ? size : header)));
    if (status == NM_OK && got == header) {
        require(!whole || nm_input_left(&input) >= size - header);
        status = nm_input_take(&input, declared, &there, &rest);
        require(!whole || status == NM_OK);
        require(!rest || (status == NM_OK && there == declared));
    }
    if (whole && got == header) {
        uint64_t left = size - header;
        require((there == declared) == (left == declared) &&
                (there < declared) == (left < declared));
        require(!rest == (left != declared));
        require(!rest || memcmp(rest, whole + header, (size_t)declared) == 0);
    }
    nm_free(context, rest);
    nm_input_close(&input);
}

static void check_look(nm_context *context, const char *path, const char *whole, size_t size)
{
    unsigned char bytes[NM_MOST_LOOK];
    size_t got = 0;
    nm_status status = nm_input_look(context, path, bytes, sizeof bytes, &got);
    require(!whole || (status == NM_OK && got == (size < sizeof bytes ? size : sizeof bytes) &&
                       memcmp(bytes, whole, got) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fuzz_context f = {.most = (size_t)1 << 30};
    if (size < 3) {
        return 0;
    }
    nm_context *context = fuzz_begin(&f);
    static fuzz_file file;
    size_t whole_size = 0;
    const char *path = fuzz_put(&file, data + 3, size - 3);
    char *whole = nm_file_read_gz(context, path, MOST_UNPACKED, &whole_size);
    require(!whole == (nm_context_status(context) != NM_OK));
    nm_context_clear_error(context);
    const uint64_t declared = (uint64_t)(data[0] | data[1] << 8);
    check_take(context, path, whole, whole_size, data[2], declared);
    nm_context_clear_error(context);
    if (whole && whole_size >= data[2]) {
        check_take(context, path, whole, whole_size, data[2], whole_size - data[2]);
    }
    check_look(context, path, whole, whole_size);
    nm_free(context, whole);
    fuzz_end(&f);
    return 0;
}
