/* An epoch in which each class comes as often as any other, or one class behind the other. */
#include "tests/optim/data/loaders.h"

#define COUNT 40

/* 36 samples of class 0, 3 of class 1 (4, 14, 24), none of class 2, one of class 3 (9). */
static nm_dataset uneven(void)
{
    static int32_t labels[COUNT];
    nm_dataset set = numbers(COUNT);
    memset(labels, 0, sizeof labels);
    labels[4] = labels[14] = labels[24] = 1;
    labels[9] = 3;
    set.targets = labels;
    set.classes = 4;
    return set;
}

/* How often each sample, and each class of the set, comes in the epoch. */
static void count_draws(const nm_dataset *set, const epoch *e, int samples[COUNT], int classes[4])
{
    memset(samples, 0, COUNT * sizeof *samples);
    memset(classes, 0, 4 * sizeof *classes);
    for (int64_t i = 0; i < e->count; i++) {
        int sample = (int)e->values[i];
        samples[sample]++;
        classes[((const int32_t *)set->targets)[sample]]++;
    }
}

START_TEST(each_class_comes_as_often_as_any_other)
{
    epoch e;
    int samples[COUNT], classes[4];
    context = test_context(NULL);
    nm_dataset set = uneven();
    nm_loader *loader = CREATE(&set, true, 1, .batch = 8, .balance = true);
    int64_t more[4] = {0};
    for (int64_t number = 0; number < 30; number++) {
        run_epoch(loader, number, &e);
        ck_assert_int_eq(e.count, COUNT);
        count_draws(&set, &e, samples, classes);
        for (int c = 0; c < 4; c++) { /* 40 = 3 * 13 + 1 */
            ck_assert(c == 2 ? classes[c] == 0 : classes[c] == 13 || classes[c] == 14);
            more[c] += classes[c] == 14;
        }
    }
    ck_assert(more[0] && more[1] && more[3]); /* not always the same */
    nm_loader_destroy(loader);
    nm_context_destroy(context);
}
END_TEST

START_TEST(within_a_class_no_sample_comes_again_before_all_others_came)
{
    epoch e;
    int samples[COUNT], classes[4];
    bool seen[COUNT] = {false};
    context = test_context(NULL);
    nm_dataset set = uneven();
    nm_loader *loader = CREATE(&set, true, 3, .batch = 8, .balance = true);
    for (int64_t number = 0; number < 30; number++) {
        run_epoch(loader, number, &e);
        count_draws(&set, &e, samples, classes);
        for (int i = 0; i < COUNT; i++) {
            int label = ((const int32_t *)set.targets)[i];
            ck_assert(label == 0   ? samples[i] <= 1
                      : label == 1 ? samples[i] == 4 || samples[i] == 5
                                   : samples[i] >= 13);
            seen[i] |= samples[i] > 0;
        }
    }
    for (int i = 0; i < COUNT; i++) {
        ck_assert(seen[i]); /* of the large class others each time, in the end all */
    }
    nm_loader_destroy(loader);
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_order_is_that_of_seed_and_epoch_also_from_the_middle_on)
{
    epoch first, again, rest;
    context = test_context(NULL);
    nm_dataset set = uneven();
    nm_loader *loader = CREATE(&set, true, 1, .batch = 8, .balance = true, .prefetch = false);
    nm_loader *ahead = CREATE(&set, true, 1, .batch = 8, .balance = true, .prefetch = true);
    nm_loader *other = CREATE(&set, true, 2, .batch = 8, .balance = true);
    run_epoch(loader, 5, &first);
    run_epoch(other, 5, &again);
    ck_assert_mem_ne(first.values, again.values, COUNT * sizeof(float));
    run_epoch(loader, 6, &again);
    ck_assert_mem_ne(first.values, again.values, COUNT * sizeof(float));
    run_epoch(ahead, 5, &again);
    ck_assert_mem_eq(first.values, again.values, COUNT * sizeof(float));
    nm_batch batch;
    nm_loader_begin(loader, 5, 3);
    memset(&rest, 0, sizeof rest);
    while (nm_loader_next(loader, &batch) == NM_OK && batch.count) {
        memcpy(rest.values + rest.count, batch.x, (size_t)batch.count * sizeof(float));
        rest.count += batch.count;
    }
    ck_assert_int_eq(rest.count, 16);
    ck_assert_mem_eq(rest.values, first.values + 24, 16 * sizeof(float));
    nm_loader_destroy(loader);
    nm_loader_destroy(ahead);
    nm_loader_destroy(other);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_view_draws_its_own_samples_and_none_that_is_ignored)
{
    epoch e;
    nm_dataset rest, part;
    context = test_context(NULL);
    nm_dataset set = uneven();
    set.ignored = (nm_ignored){true, 3};
    ck_assert_int_eq(nm_dataset_split(&set, 0.25, 1, &rest, &part), NM_OK);
    nm_loader *loader = CREATE(&rest, true, 1, .batch = 8, .balance = true);
    bool own[COUNT] = {false};
    for (int64_t i = 0; i < rest.count; i++) {
        own[rest.rows[i]] = rest.rows[i] != 9;
    }
    for (int64_t number = 0; number < 5; number++) {
        run_epoch(loader, number, &e);
        ck_assert_int_eq(e.count, rest.count);
        for (int64_t i = 0; i < e.count; i++) {
            ck_assert(own[(int)e.values[i]]);
        }
    }
    nm_loader_destroy(loader);
    nm_dataset_close(&rest);
    nm_dataset_close(&part);
    nm_context_destroy(context);
}
END_TEST

