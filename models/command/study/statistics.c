/* Student's t. */
#include <math.h>

#include "models/command/study/study.h"

/* The incomplete beta function's continued fraction, by Lentz's way. */
static double beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < 1e-300 ? 1e-300 : d);
    double h = d;
    for (int m = 1; m <= 500; m++) {
        const double n = m;
        const double parts[] = {n * (b - n) * x / ((a + 2 * n - 1) * (a + 2 * n)),
                                -(a + n) * (a + b + n) * x / ((a + 2 * n) * (a + 2 * n + 1))};
        double factor = 1;
        for (int i = 0; i < 2; i++) {
            d = 1 + parts[i] * d;
            c = 1 + parts[i] / c;
            d = 1 / (fabs(d) < 1e-300 ? 1e-300 : d);
            c = fabs(c) < 1e-300 ? 1e-300 : c;
            factor = c * d;
            h *= factor;
        }
        if (fabs(factor - 1) < 1e-15) {
            break;
        }
    }
    return h;
}

static double incomplete_beta(double a, double b, double x)
{
    if (x <= 0 || x >= 1) {
        return x <= 0 ? 0 : 1;
    }
    const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
                                     : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* The probability of a value below t: by the area in the middle where t is small, and by the tail
 * where it is not, whichever is the smaller number. */
static double student(double t, double n)
{
    const double square = t * t;
    if (square < n) {
        const double middle = incomplete_beta(0.5, n / 2, square / (n + square)) / 2;
        return t > 0 ? 0.5 + middle : 0.5 - middle;
    }
    const double tail = incomplete_beta(n / 2, 0.5, n / (n + square)) / 2;
    return t > 0 ? 1 - tail : tail;
}

double student_quantile(double probability, double n)
{
    double low = -1e4, high = 1e4;
    for (int i = 0; i < 200; i++) {
        const double middle = (low + high) / 2;
        if (student(middle, n) < probability) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (low + high) / 2;
}

estimate estimate_of(const double *values, int64_t count)
{
    estimate e = {.count = count,
                  .mean = NAN,
                  .deviation = NAN,
                  .low = -INFINITY,
                  .high = INFINITY,
                  .detectable = INFINITY};
    double squares = 0;
    const double n = (double)count;
    for (int64_t i = 0; i < count; i++) {
        e.mean = (i ? e.mean : 0) + values[i] / n;
    }
    for (int64_t i = 0; i < count; i++) {
        squares += (values[i] - e.mean) * (values[i] - e.mean);
    }
    if (count > 1) {
        e.deviation = sqrt(squares / (n - 1));
        const double error = e.deviation / sqrt(n), t = student_quantile(0.975, n - 1);
        e.low = e.mean - t * error;
        e.high = e.mean + t * error;
        e.detectable = (t + student_quantile(0.8, n - 1)) * error;
    }
    return e;
}
