/* pow: by an option and by an input. */
#include <math.h>
#include <string.h>

#include "ops/kernels/math.h"
#include "tests/ops/ops_test.h"

/* ---- The usual exponents, and slopes ---- */

static void assert_pow_slope(fixture f, double exponent, double slope)
{
    nm_tensor *x = nm_scalar(f.tape, NM_F32, 0), *dx;
    nm_tensor_set_requires_grad(x, true);
    nm_tensor *y = nm_pow(f.tape, x, exponent);
    nm_gradients(f.tape, &y, NULL, 1, &x, 1, 0, &dx);
    ck_assert_double_eq(nm_tensor_item(dx), slope);
}

START_TEST(a_power_has_a_finite_slope_at_zero_where_there_is_one)
{
    fixture f = begin();
    assert_pow_slope(f, 0, 0);
    assert_pow_slope(f, 1, 1);
    assert_pow_slope(f, 2, 0);
    assert_pow_slope(f, 3, 0);
    end(&f);
}
END_TEST

static const double usual[] = {1, 2, 3, -1, -2, 0.5, -0.5, -1.5};

/* In a vector's loop and in what is left of one. */
START_TEST(usual_powers_are_as_exact_as_f32_can_be)
{
    fixture f = begin();
    enum { COUNT = 100003 };
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(COUNT), 0);
    float *values = nm_tensor_data(x);
    for (uint32_t i = 0; i < COUNT; i++) {
        values[i] = nm_float_of_bits((int32_t)(i * 42949u % 0x7f800000u)); /* all sizes */
    }
    for (int e = 0; e < NM_COUNT_OF(usual); e++) {
        const float *y = nm_tensor_data(nm_pow(f.tape, x, usual[e]));
        double largest = 0;
        for (int i = 0; i < COUNT; i++) {
            const double wanted = pow(values[i], usual[e]);
            const float nearest = (float)wanted;
            if (nearest == 0 || isinf(nearest)) {
                ck_assert_msg(y[i] == nearest, "%g^%g is %g", values[i], usual[e], y[i]);
                continue;
            }
            const double ulp = (double)nextafterf(nearest, INFINITY) - (double)nearest;
            largest = fmax(largest, fabs(y[i] - wanted) / ulp);
        }
        ck_assert_msg(largest <= 0.5001, "x^%g is wrong by %g ulp", usual[e], largest);
    }
    end(&f);
}
END_TEST

/* y and dy/dx as torch.pow() of PyTorch 2.13 has them; of zeros among y, the sign as well. */
START_TEST(powers_of_zeros_infinities_and_negative_numbers_are_pytorchs)
{
    static const double in[] = {-0.0, 0, INFINITY, -INFINITY, NAN, -1};
    static const double out[][2][6] = {
        {{-0.0, 0, INFINITY, -INFINITY, NAN, -1}, {1, 1, 1, 1, 1, 1}},
        {{0, 0, INFINITY, INFINITY, NAN, 1}, {-0.0, 0, INFINITY, -INFINITY, NAN, -2}},
        {{-0.0, 0, INFINITY, -INFINITY, NAN, -1}, {0, 0, INFINITY, INFINITY, NAN, 3}},
        {{-INFINITY, INFINITY, 0, -0.0, NAN, -1}, {-INFINITY, -INFINITY, -0.0, -0.0, NAN, -1}},
        {{INFINITY, INFINITY, 0, 0, NAN, 1}, {INFINITY, -INFINITY, -0.0, 0, NAN, 2}},
        {{-0.0, 0, INFINITY, NAN, NAN, NAN}, {-INFINITY, INFINITY, 0, NAN, NAN, NAN}},
        {{-INFINITY, INFINITY, 0, NAN, NAN, NAN}, {-INFINITY, -INFINITY, -0.0, -0.0, NAN, NAN}},
        {{INFINITY, INFINITY, 0, 0, NAN, NAN}, {-INFINITY, -INFINITY, -0.0, -0.0, NAN, NAN}},
    };
    fixture f = begin();
    for (int i = 0; i < NM_COUNT_OF(usual) * 2; i++) {
        nm_tensor *x = nm_full(f.tape, i % 2 ? NM_F64 : NM_F32, NM_SHAPE(6), 0), *dx;
        for (int k = 0; k < 6; k++) {
            nm_tensor_set(x, k, in[k]);
        }
        nm_tensor_set_requires_grad(x, true);
        nm_tensor *y = nm_tensor_keep(nm_pow(f.tape, x, usual[i / 2]));
        nm_tensor *ones = nm_full(f.tape, nm_tensor_dtype(y), NM_SHAPE(6), 1);
        nm_gradients(f.tape, &y, &ones, 1, &x, 1, 0, &dx);
        for (int k = 0; k < 12; k++) {
            const double is = nm_tensor_get(k < 6 ? y : dx, k % 6),
                         wanted = out[i / 2][k / 6][k % 6];
            const bool same = is == wanted && (k >= 6 || signbit(is) == signbit(wanted));
            ck_assert_msg(isnan(wanted) ? isnan(is) : same, "%s of %g^%g is %g",
                          k < 6 ? "value" : "slope", in[k % 6], usual[i / 2], is);
        }
    }
    end(&f);
}
END_TEST

