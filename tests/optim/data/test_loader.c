/* Batches: what is in them, that they are the same however they are made, and a loader's life. */
#include <math.h>
#include <time.h>

#include "tests/malloc_count.h"
#include "tests/optim/data/loaders.h"

/* ---- Order ---- */

START_TEST(evaluation_takes_every_sample_once_and_in_order)
{
    epoch e;
    context = test_context(NULL);
    nm_dataset set = numbers(10);
    nm_loader *loader =
        CREATE(&set, false, 1, .batch = 4, .shuffle = true, .last_batch = NM_SHORT_DROP);
    run_epoch(loader, 0, &e);
    ck_assert_int_eq(e.count, 10);
    ck_assert_int_eq(nm_loader_samples(loader), 10);
    ck_assert_int_eq(e.batches, 3);
    ck_assert_int_eq(e.sizes[2], 2);
    ck_assert_mem_eq(e.values, set.samples, 10 * sizeof(float));
    nm_loader_destroy(loader);
    nm_context_destroy(context);
}
END_TEST

START_TEST(shuffling_gives_every_sample_once_and_another_order_each_epoch)
{
    epoch e[2];
    context = test_context(NULL);
    nm_dataset set = numbers(MOST);
    nm_loader *loader = CREATE(&set, true, 1, .batch = 10);
    for (int i = 0; i < 2; i++) {
        int seen[MOST] = {0};
        run_epoch(loader, i, &e[i]);
        for (int j = 0; j < MOST; j++) {
            seen[(int)e[i].values[j]]++;
        }
        for (int j = 0; j < MOST; j++) {
            ck_assert_int_eq(seen[j], 1);
        }
    }
    ck_assert_mem_ne(e[0].values, e[1].values, MOST * sizeof(float));
    ck_assert_mem_ne(e[0].values, set.samples, MOST * sizeof(float));
    nm_loader_destroy(loader);
    nm_context_destroy(context);
}
END_TEST

START_TEST(targets_stay_with_their_samples)
{
    nm_batch batch;
    context = test_context(NULL);
    nm_dataset set = numbers(MOST);
    nm_loader *loader = CREATE(&set, true, 1, .batch = 7);
    nm_loader_begin(loader, 0, 0);
    while (nm_loader_next(loader, &batch) == NM_OK && batch.count) {
        ck_assert(nm_shape_equal(&batch.target_shape, &NM_SHAPE(batch.count)));
        ck_assert_int_eq(batch.target_dtype, NM_I32);
        for (int64_t i = 0; i < batch.count; i++) {
            ck_assert_int_eq(((const int32_t *)batch.targets)[i], (int)batch.x[i]);
        }
    }
    nm_loader_destroy(loader);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_view_gives_its_own_samples_alone)
{
    epoch e;
    nm_dataset rest, part;
    context = test_context(NULL);
    nm_dataset set = numbers(20);
    nm_dataset_split(&set, 0.3, 5, &rest, &part);
    for (int augment = 0; augment < 2; augment++) {
        nm_loader *loader = CREATE(&part, augment, 1, .batch = 4);
        int seen[20] = {0};
        run_epoch(loader, 0, &e);
        ck_assert_int_eq(e.count, 6);
        for (int i = 0; i < 6; i++) {
            seen[(int)e.values[i]]++;
        }
        for (int i = 0; i < 6; i++) {
            ck_assert_int_eq(seen[part.rows[i]], 1);
        }
        nm_loader_destroy(loader);
    }
    nm_dataset_close(&rest);
    nm_dataset_close(&part);
    nm_context_destroy(context);
}
END_TEST

/* ---- The last batch ---- */

