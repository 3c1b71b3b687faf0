#include <string.h>

#include "core/op.h"

#include "tests/test.h"

START_TEST(the_first_error_is_kept_until_cleared)
{
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(nm_fail(context, NM_ERROR_IO, "first %d", 1), NM_ERROR_IO);
    ck_assert_int_eq(nm_fail(context, NM_ERROR_INPUT, "second"), NM_ERROR_INPUT);
    ck_assert_int_eq(nm_context_status(context), NM_ERROR_IO);
    ck_assert_str_eq(nm_context_error(context), "first 1");
    nm_context_clear_error(context);
    ck_assert_str_eq(nm_context_error(context), "");
    assert_fine(context);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_prefix_says_where_the_error_was)
{
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(nm_fail_in(context, "nowhere"), NM_OK);
    nm_fail(context, NM_ERROR_INPUT, "bad shape");
    ck_assert_int_eq(nm_fail_in(context, "layer %d", 3), NM_ERROR_INPUT);
    ck_assert_str_eq(nm_context_error(context), "layer 3: bad shape");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_long_error_is_cut_and_stays_a_string)
{
    nm_context *context = test_context(NULL);
    char text[20000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    nm_fail(context, NM_ERROR_INPUT, "%s", text);
    nm_fail_in(context, "%s", text);
    ck_assert_uint_eq(strlen(nm_context_error(context)), 8191);
    nm_context_destroy(context);
}
END_TEST

START_TEST(every_status_has_a_name)
{
    for (int status = NM_ERROR_INTERNAL; status <= NM_OK; status++) {
        ck_assert_str_ne(nm_status_name((nm_status)status), "unknown status");
    }
    ck_assert_str_eq(nm_status_name((nm_status)7), "unknown status");
}
END_TEST

START_TEST(memory_comes_from_the_allocator_and_goes_back)
{
    test_memory memory = {.fail_at = -1};
    nm_context *context = test_context(&memory);
    long before = memory.live;
    char *text = nm_format(context, "%s-%d", "conv", 12);
    ck_assert_str_eq(text, "conv-12");
    char *copy = nm_copy_string(context, text);
    ck_assert_str_eq(copy, text);
    ck_assert_int_eq(memory.live, before + 2);
    nm_free(context, text);
    nm_free(context, copy);
    nm_free(context, NULL);
    ck_assert_int_eq(memory.live, before);
    test_context_end(context, &memory);
}
END_TEST

START_TEST(an_allocation_that_overflows_is_refused)
{
    nm_context *context = test_context(NULL);
    ck_assert_ptr_null(nm_alloc_zero(context, SIZE_MAX / 2, 3));
    assert_error(context, NM_ERROR_MEMORY, "out of memory");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_failed_resize_keeps_the_old_memory)
{
    test_memory memory = {.fail_at = -1};
    nm_context *context = test_context(&memory);
    char *text = nm_copy_string(context, "kept");
    memory.fail_at = memory.calls;
    ck_assert_ptr_null(nm_resize(context, text, 1000));
    ck_assert_str_eq(text, "kept");
    assert_error(context, NM_ERROR_MEMORY, "1000 bytes");
    nm_free(context, text);
    test_context_end(context, &memory);
}
END_TEST

START_TEST(a_context_can_fail_at_any_allocation)
{
    for (long n = 0; n < 100; n++) {
        test_memory memory = {.fail_at = n};
        nm_context *context = test_context(&memory);
        bool failed = memory.calls > n;
        ck_assert_int_eq(context == NULL, failed);
        test_context_end(context, &memory);
        if (!failed) {
            return;
        }
    }
    ck_abort_msg("never completed");
}
END_TEST

static void remember(void *user, nm_log_level level, const char *message)
{
    if (level == NM_LOG_WARNING) {
        strncpy(user, message, 63);
    }
}

START_TEST(what_the_library_says_goes_to_the_callback)
{
    char said[64] = "";
    nm_context *context =
        nm_context_create(&(nm_context_options){.log = remember, .log_user = said});
    nm_context_log(context, NM_LOG_INFO, "nothing");
    nm_context_log(context, NM_LOG_WARNING, "rate %.1f", 0.5);
    ck_assert_str_eq(said, "rate 0.5");
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_pool_reuses_buffers_and_trims)
{
    test_memory memory = {.fail_at = -1};
    nm_context *context = test_context(&memory);
    void *a = nm_scratch(context, 1000);
    ck_assert_uint_eq((uintptr_t)a % 64, 0);
    nm_scratch_end(a);
    long calls = memory.calls;
    void *b = nm_scratch(context, 990);
    ck_assert_ptr_eq(a, b);
    ck_assert_int_eq(memory.calls, calls);
    nm_scratch_end(b);
    ck_assert_uint_gt(nm_context_pool_bytes(context), 1000);
    nm_context_trim(context);
    ck_assert_uint_eq(nm_context_pool_bytes(context), 0);
    ck_assert_uint_gt(nm_context_pool_peak(context), 1000);
    test_context_end(context, &memory);
}
END_TEST

START_TEST(a_buffer_wastes_little_at_any_size)
{
    nm_context *context = test_context(NULL);
    for (size_t bytes = 1; bytes < 3000000; bytes += bytes / 7 + 1) {
        size_t before = nm_context_pool_bytes(context);
        char *memory = nm_scratch(context, bytes);
        size_t taken = nm_context_pool_bytes(context) - before;
        memory[0] = memory[bytes - 1] = 1;
        ck_assert_msg(!taken || (taken >= bytes && taken <= bytes + bytes / 4 + 256),
                      "%zu bytes took %zu", bytes, taken);
        nm_scratch_end(memory);
        nm_context_trim(context); /* or it might make room for a larger one */
    }
    ck_assert_ptr_null(nm_scratch(context, SIZE_MAX - 60));
    assert_error(context, NM_ERROR_MEMORY, "out of memory");
    nm_context_destroy(context);
}
END_TEST

START_TEST(no_more_threads_than_a_system_gives)
{
    nm_context *context = test_context(NULL);
    nm_context_set_threads(context, 3);
    ck_assert_int_eq(nm_context_threads(context), 3);
    nm_context_set_threads(context, 1000000);
    ck_assert_int_eq(nm_context_threads(context), NM_MAX_THREADS);
    nm_context_set_threads(context, 0);
    ck_assert_int_ge(nm_context_threads(context), 1);
    test_context_end(context, NULL);
}
END_TEST

TEST_MAIN("core/context", the_first_error_is_kept_until_cleared, a_prefix_says_where_the_error_was,
          a_long_error_is_cut_and_stays_a_string, every_status_has_a_name,
          memory_comes_from_the_allocator_and_goes_back, an_allocation_that_overflows_is_refused,
          a_failed_resize_keeps_the_old_memory, a_context_can_fail_at_any_allocation,
          what_the_library_says_goes_to_the_callback, the_pool_reuses_buffers_and_trims,
          a_buffer_wastes_little_at_any_size, no_more_threads_than_a_system_gives)
