/* Normalization of sequences that are padded: what is behind their ends counts for nothing.
 * Expected numbers are PyTorch 2.13's, of BatchNorm1d on the steps that count, in f64. */
#include <math.h>

#include "tests/models/model_test.h"

/* [3, 3, 2]: two steps, one and three. */
static const double steps[] = {1, -2, 3, 0.5, 0, 0, 2, 4, 0, 0, 0, 0, -1, 1, 0.5, -3, 2.5, 2};
/* Where the six steps that count stand. */
static const int places[] = {0, 1, 3, 6, 7, 8};

static nm_tensor *sequences(fixture *f)
{
    nm_tensor *x = nm_tensor_create(f->context, NM_F64, NM_SHAPE(3, 3, 2));
    for (int64_t i = 0; i < 18; i++) {
        nm_tensor_set(x, i, steps[i]);
    }
    nm_tensor_set_requires_grad(x, true);
    return x;
}

/* Of the steps that count; of others it is 0. */
static void assert_steps(nm_tensor *x, const double *values)
{
    int next = 0;
    for (int i = 0; i < 9; i++) {
        const bool counts = next < 6 && places[next] == i;
        for (int k = 0; k < 2; k++) {
            const double value = nm_tensor_get(x, 2 * i + k);
            assert_near(value, counts ? values[2 * next + k] : 0, 1e-12, 1e-12);
        }
        next += counts;
    }
}

static void finish(fixture *f, nm_tensor *x)
{
    assert_fine(f->context);
    nm_tape_reset(f->tape);
    nm_tensor_destroy(x);
    end(f);
}

static const double y_values[] = {-0.24806878221966344, -1.0272317751267956, 1.2403439110983174,
                                  0.03542178534919985,  0.496137564439327,   1.5231367700155936,
                                  -1.7364814755376443,  0.24795249744439896, -0.6201719555491587,
                                  -1.452293199317194,   0.8682407377688222,  0.6730139216347972};
static const double gradient[] = {-1.0010545631925973,  -0.42665975874624307, -0.3518549536389456,
                                  -0.23707544021141352, -0.02896355319328455, -0.12918994846501577,
                                  0.11932125503997154,  0.10317479348830226,  0.4612574420043701,
                                  0.3401392158044371,   0.8012943729804849,   0.3496111381299331};
static const double second[] = {0.018305552700240757, 0.09356094955190736,  -0.6508297456946132,
                                0.008740935780488414, -0.2486618580655675,  -0.10251974944887567,
                                0.87219041970117,     -0.02259261076268279, 0.3552042715644008,
                                0.0874396296779696,   -0.34620864020563114, -0.06462915479880692};

START_TEST(values_gradients_and_theirs_are_those_of_the_steps_alone)
{
    fixture f = begin_f64("[batch_norm: {mask_value: 0}]", NM_SHAPE(3, 2));
    nm_tensor *x = sequences(&f), *y = train(&f, x), *dx, *again;
    nm_tensor *dy = nm_tape_tensor(f.tape, NM_F64, NM_SHAPE(3, 3, 2));
    nm_tensor_fill(dy, 7); /* behind the ends it reaches nothing */
    for (int i = 0; i < 12; i++) {
        nm_tensor_set(dy, 2 * places[i / 2] + i % 2, sqrt(i + 1));
    }
    ck_assert_int_eq(nm_gradients(f.tape, &y, &dy, 1, &x, 1, NM_CREATE_GRAPH, &dx), NM_OK);
    assert_steps(y, y_values);
    assert_steps(dx, gradient);
    nm_tensor *size = nm_sum(f.tape, nm_square(f.tape, dx));
    ck_assert_int_eq(nm_gradients(f.tape, &size, NULL, 1, &x, 1, 0, &again), NM_OK);
    assert_fine(f.context);
    assert_steps(again, second);
    finish(&f, x);
}
END_TEST

START_TEST(running_statistics_count_what_is_there)
{
    fixture f = begin_f64("[batch_norm: {mask_value: 0}]", NM_SHAPE(3, 2));
    nm_tensor *x = sequences(&f);
    train(&f, x);
    assert_fine(f.context);
    assert_near(value_of(&f, "bn1.running_mean", 0), 0.13333333333333333, 1e-14, 1e-14);
    assert_near(value_of(&f, "bn1.running_mean", 1), 0.04166666666666667, 1e-14, 1e-14);
    assert_near(value_of(&f, "bn1.running_var", 0), 1.1166666666666667, 1e-14, 1e-14);
    assert_near(value_of(&f, "bn1.running_var", 1), 1.5641666666666665, 1e-14, 1e-14);
    nm_tape_reset(f.tape);
    nm_tensor_fill(x, 0); /* nothing */
    nm_tensor *y = train(&f, x);
    assert_fine(f.context);
    assert_steps(y, (double[12]){0});
    assert_near(value_of(&f, "bn1.running_mean", 0), 0.13333333333333333, 1e-14, 1e-14);
    assert_near(value_of(&f, "bn1.running_var", 1), 1.5641666666666665, 1e-14, 1e-14);
    finish(&f, x);
}
END_TEST

START_TEST(in_evaluation_what_is_behind_the_end_is_0)
{
    fixture f = begin_f64("[batch_norm: {mask_value: 0}]", NM_SHAPE(3, 2));
    nm_tensor *x = sequences(&f);
    nm_tensor_fill(named(&f, "bn1.running_mean"), 5);
    nm_tensor_fill(named(&f, "bn1.running_var"), 4 - 1e-5);
    nm_tensor *y = evaluate(&f, x);
    double values[12];
    for (int i = 0; i < 12; i++) {
        values[i] = (steps[2 * places[i / 2] + i % 2] - 5) / 2;
    }
    assert_steps(y, values);
    finish(&f, x);
}
END_TEST