START_TEST(a_short_last_batch_is_kept_dropped_or_merged)
{
    static const struct {
        int64_t samples, batch;
        int last;
        int64_t batches, used, last_size;
    } rows[] = {
        {9, 4, NM_SHORT_KEEP, 3, 9, 1},          {9, 4, NM_SHORT_DROP, 2, 8, 4},
        {9, 4, NM_SHORT_MERGE, 2, 9, 5},         {8, 4, NM_SHORT_KEEP, 2, 8, 4},
        {8, 4, NM_SHORT_DROP, 2, 8, 4},          {8, 4, NM_SHORT_MERGE, 2, 8, 4},
        {3, 4, NM_SHORT_KEEP, 1, 3, 3},          {3, 4, NM_SHORT_MERGE, 1, 3, 3},
        {9, 4, NM_SHORT_AUTO, 3, 9, 1},          {5, 1, NM_SHORT_MERGE, 5, 5, 1},
        {3, 1000000000, NM_SHORT_KEEP, 1, 3, 3},
    };
    context = test_context(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        epoch e;
        nm_dataset set = numbers(rows[i].samples);
        nm_loader *loader =
            CREATE(&set, true, 1, .batch = rows[i].batch, .last_batch = rows[i].last);
        ck_assert_int_eq(nm_loader_batches(loader), rows[i].batches);
        ck_assert_int_eq(nm_loader_samples(loader), rows[i].used);
        run_epoch(loader, 0, &e);
        ck_assert_int_eq(e.count, rows[i].used);
        for (int64_t b = 0; b + 1 < e.batches; b++) {
            ck_assert_int_eq(e.sizes[b], rows[i].batch);
        }
        ck_assert_int_eq(e.sizes[e.batches - 1], rows[i].last_size);
        nm_loader_destroy(loader);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(dropping_everything_is_an_error)
{
    context = test_context(NULL);
    nm_dataset set = numbers(3);
    nm_loader_options o = {NM_LOADER_DEFAULTS, .batch = 4, .last_batch = NM_SHORT_DROP};
    ck_assert_ptr_null(nm_loader_create(context, &set, &o, true, 1));
    assert_error(context, NM_ERROR_INPUT, "a batch of 4 is more than the 3 samples");
    nm_context_destroy(context);
}
END_TEST

/* ---- The same bits ---- */

static void expect_equal_epochs(nm_loader *a, nm_loader *b)
{
    static epoch ea, eb;
    for (int number = 0; number < 3; number++) {
        run_epoch(a, number, &ea);
        run_epoch(b, number, &eb);
        ck_assert_mem_eq(&ea, &eb, sizeof ea);
    }
}

/* Of a context of so many threads: with one, a thread of the loader's own prepares batches if the
 * machine has two processors; without prefetching all threads do it together. */
static nm_loader *loader_of(const nm_dataset *set, int threads, bool prefetch)
{
    nm_context_set_threads(context, threads);
    return CREATE(set, true, 3, .batch = 30, .crop = 2, .flip = true, .shift = 1,
                  .prefetch = prefetch);
}

START_TEST(batches_do_not_depend_on_prefetching_threads_or_the_order_of_epochs)
{
    context = test_context(NULL);
    nm_dataset set = images(MOST);
    nm_loader *ahead = loader_of(&set, 1, true), *alone = loader_of(&set, 1, false);
    nm_loader *together = loader_of(&set, 3, false);
    static epoch skipped;
    run_epoch(alone, 9, &skipped);
    expect_equal_epochs(ahead, alone);
    expect_equal_epochs(together, alone);
    nm_loader_destroy(ahead);
    nm_loader_destroy(alone);
    nm_loader_destroy(together);
    nm_context_destroy(context);
}
END_TEST

START_TEST(another_seed_gives_other_batches)
{
    static epoch a, b;
    context = test_context(NULL);
    nm_dataset set = images(4); /* unshuffled: the augmentation differs */
    nm_loader *one = CREATE(&set, true, 3, .crop = 2, .shuffle = false);
    nm_loader *two = CREATE(&set, true, 4, .crop = 2, .shuffle = false);
    run_epoch(one, 0, &a);
    run_epoch(two, 0, &b);
    ck_assert_mem_ne(a.values, b.values, sizeof a.values);
    run_epoch(one, 1, &b);
    ck_assert_mem_ne(a.values, b.values, sizeof a.values);
    nm_loader_destroy(one);
    nm_loader_destroy(two);
    nm_context_destroy(context);
}
END_TEST

START_TEST(an_epoch_resumed_in_the_middle_gives_the_same_batches)
{
    static epoch whole;
    context = test_context(NULL);
    nm_dataset set = images(23);
    nm_loader *loader =
        CREATE(&set, true, 3, .batch = 4, .crop = 1, .flip = true, .last_batch = NM_SHORT_MERGE);
    run_epoch(loader, 2, &whole);
    for (int64_t from = 0; from <= nm_loader_batches(loader); from++) {
        nm_batch batch;
        int64_t at = from * 4 * SIDE * SIDE * 2;
        nm_loader_begin(loader, 2, from);
        while (nm_loader_next(loader, &batch) == NM_OK && batch.count) {
            int64_t count = nm_shape_count(&batch.shape);
            ck_assert_mem_eq(batch.x, whole.values + at, (size_t)count * sizeof(float));
            at += count;
        }
        ck_assert(at == whole.count || from == nm_loader_batches(loader));
    }
    nm_loader_destroy(loader);
    nm_context_destroy(context);
}
END_TEST

START_TEST(an_epoch_may_begin_before_the_last_one_ended)
{
    static epoch e, clean;
    nm_batch batch;
    context = test_context(NULL);
    nm_dataset set = numbers(MOST);
    nm_loader *loader = CREATE(&set, true, 3, .batch = 2);
    run_epoch(loader, 1, &clean);
    for (int taken = 0; taken < 5; taken++) {
        nm_loader_begin(loader, 0, 0);
        for (int i = 0; i < taken; i++) {
            nm_loader_next(loader, &batch);
        }
        run_epoch(loader, 1, &e);
        ck_assert_mem_eq(&e, &clean, sizeof e);
    }
    nm_loader_destroy(loader);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_batch_stays_as_it_is_until_the_next_call)
{
    nm_batch batch;
    float kept[8];
    context = test_context(NULL);
    nm_dataset set = numbers(MOST);
    nm_loader *loader = CREATE(&set, true, 3, .batch = 8);
    nm_loader_begin(loader, 0, 0);
    while (nm_loader_next(loader, &batch) == NM_OK && batch.count) {
        memcpy(kept, batch.x, sizeof kept);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); /* the thread works meanwhile */
        ck_assert_mem_eq(kept, batch.x, sizeof kept);
    }
    nm_loader_destroy(loader);
    nm_context_destroy(context);
}
END_TEST

/* ---- Numbers ---- */

START_TEST(samples_are_scaled_centred_and_divided_per_channel)
{
    nm_batch batch;
    context = test_context(NULL);
    nm_dataset set = images(2);
    nm_loader *loader =
        CREATE(&set, false, 1, .mean = NM_FLOATS(0.25, 0.5), .deviation = NM_FLOATS(0.5, 2));
    const unsigned char *bytes = set.samples;
    nm_loader_begin(loader, 0, 0);
    nm_loader_next(loader, &batch);
    ck_assert(nm_shape_equal(&batch.shape, &NM_SHAPE(2, SIDE, SIDE, 2)));
    ck_assert_ptr_null(batch.targets);
    for (int i = 0; i < 2 * SIDE * SIDE * 2; i++) {
        double mean = i % 2 ? 0.5 : 0.25, deviation = i % 2 ? 2 : 0.5;
        assert_near((double)batch.x[i], (bytes[i] / 255.0 - mean) / deviation, 1e-6, 1e-6);
    }
    nm_loader_destroy(loader);
    nm_context_destroy(context);
}
END_TEST

START_TEST(computed_statistics_replace_mean_and_deviation)
{
    nm_batch batch;
    context = test_context(NULL);
    nm_dataset set = numbers(4);
    nm_loader *loader = CREATE(&set, false, 1, .mean = NM_FLOATS(100), .scale = 10,
                               .channel_mean = (double[]){5}, .channel_deviation = (double[]){5});
    nm_loader_begin(loader, 0, 0);
    nm_loader_next(loader, &batch);
    for (int i = 0; i < 4; i++) {
        assert_near((double)batch.x[i], (i * 10 - 5) / 5.0, 1e-6, 1e-6);
    }
    nm_loader_destroy(loader);
    nm_context_destroy(context);
}
END_TEST

/* ---- Errors ---- */

static void expect_error(const nm_dataset *set, nm_loader_options o, const char *part)
{
    ck_assert_ptr_null(nm_loader_create(context, set, &o, true, 1));
    assert_error(context, NM_ERROR_INPUT, part);
}

START_TEST(options_that_do_not_fit_are_refused)
{
    context = test_context(NULL);
    nm_dataset flat = numbers(4), square = images(4);
    expect_error(&flat, (nm_loader_options){.batch = 0}, "\"batch\" must be at least 1");
    expect_error(&flat, (nm_loader_options){.batch = 1, .deviation = NM_FLOATS(0)},
                 "\"deviation\"[0] must be above 0");
    expect_error(&flat, (nm_loader_options){.batch = 1, .mean = NM_FLOATS((double)NAN)},
                 "\"mean\"[0] must be");
    expect_error(&flat, (nm_loader_options){.batch = 1, .last_batch = 4}, "\"last_batch\"");
    expect_error(&flat, (nm_loader_options){.batch = 1, .flip = true},
                 "the samples have shape [1]; remove them");
    expect_error(&square, (nm_loader_options){.batch = 1, .mean = NM_FLOATS(1, 2, 3)},
                 "\"mean\" has 3 numbers, but samples of shape [5, 5, 2] have 2 channels");
    expect_error(&square, (nm_loader_options){.batch = 1, .crop = 5},
                 "\"crop\" of 5 pixels could leave nothing");
    expect_error(&square, (nm_loader_options){.batch = 1, .shift = 7},
                 "\"shift\" of 7 pixels could leave nothing");
    nm_context_destroy(context);
}
END_TEST

START_TEST(calls_out_of_order_are_refused)
{
    nm_batch batch;
    context = test_context(NULL);
    nm_dataset set = numbers(4);
    nm_loader *loader = CREATE(&set, true, 1, .batch = 2);
    nm_loader_next(loader, &batch);
    assert_error(context, NM_ERROR_INPUT, "call nm_loader_begin() before");
    nm_loader_begin(loader, 0, 3);
    assert_error(context, NM_ERROR_INPUT, "cannot begin epoch 0 at batch 3");
    nm_loader_begin(loader, -1, 0);
    assert_error(context, NM_ERROR_INPUT, "cannot begin epoch -1");
    nm_loader_begin(loader, 0, 2);
    for (int i = 0; i < 3; i++) { /* over, and stays so */
        ck_assert_int_eq(nm_loader_next(loader, &batch), NM_OK);
        ck_assert_int_eq(batch.count, 0);
        ck_assert_ptr_null(batch.x);
    }
    nm_loader_destroy(loader);
    nm_context_destroy(context);
}
END_TEST

/* ---- Life ---- */

START_TEST(a_loader_can_be_destroyed_at_any_point)
{
    nm_batch batch;
    context = test_context(NULL);
    nm_dataset set = images(MOST);
    nm_loader_destroy(NULL);
    nm_loader_destroy(CREATE(&set, true, 1, .batch = 4));
    for (int taken = 0; taken < 17; taken++) {
        nm_loader *loader = CREATE(&set, true, 1, .batch = 4, .crop = 1);
        nm_loader_begin(loader, 0, 0);
        for (int i = 0; i < taken; i++) {
            nm_loader_next(loader, &batch);
        }
        nm_loader_destroy(loader);
    }
    nm_context_destroy(context);
}
END_TEST

/* Without the allocations of Check's own. */
static int64_t count_samples(nm_loader *loader, int64_t number)
{
    nm_batch batch = {.count = 1};
    int64_t count = 0;
    nm_status status = nm_loader_begin(loader, number, 0);
    for (; status == NM_OK && batch.count; count += batch.count) {
        status = nm_loader_next(loader, &batch);
    }
    return count;
}

START_TEST(after_the_first_epoch_began_nothing_is_allocated)
{
    static epoch e;
    test_memory memory = {.fail_at = -1};
    ck_assert(begin_to_count_mallocs());
    context = test_context(&memory);
    nm_dataset set = images(MOST);
    nm_loader *loader = CREATE(&set, true, 1, .batch = 4, .crop = 1, .flip = true);
    run_epoch(loader, 0, &e);
    ck_assert_int_gt(count_mallocs(), 0); /* it does count */
    long calls = memory.calls;
    long mallocs = count_mallocs();
    int64_t count = count_samples(loader, 1);
    mallocs = count_mallocs() - mallocs;
    ck_assert_int_eq(count, MOST);
    ck_assert_int_eq(memory.calls, calls);
    ck_assert_int_eq(mallocs, 0);
    nm_loader_destroy(loader);
    test_context_end(context, &memory);
}
END_TEST

static nm_status create_and_begin(test_memory *memory)
{
    nm_batch batch;
    context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_dataset set = images(8);
    nm_loader_options o = {NM_LOADER_DEFAULTS, .batch = 2, .crop = 1};
    nm_loader *loader = nm_loader_create(context, &set, &o, true, 1);
    if (loader && nm_loader_begin(loader, 0, 0) == NM_OK) {
        nm_loader_next(loader, &batch);
    }
    nm_loader_destroy(loader);
    nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
    test_every_allocation(create_and_begin);
}
END_TEST

TEST_MAIN("optim/loader", evaluation_takes_every_sample_once_and_in_order,
          shuffling_gives_every_sample_once_and_another_order_each_epoch,
          targets_stay_with_their_samples, a_view_gives_its_own_samples_alone,
          a_short_last_batch_is_kept_dropped_or_merged, dropping_everything_is_an_error,
          batches_do_not_depend_on_prefetching_threads_or_the_order_of_epochs,
          another_seed_gives_other_batches, an_epoch_resumed_in_the_middle_gives_the_same_batches,
          an_epoch_may_begin_before_the_last_one_ended, a_batch_stays_as_it_is_until_the_next_call,
          samples_are_scaled_centred_and_divided_per_channel,
          computed_statistics_replace_mean_and_deviation,

          options_that_do_not_fit_are_refused, calls_out_of_order_are_refused,
          a_loader_can_be_destroyed_at_any_point, after_the_first_epoch_began_nothing_is_allocated,
          every_failing_allocation_is_reported_and_leaks_nothing)
