#include "tests/test.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static pid_t folder_owner;

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *at)
{
    (void)info;
    (void)flag;
    (void)at;
    return remove(path);
}

static void remove_folder(void)
{
    if (folder[0] && getpid() == folder_owner) {
        nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    }
}

const char *test_folder(void)
{
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/norma-test-XXXXXX");
        if (!mkdtemp(folder)) { /* may run outside a test, where Check cannot report */
            perror(folder);
            exit(EXIT_FAILURE);
        }
        folder_owner = getpid();
        atexit(remove_folder);
    }
    return folder;
}

const char *test_path(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", test_folder(), name);
    return path;
}

void test_write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_msg(file != NULL, "cannot write %s", path);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

int test_run(const char *name, const TTest *const *tests, int count)
{
    test_folder(); /* before Check forks, so that one folder serves all and goes at the end */
    Suite *suite = suite_create(name);
    for (int i = 0; i < count; i++) {
        TCase *one = tcase_create(tests[i]->name);
        tcase_set_timeout(one, 600); /* for what hangs alone: a busy machine may be slow */
        tcase_add_test(one, tests[i]);
        suite_add_tcase(suite, one);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void *counted_resize(void *user, void *memory, size_t size)
{
    test_memory *m = user;
    if (!size) {
        m->live -= memory != NULL;
        free(memory);
        return NULL;
    }
    long call = m->calls++;
    if (m->fail_at >= 0 && (call == m->fail_at || (m->fail_after && call > m->fail_at))) {
        return NULL;
    }
    void *result = realloc(memory, size);
    m->live += !memory && result;
    return result;
}

nm_allocator test_allocator(test_memory *memory)
{
    return (nm_allocator){counted_resize, memory};
}

static char warnings[4096];
static size_t warned, asked; /* bytes of it; of those asked for */

void test_log(void *user, nm_log_level level, const char *message)
{
    (void)user;
    if (level == NM_LOG_WARNING && warned < sizeof warnings - 1) {
        snprintf(warnings + warned, sizeof warnings - warned, "%s\n", message);
        warned += strlen(warnings + warned);
    }
}

const char *test_warnings(void)
{
    size_t from = asked;
    if (asked == warned) { /* room again */
        warned = from = 0;
        warnings[0] = 0;
    }
    asked = warned;
    return warnings + from;
}

nm_context *test_context(test_memory *memory)
{
    nm_context_options options = {.threads = 2, .seed = 1, .log = test_log};
    if (memory) {
        options.allocator = test_allocator(memory);
    }
    return nm_context_create(&options);
}

void test_context_end(nm_context *context, test_memory *memory)
{
    nm_context_destroy(context);
    if (memory) {
        ck_assert_msg(memory->live == 0, "%ld blocks leaked (failing allocation %ld)", memory->live,
                      memory->fail_at);
    }
}

void test_turn(void *elements, size_t bytes, size_t size)
{
    const uint16_t one = 1;
    unsigned char *first = elements, least = *(const unsigned char *)&one;
    for (size_t at = 0; !least && at < bytes; at += size) {
        for (size_t i = 0; i < size / 2; i++) {
            unsigned char kept = first[at + i];
            first[at + i] = first[at + size - 1 - i];
            first[at + size - 1 - i] = kept;
        }
    }
}

void assert_error(nm_context *context, nm_status status, const char *part)
{
    const char *message = nm_context_error(context);
    ck_assert_msg(nm_context_status(context) == status, "status %s, not %s: %s",
                  nm_status_name(nm_context_status(context)), nm_status_name(status), message);
    ck_assert_msg(strstr(message, part) != NULL, "\"%s\" does not contain \"%s\"", message, part);
    nm_context_clear_error(context);
}

void assert_fine(nm_context *context)
{
    ck_assert_msg(nm_context_status(context) == NM_OK, "%s", nm_context_error(context));
}

bool near_to(double a, double b, double relative, double absolute)
{
    return a == b || fabs(a - b) <= absolute + relative * fabs(b);
}

void test_every_allocation(nm_status (*scenario)(test_memory *memory))
{
    for (int after = 0; after < 2; after++) {
        for (long n = 0;; n++) {
            test_memory memory = {.fail_at = n, .fail_after = after};
            nm_status status = scenario(&memory);
            if (memory.calls <= n) {
                ck_assert_int_eq(status, NM_OK);
                break;
            }
            ck_assert_msg(status == NM_ERROR_MEMORY, "allocation %ld failed, but the status is %s",
                          n, nm_status_name(status));
        }
    }
}