/* Steps of several places each: images in time. */
START_TEST(places_of_a_step_count_as_often_as_there_are)
{
    fixture f = begin_f64("[batch_norm: {mask_value: 0}]", NM_SHAPE(2, 2, 1));
    nm_tensor *x = nm_tensor_create(f.context, NM_F64, NM_SHAPE(2, 2, 2, 1));
    for (int64_t i = 0; i < 6; i++) {
        nm_tensor_set(x, i, (double)i + 1);
    }
    train(&f, x);
    assert_fine(f.context);
    assert_near(value_of(&f, "bn1.running_mean", 0), 0.35, 1e-14, 1e-14);
    assert_near(value_of(&f, "bn1.running_var", 0), 0.9 + 0.35, 1e-14, 1e-14);
    finish(&f, x);
}
END_TEST

START_TEST(it_is_for_sequences)
{
    refused(
        "[batch_norm: {mask_value: 0}]", NM_SHAPE(5),
        "net.yaml:1:2: layer \"bn1\": batch_norm: mask_value is for sequences, [batch, steps, ..., "
        "channels], and the input is [batch, 5]");
}
END_TEST

/* ---- Normalization of each sample ---- */

/* The squares of a layer's outputs, and the gradient of their sum. */
static void run(fixture *f, nm_tensor *x, double *y, double *dx)
{
    nm_tensor *slope;
    nm_tensor_set_requires_grad(x, true);
    nm_tensor *z = nm_square(f->tape, train(f, x));
    ck_assert_int_eq(nm_gradients(f->tape, &z, NULL, 1, &x, 1, NM_CREATE_GRAPH, &slope), NM_OK);
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        y[i] = nm_tensor_get(z, i);
        dx[i] = nm_tensor_get(slope, i);
    }
    finish(f, x);
}

/* The layer without a mask, on the first `count` of four steps alone. */
static void assert_cut(const char *plain, const double *values, int count, const double *y,
                       const double *dx)
{
    double z[16] = {0}, slope[16] = {0};
    fixture f = begin_f64(plain, NM_SHAPE(count, 4));
    nm_tensor *x = nm_tensor_create(f.context, NM_F64, NM_SHAPE(1, count, 4));
    for (int i = 0; i < 4 * count; i++) {
        nm_tensor_set(x, i, values[i]);
    }
    run(&f, x, z, slope);
    for (int i = 0; i < 16; i++) {
        assert_near(y[i], z[i], 1e-12, 1e-12);
        assert_near(dx[i], slope[i], 1e-12, 1e-12);
    }
}

static void assert_as_cut(const char *masked, const char *plain)
{
    static const int counts[] = {2, 4, 3};
    double values[48], y[48], dx[48];
    fixture f = begin_f64(masked, NM_SHAPE(4, 4));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(3, 4, 4), 1);
    for (int i = 0; i < 48; i++) {
        if (i / 4 % 4 >= counts[i / 16]) {
            nm_tensor_set(x, i, 0);
        }
        values[i] = nm_tensor_get(x, i);
    }
    run(&f, x, y, dx);
    for (int row = 0; row < 3; row++) {
        assert_cut(plain, values + 16 * row, counts[row], y + 16 * row, dx + 16 * row);
    }
}

START_TEST(each_sequence_is_normalized_as_if_it_were_cut)
{
    assert_as_cut("[instance_norm: {mask_value: 0}]", "[instance_norm]");
    assert_as_cut("[group_norm: {groups: 2, mask_value: 0}]", "[group_norm: {groups: 2}]");
    assert_as_cut("[layer_norm: {mask_value: 0}]", "[layer_norm]");
    assert_as_cut("[rms_norm: {mask_value: 0}]", "[rms_norm]");
    assert_as_cut("[layer_norm: {axis: 1, affine: false, mask_value: 0}]",
                  "[layer_norm: {axis: 1, affine: false}]");
}
END_TEST

START_TEST(a_sequence_of_no_steps_gives_and_passes_0)
{
    static const char *const nets[] = {
        "[batch_norm: {mask_value: 0}]", "[instance_norm: {mask_value: 0}]",
        "[group_norm: {groups: 2, mask_value: 0}]", "[layer_norm: {mask_value: 0}]",
        "[rms_norm: {mask_value: 0}]"};
    for (int i = 0; i < NM_COUNT_OF(nets); i++) {
        double y[24], dx[24];
        fixture f = begin_f64(nets[i], NM_SHAPE(3, 4));
        nm_tensor *x = nm_tensor_create(f.context, NM_F64, NM_SHAPE(2, 3, 4));
        nm_tensor_fill(x, 0);
        run(&f, x, y, dx);
        for (int k = 0; k < 24; k++) {
            ck_assert(y[k] == 0 && dx[k] == 0);
        }
    }
}
END_TEST

TEST_MAIN("models/masked_norm", values_gradients_and_theirs_are_those_of_the_steps_alone,
          running_statistics_count_what_is_there, in_evaluation_what_is_behind_the_end_is_0,
          places_of_a_step_count_as_often_as_there_are, it_is_for_sequences,
          each_sequence_is_normalized_as_if_it_were_cut, a_sequence_of_no_steps_gives_and_passes_0)
