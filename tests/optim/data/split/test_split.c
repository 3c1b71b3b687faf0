/* Which rows are held out: shares of classes, groups, order, folds. Counts named after scikit-learn
 * were made with its 1.2.1. */
#include <math.h>

#include "core/op.h"
#include "tests/optim/data/data_sets.h"

#define MOST 2048

/* A set in memory: so many rows of each class, one class after the other. */
typedef struct made {
    float samples[MOST];
    int32_t labels[MOST];
    int64_t groups[MOST];
    double order[MOST];
    nm_dataset set;
} made;

static nm_dataset *make_set(made *m, const int *sizes, int classes)
{
    int64_t rows = 0;
    for (int c = 0; c < classes; c++) {
        for (int i = 0; i < sizes[c]; i++) {
            m->labels[rows++] = c;
        }
    }
    m->set = (nm_dataset){.context = context,
                          .count = rows,
                          .shape = NM_SHAPE(1),
                          .dtype = NM_F32,
                          .samples = m->samples,
                          .target_dtype = NM_I32,
                          .targets = m->labels,
                          .classes = classes};
    return &m->set;
}

/* Groups of so many rows each, one after the other, all of one class. */
static nm_dataset *make_groups(made *m, const int *sizes, int groups)
{
    int all = 0;
    for (int g = 0; g < groups; g++) {
        for (int i = 0; i < sizes[g]; i++) {
            m->groups[all++] = g;
        }
    }
    make_set(m, &all, 1);
    m->set.groups = m->groups;
    m->set.group_count = groups;
    return &m->set;
}

static int64_t count_held(const nm_dataset *set, const bool *held, int32_t label)
{
    int64_t count = 0;
    for (int64_t i = 0; i < set->count; i++) {
        count += held[i] && ((const int32_t *)set->targets)[i] == label;
    }
    return count;
}

static int64_t count_all(const nm_dataset *set, const bool *held)
{
    int64_t count = 0;
    for (int64_t i = 0; i < set->count; i++) {
        count += held[i];
    }
    return count;
}

/* ---- Shares of classes ---- */

static const struct {
    int classes, sizes[5], held[5];
    double share;
} stratified[] = {
    {3, {40, 15, 5}, {8, 3, 1}, 0.2},     {4, {53, 29, 11, 7}, {11, 6, 2, 1}, 0.2},
    {3, {97, 3, 2}, {29, 1, 1}, 0.3},     {5, {1000, 333, 41, 9, 2}, {100, 34, 4, 1, 0}, 0.1},
    {3, {50, 50, 50}, {10, 10, 10}, 0.2}, {2, {212, 357}, {53, 89}, 0.25},
};

