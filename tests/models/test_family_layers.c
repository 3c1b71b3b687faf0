/* Layer, RMS, instance and group norm as layers: their parameters, and what is refused. */
#include <math.h>

#include "ops/linear.h"
#include "ops/norm.h"

#include "tests/models/model_test.h"

START_TEST(parameters_have_the_shape_of_what_they_scale)
{
    fixture f = begin("[layer_norm: {axis: 1}, layer_norm, rms_norm: {name: r}, instance_norm, "
                      "group_norm: {groups: 2}]",
                      NM_SHAPE(3, 2, 4));
    char text[NM_SHAPE_TEXT];
    ck_assert_str_eq(nm_shape_text(nm_tensor_shape(named(&f, "ln1.scale")), text), "[3, 2, 4]");
    ck_assert_str_eq(nm_shape_text(nm_tensor_shape(named(&f, "ln2.shift")), text), "[4]");
    ck_assert_str_eq(nm_shape_text(nm_tensor_shape(named(&f, "r.scale")), text), "[4]");
    ck_assert_str_eq(nm_shape_text(nm_tensor_shape(named(&f, "in1.scale")), text), "[4]");
    ck_assert_str_eq(nm_shape_text(nm_tensor_shape(named(&f, "gn1.shift")), text), "[4]");
    ck_assert_ptr_null(nm_store_find(f.store, "r.shift"));
    ck_assert_int_eq(nm_store_count(f.store), 9);
    end(&f);
}
END_TEST

/* What one sample becomes does not depend on the others, nor on whether there is training. */
START_TEST(a_sample_is_normalized_by_itself_in_training_and_evaluation_alike)
{
    static const char *const layers[] = {"[layer_norm]", "[layer_norm: {axis: 1}]", "[rms_norm]",
                                         "[instance_norm]", "[group_norm: {groups: 2}]"};
    for (int k = 0; k < NM_COUNT_OF(layers); k++) {
        fixture f = begin_f64(layers[k], NM_SHAPE(3, 2, 4));
        nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(5, 3, 2, 4), 7);
        nm_tensor *first =
            nm_tensor_copy_of(f.context, NM_F64, NM_SHAPE(1, 3, 2, 4), nm_tensor_data(x));
        nm_tensor *all = train(&f, x), *one = evaluate(&f, first);
        assert_fine(f.context);
        for (int64_t i = 0; i < 24; i++) {
            assert_near(nm_tensor_get(all, i), nm_tensor_get(one, i), 1e-12, 1e-12);
        }
        nm_tape_reset(f.tape);
        nm_tensor_destroy(x);
        nm_tensor_destroy(first);
        end(&f);
    }
}
END_TEST

START_TEST(what_cannot_be_normalized_is_refused_by_name_and_line)
{
    refused("[group_norm]", NM_SHAPE(4, 4, 8),
            "net.yaml:1:2: layer \"gn1\": group_norm: axis 3 of x [batch, 4, 4, 8] does not divide "
            "into 32 groups");
    refused("[instance_norm]", NM_SHAPE(1, 1, 8),
            "net.yaml:1:2: layer \"in1\": instance_norm: x [batch, 1, 1, 8] has one value a set, "
            "which would be normalized to 0 whatever it is; normalize over more axes or in fewer "
            "groups");
    refused("[layer_norm]", NM_SHAPE(1),
            "net.yaml:1:2: layer \"ln1\": layer_norm: x [batch, 1] has one value a set, which "
            "would be normalized to 0 whatever it is; normalize over more axes or in fewer groups");
    refused("[instance_norm]", NM_SHAPE(8),
            "net.yaml:1:2: layer \"in1\": instance_norm: x [batch, 8] must have samples on axis 0, "
            "places on one or more and channels on another: axis is -1");
}
END_TEST

/* ---- What weights are made of ---- */

/* Mean and variance of row `row` of a weight of the layer's, as its outputs for unit vectors tell.
 */
START_TEST(standardized_rows_have_mean_0_and_variance_1)
{
    fixture f = begin_f64("[dense: {units: 3, bias: false, weight: {weight_standardization: {eps: "
                          "0}}}]",
                          NM_SHAPE(6));
    nm_tensor *x = nm_tensor_create(f.context, NM_F64, NM_SHAPE(6, 6));
    for (int64_t i = 0; i < 6; i++) {
        nm_tensor_set(x, 7 * i, 1);
    }
    nm_tensor *y = evaluate(&f, x); /* [input, output]: the weight itself, transposed */
    for (int64_t k = 0; k < 3; k++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < 6; i++) {
            sum += nm_tensor_get(y, 3 * i + k);
            squares += pow(nm_tensor_get(y, 3 * i + k), 2);
        }
        assert_near(sum, 0, 0, 1e-12);
        assert_near(squares, 6, 1e-12, 0);
    }
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