START_TEST(targets_stay_with_the_samples_drawn)
{
    nm_batch batch;
    context = test_context(NULL);
    nm_dataset set = uneven();
    nm_loader *loader = CREATE(&set, true, 1, .batch = 7, .balance = true);
    nm_loader_begin(loader, 0, 0);
    while (nm_loader_next(loader, &batch) == NM_OK && batch.count) {
        for (int64_t i = 0; i < batch.count; i++) {
            ck_assert_int_eq(((const int32_t *)batch.targets)[i],
                             ((const int32_t *)set.targets)[(int)batch.x[i]]);
        }
    }
    nm_loader_destroy(loader);
    nm_context_destroy(context);
}
END_TEST

START_TEST(evaluation_takes_every_sample_once_all_the_same)
{
    epoch e;
    context = test_context(NULL);
    nm_dataset set = uneven();
    nm_loader *loader = CREATE(&set, false, 1, .batch = 8, .balance = true);
    run_epoch(loader, 0, &e);
    ck_assert_mem_eq(e.values, set.samples, COUNT * sizeof(float));
    nm_loader_destroy(loader);
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_cannot_be_balanced_is_refused)
{
    context = test_context(NULL);
    nm_loader_options o = {NM_LOADER_DEFAULTS, .batch = 8, .balance = true};
    nm_dataset set = images(10);
    ck_assert_ptr_null(nm_loader_create(context, &set, &o, true, 1));
    assert_error(context, NM_ERROR_INPUT,
                 "loader: \"balance\" is for classes, and the data set has no class labels");
    set = uneven();
    o.shuffle = false;
    ck_assert_ptr_null(nm_loader_create(context, &set, &o, true, 1));
    assert_error(context, NM_ERROR_INPUT, "\"shuffle\" must not be false");
    nm_context_destroy(context);
}
END_TEST

