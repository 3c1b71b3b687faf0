/* From gradients to updates: clipping, batches that are accumulated, groups. */
#include "tests/optim/small_run.h"

static nm_status note_norm(void *user, const nm_train_state *state)
{
    ((small_run *)user)->losses[state->step - 1] = state->gradient_norm;
    return NM_OK;
}

static double distance_of_first_step(double clip_norm, double *norm)
{
    small_run r;
    small_begin(&r, NULL);
    r.sgd = (nm_sgd_options){NM_SGD_DEFAULTS, .rate = 0.5};
    r.setup.options.steps = 1;
    r.setup.options.clip_norm = clip_norm;
    r.setup.callbacks.on_step = note_norm;
    float before[MOST_BYTES / 4], after[MOST_BYTES / 4];
    size_t size = small_bits(&r, (unsigned char *)before);
    memset(nm_tensor_data(r.network.mean), 0, 4); /* the buffers move, too: leave them out */
    small_train(&r);
    assert_fine(r.context);
    nm_tensor_fill(r.network.mean, 0);
    nm_tensor_fill(r.network.var, 1);
    small_bits(&r, (unsigned char *)after);
    double sum = 0;
    for (size_t i = 0; i < size / 4; i++) {
        sum += pow((double)after[i] - (double)before[i], 2);
    }
    *norm = r.losses[0];
    small_end(&r, NULL);
    return sqrt(sum);
}

START_TEST(a_clipped_step_is_as_long_as_rate_times_threshold)
{
    double norm;
    double free = distance_of_first_step(0, &norm);
    assert_near(norm, free / 0.5, 1e-5, 0);
    assert_near(distance_of_first_step(0.125, &norm), 0.5 * 0.125, 1e-5, 0);
    assert_near(norm, free / 0.5, 1e-5, 0);
    assert_near(distance_of_first_step(100, &norm), free, 1e-6, 0);
}
END_TEST

START_TEST(the_norm_of_the_gradients_is_told_at_the_end_of_each_epoch)
{
    small_run r;
    small_begin(&r, NULL);
    r.setup.options.epochs = 2;
    r.setup.callbacks.on_step = note_norm;
    small_train(&r);
    assert_fine(r.context);
    for (int64_t i = 0; i < r.result.steps; i++) {
        bool told = i == 0 || (i + 1) % (r.result.steps / 2) == 0;
        ck_assert(isnan(r.losses[i]) == !told);
    }
    small_end(&r, NULL);
}
END_TEST

static void train_plain(small_run *r, int64_t batch, int64_t accumulate)
{
    small_begin(r, NULL);
    r->network.plain = true;
    r->data.train.count = 36; /* the last update of an epoch is short, and so is its last batch */
    r->data.loader.batch = batch;
    r->data.loader.shuffle = false;
    r->setup.options.accumulate = accumulate;
    small_train(r);
    assert_fine(r->context);
}

START_TEST(accumulated_batches_equal_one_of_their_size)
{
    small_run one, many;
    float a[MOST_BYTES / 4], b[MOST_BYTES / 4];
    train_plain(&one, 15, 1);
    train_plain(&many, 5, 3);
    ck_assert_int_eq(one.result.steps, 9);
    ck_assert_int_eq(many.result.steps, 9);
    size_t size = small_bits(&one, (unsigned char *)a);
    small_bits(&many, (unsigned char *)b);
    for (size_t i = 0; i < size / 4; i++) {
        assert_near(b[i], a[i], 1e-5, 1e-6);
    }
    assert_near(one.result.train_loss, many.result.train_loss, 1e-6, 0);
    small_end(&one, NULL);
    small_end(&many, NULL);
}
END_TEST

/* gt-pyg#112 and others: what is frozen stays frozen. */
START_TEST(frozen_parameters_stay)
{
    small_run r;
    small_begin(&r, NULL);
    const nm_group group = {NM_GROUP_DEFAULTS, .match = "first.*", .frozen = true};
    r.setup.options.group_list = &group;
    r.setup.options.group_count = 1;
    float before[INPUTS * HIDDEN];
    memcpy(before, nm_tensor_data(r.network.w1), sizeof before);
    small_train(&r);
    assert_fine(r.context);
    ck_assert(memcmp(before, nm_tensor_data(r.network.w1), sizeof before) == 0);
    ck_assert(nm_tensor_get(r.network.b2, 0) != 0);
    small_end(&r, NULL);
}
END_TEST

START_TEST(statistics_frozen_before_they_ever_moved_are_warned_of)
{
    small_run r;
    small_begin(&r, NULL);
    r.setup.options.epochs = 1;
    small_train(&r);
    nm_store_set_trainable(r.network.store, "norm.running_mean", false);
    test_warnings();
    nm_trainer_run(r.trainer, NULL);
    ck_assert_str_eq(test_warnings(), ""); /* they had moved */
    nm_tensor_fill(r.network.mean, 0);
    nm_trainer_run(r.trainer, NULL);
    assert_fine(r.context);
    ck_assert_ptr_nonnull(strstr(test_warnings(), "\"norm.running_mean\" is frozen as it began"));
    small_end(&r, NULL);
}
END_TEST

START_TEST(a_run_in_which_nothing_would_be_trained_is_an_error)
{
    small_run r;
    small_begin(&r, NULL);
    const nm_group group = {NM_GROUP_DEFAULTS, .match = "*", .frozen = true};
    r.setup.options.group_list = &group;
    r.setup.options.group_count = 1;
    ck_assert_ptr_null(nm_trainer_create(r.context, &r.setup));
    assert_error(r.context, NM_ERROR_INPUT, "groups: all 5 parameters are frozen");
    small_end(&r, NULL);
}
END_TEST

TEST_MAIN("optim/updates", a_clipped_step_is_as_long_as_rate_times_threshold,
          the_norm_of_the_gradients_is_told_at_the_end_of_each_epoch,
          accumulated_batches_equal_one_of_their_size, frozen_parameters_stay,
          statistics_frozen_before_they_ever_moved_are_warned_of,
          a_run_in_which_nothing_would_be_trained_is_an_error)
