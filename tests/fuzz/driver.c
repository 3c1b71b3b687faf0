/* Runs a fuzz entry without libFuzzer, so that the usual tests cover it: over every file of a
 * folder whole, cut off at every length, and with every byte changed in several ways. usage:
 * fuzz_NAME FOLDER */
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct session {
    FILE *kept; /* the input that is running, so that it survives a crash */
    long runs;
} session;

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void keep(session *s, const uint8_t *data, size_t size)
{
    rewind(s->kept);
    if (ftruncate(fileno(s->kept), 0) != 0 || fwrite(data, 1, size, s->kept) != size ||
        fflush(s->kept) != 0) {
        fail("cannot keep the input");
    }
}

/* The entry gets a block of its own of exactly that size, so that reading on is seen. */
static void run_one(session *s, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) {
        fail("copy");
    }
    memcpy(copy, data, size);
    keep(s, copy, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    s->runs++;
}

static void run_truncations(session *s, const uint8_t *data, size_t size)
{
    for (size_t length = 0; length <= size; length++) {
        run_one(s, data, length);
    }
}

static void run_corruptions(session *s, uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t old = data[i];
        const uint8_t changed[] = {0x00, 0xff, '9', '-', (uint8_t)(old + 1), (uint8_t)(old ^ 0x80)};
        for (size_t k = 0; k < sizeof changed; k++) {
            data[i] = changed[k];
            if (changed[k] != old) {
                run_one(s, data, size);
            }
        }
        data[i] = old;
    }
}

static void run_seed(session *s, const char *path)
{
    static uint8_t data[1 << 16];
    FILE *file = fopen(path, "rb");
    if (!file) {
        fail(path);
    }
    size_t size = fread(data, 1, sizeof data, file);
    if (ferror(file) || !feof(file)) {
        fprintf(stderr, "%s: cannot be read, or is too large for a seed\n", path);
        exit(EXIT_FAILURE);
    }
    fclose(file);
    run_truncations(s, data, size);
    run_corruptions(s, data, size);
}

static int run_folder(session *s, const char *folder)
{
    struct dirent **entries;
    int seeds = 0, count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0) {
        fail(folder);
    }
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            run_seed(s, path);
            seeds++;
        }
        free(entries[i]);
    }
    free(entries);
    return seeds;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return EXIT_FAILURE;
    }
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s.input", argv[0]);
    session s = {.kept = fopen(path, "wb")};
    if (!s.kept) {
        fail(path);
    }
    printf("if this crashes, the input is in %s\n", path);
    fflush(stdout);
    int seeds = run_folder(&s, argv[1]);
    printf("%d seeds, %ld runs\n", seeds, s.runs);
    fclose(s.kept);
    remove(path);
    return seeds ? EXIT_SUCCESS : EXIT_FAILURE;
}