/* Brock, De, Smith: a relu's outputs of N(0, 1) have the variance (1 - 1/pi) / 2, which the gain
 * brings back to 1. */
START_TEST(scaled_standardization_keeps_the_variance_behind_relu)
{
    fixture f = begin("[relu, dense: {units: 64, bias: false, weight: {weight_standardization: "
                      "{scaled: true}}}]",
                      NM_SHAPE(400));
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(500, 400), 3);
    nm_tensor *y = evaluate(&f, x);
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < 500 * 64; i++) {
        sum += nm_tensor_get(y, i) / (500 * 64);
        squares += pow(nm_tensor_get(y, i), 2) / (500 * 64);
    }
    assert_near(squares - sum * sum, 1, 0.05, 0);
    ck_assert_int_eq(nm_tensor_count(named(&f, "dense1.weight_gain")), 64);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

/* The largest length of W x for unit vectors x, by 300 iterations of the test's own. */
static double largest_singular_value(nm_tensor *w, int64_t rows, int64_t columns)
{
    double v[64], u[64], sigma = 0;
    for (int64_t k = 0; k < columns; k++) {
        v[k] = 1 + 0.1 * (double)k;
    }
    for (int n = 0; n < 300; n++) {
        double length = 0;
        sigma = 0;
        for (int64_t i = 0; i < rows; i++) {
            u[i] = 0;
            for (int64_t k = 0; k < columns; k++) {
                u[i] += nm_tensor_get(w, i * columns + k) * v[k];
            }
            sigma += u[i] * u[i];
        }
        for (int64_t k = 0; k < columns; k++) {
            v[k] = 0;
            for (int64_t i = 0; i < rows; i++) {
                v[k] += nm_tensor_get(w, i * columns + k) * u[i];
            }
            length += v[k] * v[k];
        }
        for (int64_t k = 0; k < columns; k++) {
            v[k] /= sqrt(length);
        }
    }
    return sqrt(sigma);
}

static const char spectral[] = "[dense: {units: 5, bias: false, weight: {spectral_norm: true}}]";

START_TEST(power_iteration_finds_the_singular_value_in_training_and_rests_in_evaluation)
{
    fixture f = begin_f64(spectral, NM_SHAPE(7));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(3, 7), 3), *w = named(&f, "dense1.weight");
    for (int n = 0; n < 300; n++) {
        nm_tape_reset(f.tape);
        train(&f, x);
        assert_fine(f.context);
    }
    const double left = value_of(&f, "dense1.weight_left", 2);
    nm_tape_reset(f.tape);
    nm_tensor *plain = nm_dense(f.tape, x, w, NULL);
    nm_tensor *y = evaluate(&f, x);
    const double sigma = largest_singular_value(w, 5, 7);
    for (int64_t i = 0; i < 15; i++) {
        assert_near(nm_tensor_get(y, i) * sigma, nm_tensor_get(plain, i), 1e-9, 1e-12);
    }
    ck_assert(value_of(&f, "dense1.weight_left", 2) == left);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

/* A declared surrogate: dW = (dy - (dy . y) left right^T) / sigma, whatever the vectors are. */
START_TEST(the_gradient_of_spectral_norm_takes_its_vectors_as_constants)
{
    fixture f = begin_f64("[dense: {units: 2}]", NM_SHAPE(3));
    nm_tensor *w = normal(&f, NM_F64, NM_SHAPE(2, 3), 1),
              *dy = normal(&f, NM_F64, NM_SHAPE(2, 3), 2);
    nm_tensor *left = normal(&f, NM_F64, NM_SHAPE(2), 3),
              *right = normal(&f, NM_F64, NM_SHAPE(3), 4);
    nm_tensor_set_requires_grad(w, true);
    nm_tensor *y = nm_spectral_norm(f.tape, w, left, right), *dw;
    nm_gradients(f.tape, &y, &dy, 1, &w, 1, NM_KEEP_GRAPH, &dw);
    assert_fine(f.context);
    double sigma = 0, product = 0;
    for (int64_t i = 0; i < 6; i++) {
        sigma += nm_tensor_get(left, i / 3) * nm_tensor_get(w, i) * nm_tensor_get(right, i % 3);
        product += nm_tensor_get(dy, i) * nm_tensor_get(y, i);
    }
    for (int64_t i = 0; i < 6; i++) {
        const double rank = nm_tensor_get(left, i / 3) * nm_tensor_get(right, i % 3);
        assert_near(nm_tensor_get(y, i), nm_tensor_get(w, i) / sigma, 1e-12, 0);
        assert_near(nm_tensor_get(dw, i), (nm_tensor_get(dy, i) - product * rank) / sigma, 1e-11,
                    1e-13);
    }
    nm_tape_reset(f.tape);
    nm_tensor *own[] = {w, dy, left, right};
    for (int i = 0; i < 4; i++) {
        nm_tensor_destroy(own[i]);
    }
    end(&f);
}
END_TEST

