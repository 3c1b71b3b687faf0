/* What every test uses: Check, a runner, a context whose allocations can be counted and failed. */
#ifndef NM_TESTS_TEST_H
#define NM_TESTS_TEST_H

#include <check.h>

#include "core/tensor.h"

/* Ends a test file: TEST_MAIN("core/value", a_duplicate_key_is_an_error, ...). A test left out is
 * an unused variable, which the build refuses. */
#define TEST_MAIN(name, ...)                                                                       \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *tests[] = {__VA_ARGS__};                                                      \
        return test_run(name, tests, (int)(sizeof tests / sizeof *tests));                         \
    }

int test_run(const char *name, const TTest *const *tests, int count);

/* An allocator that counts and can fail. */
typedef struct test_memory {
    long calls;      /* allocations asked for (not frees) */
    long live;       /* blocks not freed yet */
    long fail_at;    /* the call (from 0) that fails; -1: none */
    bool fail_after; /* and all later ones */
} test_memory;

nm_allocator test_allocator(test_memory *memory);

/* A bare context (nm_context_create) on `memory` (may be NULL), with 2 threads and seed 1. */
nm_context *test_context(test_memory *memory);
/* Destroys it and, if there is a memory, asserts that nothing leaked. */
void test_context_end(nm_context *context, test_memory *memory);

/* The log of test_context(), and for contexts of others: keeps warnings, a line each, in a text of
 * which test_warnings() gives what has come since it was asked before. */
void test_log(void *user, nm_log_level level, const char *message);
const char *test_warnings(void);

/* Asserts the standing error: its status, and that its message contains `part`. Then clears it. */
void assert_error(nm_context *context, nm_status status, const char *part);
/* Asserts that no error stands; prints it if one does. */
void assert_fine(nm_context *context);
/* |a - b| <= absolute + relative * |b|, false for NaN. */
bool near_to(double a, double b, double relative, double absolute);
#define assert_near(a, b, relative, absolute)                                                      \
    do {                                                                                           \
        double near_a = (a), near_b = (b);                                                         \
        ck_assert_msg(near_to(near_a, near_b, relative, absolute), "%s = %.17g, not %.17g", #a,    \
                      near_a, near_b);                                                             \
    } while (0)

/* Runs a scenario again and again, failing allocation 0, 1, 2, ... (first once, then that one and
 * all later) until it completes without a failure. The scenario makes and ends its own context
 * with test_context(memory) / test_context_end(); it returns the context's status at its end, and
 * must return NM_ERROR_MEMORY whenever an allocation failed, leaking nothing. Creating the context
 * may return NULL: return NM_ERROR_MEMORY then. */
void test_every_allocation(nm_status (*scenario)(test_memory *memory));

/* Turns elements of `size` bytes from memory's order to that of files, least significant byte
 * first, or back. */
void test_turn(void *elements, size_t bytes, size_t size);

/* A fresh folder for a test's files, removed at exit; the path has no trailing slash. */
const char *test_folder(void);
/* "folder/name" in static memory, eight at a time. */
const char *test_path(const char *name);
void test_write_file(const char *path, const void *data, size_t size);

#endif