/* ---- Any exponent, in f32 ---- */

static const float special[] = {
    0,         -0.0f,    1,         -1,         2,          -2,          0.5f,       -0.5f,
    3,         -3,       INFINITY,  -INFINITY,  NAN,        1e-40f,      -1e-40f,    1e-45f,
    3.4e38f,   -3.4e38f, 1.5f,      -1.5f,      2.5f,       149,         -149,       150,
    -150,      127,      128,       -126,       8388607.5f, 8388608,     8388609,    16777215,
    -16777215, 16777216, -33554432, 4194304.5f, 0.1f,       0.99999994f, 1.0000001f, -0.99999994f,
};
enum { SPECIALS = NM_COUNT_OF(special) };

static bool alike(float is, float wanted)
{
    if (isnan(wanted) || isinf(wanted)) {
        return isnan(wanted) ? isnan(is) : is == wanted;
    }
    return fabsf(is - wanted) <= 1.2e-7f * fabsf(wanted);
}

static void assert_power(float x, float e, float is)
{
    const float wanted = powf(x, e);
    ck_assert_msg(alike(is, wanted) && (isnan(wanted) || !signbit(is) == !signbit(wanted)),
                  "%.9g^%.9g is %.9g and not %.9g", x, e, is, wanted);
}

/* The C library's follow the standard's annex F, as PyTorch's do. */
START_TEST(powers_of_special_numbers_by_special_numbers_are_the_standards)
{
    fixture f = begin();
    float all[SPECIALS];
    memcpy(all, special, sizeof all);
    nm_tensor *x = nm_tape_wrap(f.tape, NM_F32, NM_SHAPE(SPECIALS, 1), all);
    nm_tensor *e = nm_tape_wrap(f.tape, NM_F32, NM_SHAPE(SPECIALS), all);
    const float *y = nm_tensor_data(nm_pow_tensor(f.tape, x, e));
    for (int i = 0; i < SPECIALS * SPECIALS; i++) {
        assert_power(special[i / SPECIALS], special[i % SPECIALS], y[i]);
    }
    for (int k = 0; k < SPECIALS; k++) {
        if (fabsf(special[k]) == 0.5f) { /* a root, whose own test is above */
            continue;
        }
        y = nm_tensor_data(nm_pow(f.tape, x, special[k]));
        for (int i = 0; i < SPECIALS; i++) {
            assert_power(special[i], special[k], y[i]);
        }
    }
    end(&f);
}
END_TEST

static double ulps_off(float is, double wanted)
{
    const float nearest = (float)wanted;
    if (nearest == 0 || isinf(nearest)) {
        return is == nearest ? 0 : 1e9;
    }
    const double ulp = (double)nextafterf(fabsf(nearest), INFINITY) - fabs((double)nearest);
    return fabs(is - wanted) / ulp;
}

START_TEST(any_power_is_at_most_half_an_ulp_off_and_a_hundredth)
{
    enum { COUNT = 20011 };
    fixture f = begin();
    for (int spread = 1; spread <= 126; spread *= 5) {
        nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(COUNT), 0, 1, 1);
        nm_tensor *e = normal(&f, NM_F32, NM_SHAPE(COUNT), 0, 100.0 / spread, 2);
        float *values = nm_tensor_data(x), *by = nm_tensor_data(e);
        for (int i = 0; i < COUNT; i++) {
            values[i] = exp2f(fminf(fmaxf(values[i], -1), 1) * (float)spread);
        }
        const float *y = nm_tensor_data(nm_pow_tensor(f.tape, x, e));
        const float *z = nm_tensor_data(nm_pow(f.tape, x, 2.3));
        double largest = 0;
        for (int i = 0; i < COUNT; i++) {
            largest = fmax(largest, ulps_off(y[i], pow(values[i], by[i])));
            largest = fmax(largest, ulps_off(z[i], pow(values[i], 2.3f)));
        }
        ck_assert_msg(largest <= 0.51, "wrong by %g ulp", largest);
    }
    end(&f);
}
END_TEST

TEST_MAIN("ops/power", a_power_has_a_finite_slope_at_zero_where_there_is_one,
          usual_powers_are_as_exact_as_f32_can_be,
          powers_of_zeros_infinities_and_negative_numbers_are_pytorchs,
          powers_of_special_numbers_by_special_numbers_are_the_standards,
          any_power_is_at_most_half_an_ulp_off_and_a_hundredth)