START_TEST(sorted_samples_come_class_by_class_in_every_epoch)
{
    epoch e, again;
    context = test_context(NULL);
    nm_dataset set = uneven();
    nm_loader *loader = CREATE(&set, true, 1, .batch = 8, .shuffle = false, .sort = true);
    run_epoch(loader, 0, &e);
    ck_assert_int_eq(e.count, COUNT);
    ck_assert(e.values[36] == 4 && e.values[37] == 14 && e.values[38] == 24 && e.values[39] == 9);
    for (int i = 1; i < 36; i++) {
        ck_assert(e.values[i] > e.values[i - 1]); /* each class in the set's order */
    }
    run_epoch(loader, 1, &again);
    ck_assert_mem_eq(e.values, again.values, COUNT * sizeof(float));
    nm_loader_destroy(loader);
    loader = CREATE(&set, false, 1, .batch = 8, .shuffle = false, .sort = true);
    run_epoch(loader, 0, &again); /* in evaluation as they are */
    ck_assert_mem_eq(again.values, set.samples, COUNT * sizeof(float));
    nm_loader_destroy(loader);
    nm_context_destroy(context);
}
END_TEST

START_TEST(sorting_a_view_keeps_its_samples_and_puts_the_ignored_last)
{
    epoch e;
    nm_dataset rest, part;
    int samples[COUNT], classes[4];
    context = test_context(NULL);
    nm_dataset set = uneven();
    set.ignored = (nm_ignored){true, 0};
    ck_assert_int_eq(nm_dataset_split(&set, 0.25, 1, &rest, &part), NM_OK);
    nm_loader *loader = CREATE(&rest, true, 1, .batch = 8, .shuffle = false, .sort = true);
    run_epoch(loader, 0, &e);
    ck_assert_int_eq(e.count, rest.count);
    count_draws(&set, &e, samples, classes);
    for (int64_t i = 0; i < rest.count; i++) {
        ck_assert_int_eq(samples[rest.rows[i]], 1);
        const int32_t label = ((const int32_t *)set.targets)[(int)e.values[i]];
        ck_assert((label == 0) == (i >= rest.count - classes[0]));
    }
    nm_loader_destroy(loader);
    nm_dataset_close(&rest);
    nm_dataset_close(&part);
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_cannot_be_sorted_is_refused)
{
    context = test_context(NULL);
    nm_loader_options o = {NM_LOADER_DEFAULTS, .batch = 8, .shuffle = false, .sort = true};
    nm_dataset set = images(10);
    ck_assert_ptr_null(nm_loader_create(context, &set, &o, true, 1));
    assert_error(context, NM_ERROR_INPUT,
                 "loader: \"sort\" is for classes, and the data set has no class labels");
    set = uneven();
    o.shuffle = true;
    ck_assert_ptr_null(nm_loader_create(context, &set, &o, true, 1));
    assert_error(context, NM_ERROR_INPUT, "say shuffle: false, or remove \"sort\"");
    nm_context_destroy(context);
}
END_TEST

static nm_status load_once(test_memory *memory)
{
    context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_dataset set = uneven();
    nm_loader_options o = {NM_LOADER_DEFAULTS, .batch = 8, .balance = true, .prefetch = false};
    nm_loader_destroy(nm_loader_create(context, &set, &o, true, 1));
    o.balance = o.shuffle = false;
    o.sort = true;
    nm_loader_destroy(nm_loader_create(context, &set, &o, true, 1));
    nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
    test_every_allocation(load_once);
}
END_TEST

TEST_MAIN("optim/balance", each_class_comes_as_often_as_any_other,
          within_a_class_no_sample_comes_again_before_all_others_came,
          the_order_is_that_of_seed_and_epoch_also_from_the_middle_on,
          a_view_draws_its_own_samples_and_none_that_is_ignored,
          targets_stay_with_the_samples_drawn, evaluation_takes_every_sample_once_all_the_same,
          what_cannot_be_balanced_is_refused, sorted_samples_come_class_by_class_in_every_epoch,
          sorting_a_view_keeps_its_samples_and_puts_the_ignored_last,
          what_cannot_be_sorted_is_refused, every_failing_allocation_is_reported_and_leaks_nothing)