START_TEST(a_share_of_each_class_is_what_scikit_learn_takes)
{
    static made m;
    static bool held[MOST];
    begin(NULL);
    for (int i = 0; i < NM_COUNT_OF(stratified); i++) {
        nm_dataset *set = make_set(&m, stratified[i].sizes, stratified[i].classes);
        const nm_split_options o = {.share = stratified[i].share};
        for (uint64_t seed = 0; seed < 3; seed++) {
            ck_assert_int_eq(nm_split_choose(set, &o, seed, held), NM_OK);
            for (int c = 0; c < stratified[i].classes; c++) {
                ck_assert_int_eq(count_held(set, held, c), stratified[i].held[c]);
            }
        }
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(which_rows_of_a_class_are_held_out_depends_on_the_seed_alone)
{
    static made m;
    static bool a[MOST], b[MOST], c[MOST];
    begin(NULL);
    nm_dataset *set = make_set(&m, (int[]){60, 40}, 2);
    const nm_split_options o = {.share = 0.3};
    nm_split_choose(set, &o, 5, a);
    nm_split_choose(set, &o, 5, b);
    nm_split_choose(set, &o, 6, c);
    ck_assert_mem_eq(a, b, 100);
    ck_assert_mem_ne(a, c, 100);
    ck_assert(!a[0] || !a[1] || !a[2]); /* not simply the first ones */
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_class_of_one_row_stays_in_the_training_set)
{
    static made m;
    static bool held[MOST];
    begin(NULL);
    nm_dataset *set = make_set(&m, (int[]){1, 20, 1, 20, 2}, 5);
    for (int percent = 5; percent < 100; percent += 5) {
        const nm_split_options o = {.share = percent / 100.0};
        ck_assert_int_eq(nm_split_choose(set, &o, 1, held), NM_OK);
        ck_assert(!held[0] && !held[21]);
        ck_assert_int_le(count_held(set, held, 4), 1); /* nor does a class of two go as a whole */
        ck_assert_int_le(count_held(set, held, 1), 19);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(classes_of_one_row_alone_cannot_be_stratified)
{
    static made m;
    static bool held[MOST];
    begin(NULL);
    nm_dataset *set = make_set(&m, (int[]){1, 1, 1, 1, 1}, 5);
    nm_split_options o = {.share = 0.4};
    nm_split_choose(set, &o, 1, held);
    assert_error(context, NM_ERROR_INPUT, "too few classes have more than one row");
    o.stratify = NM_STRATIFY_FALSE;
    ck_assert_int_eq(nm_split_choose(set, &o, 1, held), NM_OK);
    ck_assert_int_eq(count_all(set, held), 2);
    nm_context_destroy(context);
}
END_TEST

START_TEST(ignored_rows_are_held_out_in_their_share_too)
{
    static made m;
    static bool held[MOST];
    begin(NULL);
    nm_dataset *set = make_set(&m, (int[]){40, 40, 20}, 3);
    set->ignored = (nm_ignored){true, 1};
    const nm_split_options o = {.share = 0.25};
    ck_assert_int_eq(nm_split_choose(set, &o, 1, held), NM_OK);
    ck_assert_int_eq(count_held(set, held, 0), 10);
    ck_assert_int_eq(count_held(set, held, 1), 10);
    ck_assert_int_eq(count_held(set, held, 2), 5);
    nm_context_destroy(context);
}
END_TEST

START_TEST(values_have_no_classes_to_stratify)
{
    static made m;
    static bool held[MOST];
    begin(NULL);
    nm_dataset *set = make_set(&m, (int[]){40}, 1);
    set->target_dtype = NM_F32;
    set->targets = m.samples;
    set->target_shape = NM_SHAPE(1);
    set->classes = 0;
    nm_split_options o = {.share = 0.25};
    ck_assert_int_eq(nm_split_choose(set, &o, 1, held), NM_OK);
    ck_assert_int_eq(count_all(set, held), 10);
    o.stratify = NM_STRATIFY_TRUE;
    nm_split_choose(set, &o, 1, held);
    assert_error(context, NM_ERROR_INPUT, "but the targets are values");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_share_that_leaves_one_side_empty_is_refused)
{
    static made m;
    static bool held[MOST];
    static const double shares[] = {0.1, 0.9, 0, 1, -1, (double)NAN};
    begin(NULL);
    nm_dataset *set = make_set(&m, (int[]){2, 2}, 2);
    for (int i = 0; i < NM_COUNT_OF(shares); i++) {
        const nm_split_options o = {.share = shares[i]};
        nm_split_choose(set, &o, 1, held);
        assert_error(context, NM_ERROR_INPUT, "of 4 samples would leave one side empty");
    }
    nm_context_destroy(context);
}
END_TEST

/* ---- Groups ---- */

/* The rows of the group that are held out, of all its rows. */
static void assert_whole(const nm_dataset *set, const bool *held)
{
    for (int64_t i = 1; i < set->count; i++) {
        ck_assert(set->groups[i] != set->groups[i - 1] || held[i] == held[i - 1]);
    }
}

START_TEST(groups_stay_whole_and_come_near_to_the_share)
{
    static made m;
    static bool held[MOST];
    int sizes[40];
    begin(NULL);
    for (int i = 0; i < 40; i++) {
        sizes[i] = 1 + i * 7 % 11;
    }
    nm_dataset *set = make_groups(&m, sizes, 40);
    bool differ = false;
    for (uint64_t seed = 0; seed < 20; seed++) {
        const nm_split_options o = {.share = 0.25};
        ck_assert_int_eq(nm_split_choose(set, &o, seed, held), NM_OK);
        assert_whole(set, held);
        const double off = (double)count_all(set, held) - 0.25 * (double)set->count;
        ck_assert(fabs(off) <= 5.5); /* half of the largest group, of 238 rows */
        differ |= held[0];
    }
    ck_assert(differ); /* it is not always the same ones */
    nm_context_destroy(context);
}
END_TEST

START_TEST(groups_are_chosen_by_their_classes_too)
{
    static made m;
    static bool held[MOST];
    begin(NULL);
    /* Ten groups of four rows of class 0 and ten of two rows of class 1. */
    nm_dataset *set = make_set(&m, (int[]){40, 20}, 2);
    for (int i = 0; i < 60; i++) {
        m.groups[i] = i < 40 ? i / 4 : 10 + (i - 40) / 2;
    }
    set->groups = m.groups;
    set->group_count = 20;
    for (uint64_t seed = 0; seed < 10; seed++) {
        nm_split_choose(set, &(nm_split_options){.share = 0.2}, seed, held);
        assert_whole(set, held);
        ck_assert_int_eq(count_held(set, held, 0), 8);
        ck_assert_int_eq(count_held(set, held, 1), 4);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(one_group_cannot_be_split_and_of_two_one_is_held_out)
{
    static made m;
    static bool held[MOST];
    begin(NULL);
    nm_dataset *set = make_groups(&m, (int[]){30}, 1);
    nm_split_choose(set, &(nm_split_options){.share = 0.2}, 1, held);
    assert_error(context, NM_ERROR_INPUT, "the 30 rows are of 1 group, and it takes 2");
    set = make_groups(&m, (int[]){90, 10}, 2);
    for (int percent = 5; percent < 100; percent += 5) {
        const nm_split_options o = {.share = percent / 100.0};
        ck_assert_int_eq(nm_split_choose(set, &o, 1, held), NM_OK);
        assert_whole(set, held);
        const int64_t count = count_all(set, held);
        ck_assert(count == 10 || (percent >= 50 && count == 90));
    }
    for (uint64_t seed = 0; seed < 8; seed++) { /* all of them would be nearer to 97 % */
        nm_split_choose(set, &(nm_split_options){.share = 0.97}, seed, held);
        ck_assert_int_lt(count_all(set, held), 100);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_share_that_groups_miss_by_far_is_told)
{
    static made m;
    static bool held[MOST];
    begin(NULL);
    test_warnings();
    nm_dataset *set = make_groups(&m, (int[]){50, 50}, 2);
    nm_split_choose(set, &(nm_split_options){.share = 0.1}, 1, held);
    ck_assert_ptr_nonnull(
        strstr(test_warnings(), "50 of 100 rows are held out (50.0 %), and 10.0 % were asked for"));
    set = make_groups(&m, (int[]){5, 5, 5, 5, 5, 5, 5, 5, 5, 5}, 10);
    nm_split_choose(set, &(nm_split_options){.share = 0.1}, 1, held);
    ck_assert_str_eq(test_warnings(), "");
    nm_context_destroy(context);
}
END_TEST

/* ---- Order ---- */

START_TEST(the_last_rows_are_held_out_as_they_stand_or_by_a_column)
{
    static made m;
    static bool held[MOST];
    begin(NULL);
    nm_dataset *set = make_set(&m, (int[]){10}, 1);
    ck_assert_int_eq(
        nm_split_choose(set, &(nm_split_options){.share = 0.3, .order = "last"}, 1, held), NM_OK);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(held[i], i >= 7);
        m.order[i] = 100 - i;
    }
    set->order = m.order;
    nm_split_choose(set, &(nm_split_options){.share = 0.3, .order = "day"}, 1, held);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(held[i], i < 3);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(rows_of_one_time_stay_together)
{
    static made m;
    static bool held[MOST];
    begin(NULL);
    nm_dataset *set = make_set(&m, (int[]){10}, 1);
    static const double days[] = {1, 1, 2, 2, 2, 2, 2, 2, 3, 3};
    memcpy(m.order, days, sizeof days);
    set->order = m.order;
    const nm_split_options o = {.share = 0.3, .order = "day"};
    ck_assert_int_eq(nm_split_choose(set, &o, 1, held), NM_OK);
    ck_assert_int_eq(count_all(set, held), 2);
    const nm_split_options more = {.share = 0.7, .order = "day"};
    nm_split_choose(set, &more, 1, held);
    ck_assert_int_eq(count_all(set, held), 8);
    memset(m.order, 0, sizeof days);
    nm_split_choose(set, &o, 1, held);
    assert_error(context, NM_ERROR_INPUT, "all 10 rows have the same value there");
    nm_context_destroy(context);
}
END_TEST

/* ---- Folds ---- */

/* counts[f][c] */
static void count_folds(const nm_dataset *set, const int32_t *fold, int counts[10][5])
{
    memset(counts, 0, 10 * sizeof *counts);
    for (int64_t i = 0; i < set->count; i++) {
        counts[fold[i]][((const int32_t *)set->targets)[i]]++;
    }
}

static const struct {
    int classes, sizes[5], folds, counts[10][5];
} dealt[] = {
    {3, {40, 15, 5}, 5, {{8, 3, 1}, {8, 3, 1}, {8, 3, 1}, {8, 3, 1}, {8, 3, 1}}},
    {4,
     {53, 29, 11, 7},
     5,
     {{11, 6, 2, 1}, {11, 6, 2, 1}, {11, 5, 3, 1}, {10, 6, 2, 2}, {10, 6, 2, 2}}},
    {3, {97, 3, 2}, 3, {{33, 1, 0}, {32, 1, 1}, {32, 1, 1}}},
    {3, {50, 50, 50}, 4, {{13, 12, 13}, {13, 12, 13}, {12, 13, 12}, {12, 13, 12}}},
    {1, {23}, 5, {{5}, {5}, {5}, {4}, {4}}},
};

START_TEST(folds_have_the_classes_that_scikit_learn_gives_them)
{
    static made m;
    static int32_t fold[MOST];
    int counts[10][5];
    begin(NULL);
    for (int i = 0; i < NM_COUNT_OF(dealt); i++) {
        nm_dataset *set = make_set(&m, dealt[i].sizes, dealt[i].classes);
        ck_assert_int_eq(
            nm_split_folds(set, &(nm_split_options){.share = 0}, dealt[i].folds, 3, fold), NM_OK);
        count_folds(set, fold, counts);
        ck_assert_mem_eq(counts, dealt[i].counts, (size_t)dealt[i].folds * sizeof *counts);
    }
    nm_context_destroy(context);
}
END_TEST

static int compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static const struct {
    int groups, sizes[9], folds, rows[4];
} grouped[] = {
    {7, {11, 9, 7, 5, 4, 3, 2}, 3, {13, 14, 14}},
    {6, {2, 2, 30, 1, 1, 1}, 4, {2, 2, 3, 30}},
    {9, {6, 5, 5, 4, 4, 4, 3, 3, 1}, 4, {8, 9, 9, 9}},
};

START_TEST(folds_of_groups_are_as_even_as_scikit_learns)
{
    static made m;
    static int32_t fold[MOST];
    begin(NULL);
    for (int i = 0; i < NM_COUNT_OF(grouped); i++) {
        int rows[4] = {0};
        nm_dataset *set = make_groups(&m, grouped[i].sizes, grouped[i].groups);
        ck_assert_int_eq(
            nm_split_folds(set, &(nm_split_options){.share = 0}, grouped[i].folds, 3, fold), NM_OK);
        for (int64_t k = 0; k < set->count; k++) {
            ck_assert(k == 0 || m.groups[k] != m.groups[k - 1] || fold[k] == fold[k - 1]);
            rows[fold[k]]++;
        }
        qsort(rows, (size_t)grouped[i].folds, sizeof *rows, compare_ints);
        ck_assert_mem_eq(rows, grouped[i].rows, (size_t)grouped[i].folds * sizeof *rows);
    }
    nm_split_folds(make_groups(&m, (int[]){5, 5}, 2), &(nm_split_options){.share = 0}, 3, 3, fold);
    assert_error(context, NM_ERROR_INPUT, "the 10 rows are of 2 groups, and it takes 3");
    nm_context_destroy(context);
}
END_TEST

START_TEST(folds_in_order_are_tested_on_what_comes_before)
{
    static made m;
    static int32_t fold[MOST];
    /* scikit-learn's TimeSeriesSplit(4) of 23 rows: tested are 7-10, 11-14, 15-18, 19-22. */
    begin(NULL);
    nm_dataset *set = make_set(&m, (int[]){23}, 1);
    const nm_split_options o = {.order = "last"};
    ck_assert_int_eq(nm_split_folds(set, &o, 4, 1, fold), NM_OK);
    for (int i = 0; i < 23; i++) {
        ck_assert_int_eq(fold[i], i < 7 ? -1 : (i - 7) / 4);
        m.order[i] = i / 8;
    }
    set->order = m.order;
    nm_split_folds(set, &o, 4, 1, fold);
    assert_error(context, NM_ERROR_INPUT, "4 folds in order need 5 blocks of rows");
    ck_assert_int_eq(nm_split_folds(set, &o, 2, 1, fold), NM_OK);
    for (int i = 0; i < 23; i++) {
        ck_assert_int_eq(fold[i], i / 8 - 1);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(folds_that_cannot_be_are_refused)
{
    static made m;
    static int32_t fold[MOST];
    static const int folds[] = {1, 0, -1, 5};
    begin(NULL);
    nm_dataset *set = make_set(&m, (int[]){2, 2}, 2);
    for (int i = 0; i < NM_COUNT_OF(folds); i++) {
        nm_split_folds(set, &(nm_split_options){.share = 0}, folds[i], 1, fold);
        assert_error(context, NM_ERROR_INPUT, "4 rows cannot be");
    }
    nm_split_folds(set, &(nm_split_options){.indices = "rows.txt"}, 2, 1, fold);
    assert_error(context, NM_ERROR_INPUT, "\"indices\" names one split");
    test_warnings();
    ck_assert_int_eq(nm_split_folds(set, &(nm_split_options){.share = 0}, 4, 1, fold), NM_OK);
    ck_assert_ptr_nonnull(
        strstr(test_warnings(), "2 classes have fewer rows than there are folds"));
    nm_context_destroy(context);
}
END_TEST

/* ---- Memory ---- */

static nm_status split_all(test_memory *memory)
{
    static made m;
    static bool held[MOST];
    static int32_t fold[MOST];
    static const nm_split_options options[] = {{.share = 0.3},
                                               {.share = 0.3, .stratify = NM_STRATIFY_FALSE},
                                               {.share = 0.3, .order = "last"}};
    begin(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    for (int i = 0; i < NM_COUNT_OF(options); i++) {
        nm_dataset *set = make_set(&m, (int[]){10, 10}, 2);
        nm_split_choose(set, &options[i], 1, held);
        nm_split_folds(set, &options[i], 3, 1, fold);
    }
    nm_dataset *set = make_groups(&m, (int[]){5, 6, 7, 8}, 4);
    nm_split_choose(set, &options[0], 1, held);
    nm_split_folds(set, &options[0], 3, 1, fold);
    memset(held, 0, sizeof held);
    nm_split_read(context, test_path("rows.txt"), 0, 10, held);
    nm_split_write(context, test_path("out.csv"), (const uint8_t *)held, 10, NM_PART_VALIDATION);
    nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
    write_file("rows.txt", "3\n4\n", 4);
    test_every_allocation(split_all);
}
END_TEST

TEST_MAIN("optim/data/split", a_share_of_each_class_is_what_scikit_learn_takes,
          which_rows_of_a_class_are_held_out_depends_on_the_seed_alone,
          a_class_of_one_row_stays_in_the_training_set,
          classes_of_one_row_alone_cannot_be_stratified,
          ignored_rows_are_held_out_in_their_share_too, values_have_no_classes_to_stratify,
          a_share_that_leaves_one_side_empty_is_refused,
          groups_stay_whole_and_come_near_to_the_share, groups_are_chosen_by_their_classes_too,
          one_group_cannot_be_split_and_of_two_one_is_held_out,
          a_share_that_groups_miss_by_far_is_told,
          the_last_rows_are_held_out_as_they_stand_or_by_a_column, rows_of_one_time_stay_together,
          folds_have_the_classes_that_scikit_learn_gives_them,
          folds_of_groups_are_as_even_as_scikit_learns,
          folds_in_order_are_tested_on_what_comes_before, folds_that_cannot_be_are_refused,
          every_failing_allocation_is_reported_and_leaks_nothing)
