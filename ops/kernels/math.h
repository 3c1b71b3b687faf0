/* exp, log, log1p, expm1, tanh, the logistic sigmoid and the normal distribution for float, written
 * without branches or calls, so that loops over them vectorize (the C library's do not). In double
 * they are the C library's. Largest errors over all floats, as tests/ops/test_basic.c checks:
 *
 *     NM_EXP         1.5 ulp; 0 and infinity where float ends, denormals included
 *     NM_LOG         1.5 ulp; -infinity at 0, NaN below
 *     NM_LOG1P       3 ulp; -infinity at -1, NaN below
 *     NM_EXPM1       3 ulp; infinity where float ends
 *     NM_TANH        3 ulp
 *     NM_SIGMOID     3 ulp
 *     NM_NORMAL_CDF  8 ulp for x > -13; denormals and 0 below
 *
 * NaN gives NaN. Each macro takes float or double and returns its argument's type.
 *
 * The polynomials are our own minimax fits; the methods are the usual ones (J.-M. Muller,
 * "Elementary Functions", chapters on range reduction). */
#ifndef NM_OPS_KERNELS_MATH_H
#define NM_OPS_KERNELS_MATH_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/inline.h"

NM_INLINE float nm_float_of_bits(int32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

NM_INLINE int32_t nm_bits_of_float(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* x within low..high; NaN stays. */
NM_INLINE float nm_clamp_f32(float x, float low, float high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

/* x = n ln 2 + r with |r| <= ln(2)/2. Adding 1.5 * 2^23 rounds to an integer, which then stands in
 * the lowest bits; the two parts of ln 2 make n times the first exact. Returns r. */
NM_INLINE float nm_reduce_exp(float x, int32_t *n)
{
    const float shift = 12582912.0f;
    float shifted = x * 1.44269504f + shift;
    *n = nm_bits_of_float(shifted) - nm_bits_of_float(shift);
    float whole = shifted - shift;
    return (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
}

/* e^r - 1 for |r| <= ln(2)/2 */
NM_INLINE float nm_expm1_near_0(float r)
{
    float p = 1.3947595e-3f;
    p = p * r + 8.367247e-3f;
    p = p * r + 4.1666266e-2f;
    p = p * r + 1.6666538e-1f;
    p = p * r + 0.5f;
    return r + r * r * p;
}

/* 2^n for -126 <= n <= 127 */
NM_INLINE float nm_power_of_2(int32_t n)
{
    return nm_float_of_bits((int32_t)((uint32_t)(n + 127) << 23));
}

NM_INLINE float nm_exp_f32(float x)
{
    int32_t n;
    float r = nm_reduce_exp(nm_clamp_f32(x, -104.0f, 89.0f), &n);
    int32_t half = n >> 1; /* two factors, since 2^n may not be a float where e^x is one */
    return (1.0f + nm_expm1_near_0(r)) * nm_power_of_2(half) * nm_power_of_2(n - half);
}

/* log(x / 2^by) of a normal x above 0. x = m 2^e with m in [sqrt(1/2), sqrt(2)), and log x is
 * e ln 2 + log m. */
NM_INLINE float nm_log_of_normal_f32(float x, float by)
{
    uint32_t bits = (uint32_t)nm_bits_of_float(x);
    int32_t e = (int32_t)(bits - 0x3f3504f3u) >> 23;
    float f = nm_float_of_bits((int32_t)(bits - ((uint32_t)e << 23))) - 1.0f;
    float whole = (float)e - by;
    float p = 0.06746601f;
    p = p * f - 0.11675641f;
    p = p * f + 0.11888175f;
    p = p * f - 0.124055915f;
    p = p * f + 0.14219551f;
    p = p * f - 0.16667996f;
    p = p * f + 0.20002119f;
    p = p * f - 0.2500001f;
    p = p * f + 0.33333313f;
    return whole * 0.693359375f + (f + (f * f * (f * p - 0.5f) - whole * 2.12194440e-4f));
}

NM_INLINE float nm_log_f32(float x)
{
    bool denormal = x < 1.17549435e-38f; /* brought into range by 2^23 */
    float result =
        nm_log_of_normal_f32(x * (denormal ? 8388608.0f : 1.0f), denormal ? 23.0f : 0.0f);
    result = x == INFINITY ? x : result;
    result = x == 0.0f ? -INFINITY : result;
    return x >= 0.0f ? result : NAN; /* NaN too, since it does not compare */
}

/* log(1 + x) for 0 <= x <= 1; NaN gives NaN. */
NM_INLINE float nm_log1p_of_unit_f32(float x)
{
    float u = 1.0f + x;
    return nm_log_of_normal_f32(u, 0.0f) + (x - (u - 1.0f)) / u;
}

/* log(1 + x): with u = 1 + x rounded, what the rounding lost is (x - (u - 1)) / u. */
NM_INLINE float nm_log1p_f32(float x)
{
    float u = 1.0f + x;
    float result = nm_log_f32(u) + (x - (u - 1.0f)) / u;
    result = u == 0.0f ? -INFINITY : result;
    return x == INFINITY ? x : result;
}

/* e^x - 1 = 2^n ((e^r - 1) + (1 - 2^-n)) */
NM_INLINE float nm_expm1_f32(float x)
{
    int32_t n;
    float r = nm_reduce_exp(nm_clamp_f32(x, -30.0f, 89.0f), &n);
    int32_t half = n >> 1, back = n > 126 ? 126 : n; /* from there on, 2^-n does not count */
    float t = nm_expm1_near_0(r) + (1.0f - nm_power_of_2(-back));
    return t * nm_power_of_2(half) * nm_power_of_2(n - half);
}

/* With t = e^(2|x|) - 1: tanh |x| = t / (t + 2), which keeps small x accurate. */
NM_INLINE float nm_tanh_f32(float x)
{
    int32_t n;
    float a = fabsf(x);
    float r = nm_reduce_exp(2.0f * (a > 10.0f ? 10.0f : a), &n);
    float scale = nm_power_of_2(n);
    float t = scale * nm_expm1_near_0(r) + (scale - 1.0f);
    return copysignf(t / (t + 2.0f), x);
}

/* With e = e^-|x|, which cannot overflow: 1 / (1 + e), or e / (1 + e) below 0. */
NM_INLINE float nm_sigmoid_f32(float x)
{
    float e = nm_exp_f32(-fabsf(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* e^(-x^2/2). x = h + l with h of 12 bits, so that h^2 is exact; the rest is near e^0. */
NM_INLINE float nm_bell_f32(float x)
{
    float a = nm_clamp_f32(x, -15.0f, 15.0f);
    float h = nm_float_of_bits(nm_bits_of_float(a) & ~0xfff);
    float d = 0.5f * (a - h) * (a + h);
    float correction = 1.0f - d * (1.0f - d * (0.5f - d * 0.16666667f));
    return nm_exp_f32(-0.5f * h * h) * correction;
}

/* P(X <= x) of the standard normal distribution, with bell = nm_bell_f32(x). Its tail is
 * Phi(-|x|) = bell * t * polynomial(t), t = 1 / (1 + 0.35 |x|). */
NM_INLINE float nm_normal_cdf_from_bell_f32(float x, float bell)
{
    float t = 1.0f / (1.0f + 0.35f * fabsf(x));
    float p = -2.9146139e-2f;
    p = p * t + 1.4397271e-1f;
    p = p * t - 2.5571632e-1f;
    p = p * t + 1.591765e-1f;
    p = p * t - 2.3111418e-2f;
    p = p * t + 1.0550866e-1f;
    p = p * t + 1.198327e-1f;
    p = p * t + 1.398619e-1f;
    p = p * t + 1.396214e-1f;
    float tail = bell * t * p;
    return x < 0.0f ? tail : 1.0f - tail;
}

NM_INLINE float nm_normal_cdf_f32(float x)
{
    return nm_normal_cdf_from_bell_f32(x, nm_bell_f32(x));
}

NM_INLINE double nm_sigmoid_f64(double x)
{
    double e = (exp)(-(fabs)(x));
    return (x < 0 ? e : 1) / (1 + e);
}

NM_INLINE double nm_bell_f64(double x)
{
    return (exp)(-0.5 * x * x);
}

NM_INLINE double nm_normal_cdf_f64(double x)
{
    return 0.5 * (erfc)(x * -0.70710678118654752);
}

/* clang-format off */
#define NM_EXP(x) _Generic((x), float: nm_exp_f32, double: exp)(x)
#define NM_LOG(x) _Generic((x), float: nm_log_f32, double: log)(x)
#define NM_LOG1P(x) _Generic((x), float: nm_log1p_f32, double: log1p)(x)
#define NM_LOG1P_OF_UNIT(x) _Generic((x), float: nm_log1p_of_unit_f32, double: log1p)(x)
#define NM_EXPM1(x) _Generic((x), float: nm_expm1_f32, double: expm1)(x)
#define NM_TANH(x) _Generic((x), float: nm_tanh_f32, double: tanh)(x)
#define NM_SIGMOID(x) _Generic((x), float: nm_sigmoid_f32, double: nm_sigmoid_f64)(x)
#define NM_BELL(x) _Generic((x), float: nm_bell_f32, double: nm_bell_f64)(x)
#define NM_NORMAL_CDF(x) _Generic((x), float: nm_normal_cdf_f32, double: nm_normal_cdf_f64)(x)
/* clang-format on */

#endif
