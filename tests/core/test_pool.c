/* The pool of buffers: who gets what, and what the allocator is asked for. */
#include <string.h>

#include "core/internal.h"

#include "tests/test.h"

#define MIB ((size_t)1 << 20)

static nm_context *context;
static test_memory memory;

static void begin(void)
{
    memory = (test_memory){.fail_at = -1};
    context = test_context(&memory);
}

static void end(void)
{
    test_context_end(context, &memory);
}

/* Fills what it takes, for the sanitizers to see, and looks at its alignment. */
static char *take(size_t bytes)
{
    char *scratch = nm_scratch(context, bytes);
    ck_assert_ptr_nonnull(scratch);
    ck_assert_uint_eq((uintptr_t)scratch % 64, 0);
    memset(scratch, 1, bytes);
    return scratch;
}

START_TEST(a_buffer_that_came_back_is_handed_out_again)
{
    begin();
    for (size_t bytes = 1; bytes < 32 * MIB; bytes = bytes * 3 + 1) {
        nm_scratch_end(take(bytes));
        long calls = memory.calls;
        nm_scratch_end(take(bytes));
        ck_assert_int_eq(memory.calls, calls);
    }
    end();
}
END_TEST

START_TEST(a_large_buffer_serves_as_two_halves_and_four_quarters_and_becomes_whole_again)
{
    begin();
    nm_scratch_end(take(8 * MIB));
    long calls = memory.calls;
    for (int round = 0; round < 3; round++) {
        char *quarter[2] = {take(2 * MIB), take(2 * MIB)}, *half = take(4 * MIB);
        ck_assert_int_eq(memory.calls, calls);
        nm_scratch_end(quarter[round % 2]);
        nm_scratch_end(half);
        nm_scratch_end(quarter[1 - round % 2]);
        nm_scratch_end(take(8 * MIB));
        ck_assert_int_eq(memory.calls, calls);
    }
    end();
}
END_TEST

START_TEST(every_large_size_can_be_cut_down_to_a_mebibyte)
{
    begin();
    char *piece[64];
    for (size_t whole = 64 * MIB, part; whole <= 112 * MIB; whole += 16 * MIB) {
        nm_scratch_end(take(whole));
        long calls = memory.calls;
        part = whole / 64;
        for (int i = 0; i < 64; i++) {
            piece[i] = take(part);
        }
        for (int i = 0; i < 64; i++) {
            nm_scratch_end(piece[i * 37 % 64]);
        }
        nm_scratch_end(take(whole));
        ck_assert_int_eq(memory.calls, calls);
        nm_context_trim(context);
    }
    end();
}
END_TEST

START_TEST(small_buffers_that_wait_make_room_for_a_large_one)
{
    begin();
    char *small[4];
    for (int i = 0; i < 4; i++) {
        small[i] = take(2 * MIB);
    }
    size_t peak = nm_context_pool_peak(context);
    for (int i = 0; i < 4; i++) {
        nm_scratch_end(small[i]);
    }
    nm_scratch_end(take(8 * MIB));
    ck_assert_uint_le(nm_context_pool_peak(context), peak + 4096);
    end();
}
END_TEST

START_TEST(layers_that_shrink_and_grow_settle_and_need_little_more_than_they_hold)
{
    begin();
    char *saved[3][4], *gradient;
    long calls = 0;
    for (int step = 0; step < 6; step++) {
        calls = step == 3 ? memory.calls : calls;
        for (int stage = 0; stage < 3; stage++) {
            for (int i = 0; i < 4; i++) {
                saved[stage][i] = take(8 * MIB >> stage);
            }
        }
        for (int stage = 3; stage-- > 0;) {
            gradient = take(8 * MIB >> stage);
            for (int i = 0; i < 4; i++) {
                nm_scratch_end(saved[stage][i]);
            }
            nm_scratch_end(gradient);
        }
    }
    ck_assert_int_eq(memory.calls, calls);
    ck_assert_uint_le(nm_context_pool_peak(context), (4 * (8 + 4 + 2) + 3) * MIB);
    end();
}
END_TEST

START_TEST(trimming_gives_everything_back_that_waits)
{
    begin();
    char *kept = take(2 * MIB);
    nm_scratch_end(take(8 * MIB));
    nm_scratch_end(take(100));
    nm_context_trim(context);
    ck_assert_uint_lt(nm_context_pool_bytes(context), 2 * MIB + 4096);
    nm_scratch_end(kept);
    nm_context_trim(context);
    ck_assert_uint_eq(nm_context_pool_bytes(context), 0);
    end();
}
END_TEST

TEST_MAIN("core/pool", a_buffer_that_came_back_is_handed_out_again,
          a_large_buffer_serves_as_two_halves_and_four_quarters_and_becomes_whole_again,
          every_large_size_can_be_cut_down_to_a_mebibyte,
          small_buffers_that_wait_make_room_for_a_large_one,
          layers_that_shrink_and_grow_settle_and_need_little_more_than_they_hold,
          trimming_gives_everything_back_that_waits)