START_TEST(a_weight_of_zeros_has_no_nan_by_any_of_them)
{
    static const char *const layers[] = {
        "[dense: {units: 5, bias: false, init: zeros, weight: {spectral_norm: true}}]",
        "[dense: {units: 5, bias: false, init: zeros, weight: {weight_norm: true}}]",
        "[dense: {units: 5, bias: false, init: zeros, weight: {weight_standardization: true}}]"};
    for (int k = 0; k < NM_COUNT_OF(layers); k++) {
        fixture f = begin(layers[k], NM_SHAPE(7));
        nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(3, 7), 3), *y = train(&f, x);
        nm_tensor_keep(y);
        nm_backward(f.tape, nm_sum(f.tape, y), 0);
        assert_fine(f.context);
        for (int64_t i = 0; i < 15; i++) {
            ck_assert(nm_tensor_get(y, i) == 0);
        }
        nm_tensor *w = nm_store_at(f.store, 0)->tensor;
        ck_assert_int_eq(nm_tensor_first_not_finite(nm_tensor_grad(w)), -1);
        nm_tape_reset(f.tape);
        nm_tensor_destroy(x);
        end(&f);
    }
}
END_TEST

START_TEST(a_weight_is_made_of_one_thing)
{
    refused("[dense: {units: 2, weight: {weight_norm: true, spectral_norm: true}}]", NM_SHAPE(3),
            "net.yaml:1:28: weight: it takes one of weight_norm, weight_standardization and "
            "spectral_norm, not several");
    refused("[dense: {units: 2, weight_norm: true, weight: {spectral_norm: true}}]", NM_SHAPE(3),
            "net.yaml:1:2: layer \"dense1\": dense: weight_norm stands beside weight, which says "
            "what the weight is made of; leave one of them out");
    refused("[dense: {units: 2, weight: {weight_standardization: true}}]", NM_SHAPE(1),
            "net.yaml:1:2: layer \"dense1\": weight_standardization: x [2, 1] has one value a set, "
            "which would be normalized to 0 whatever it is; normalize over more axes or in fewer "
            "groups");
}
END_TEST

START_TEST(weight_norm_by_either_way_of_writing_is_the_same)
{
    fixture a = begin("[dense: {units: 3, weight_norm: {axis: 1}}]", NM_SHAPE(4));
    fixture b = begin("[dense: {units: 3, weight: {weight_norm: {axis: 1}}}]", NM_SHAPE(4));
    for (int i = 0; i < nm_store_count(a.store); i++) {
        ck_assert_str_eq(nm_store_at(a.store, i)->name, nm_store_at(b.store, i)->name);
        ck_assert(same_bits(nm_store_at(a.store, i)->tensor, nm_store_at(b.store, i)->tensor));
    }
    end(&a);
    end(&b);
}
END_TEST

TEST_MAIN("models/family_layers", parameters_have_the_shape_of_what_they_scale,
          a_sample_is_normalized_by_itself_in_training_and_evaluation_alike,
          what_cannot_be_normalized_is_refused_by_name_and_line,
          standardized_rows_have_mean_0_and_variance_1,
          scaled_standardization_keeps_the_variance_behind_relu,
          power_iteration_finds_the_singular_value_in_training_and_rests_in_evaluation,
          the_gradient_of_spectral_norm_takes_its_vectors_as_constants,
          a_weight_of_zeros_has_no_nan_by_any_of_them, a_weight_is_made_of_one_thing,
          weight_norm_by_either_way_of_writing_is_the_same)
