/* How a position becomes a number. A Philox block is 128 bits: two numbers, so the number at a
 * position is half `position & 1` of block `position >> 1`. The block's number needs 63 bits, and
 * the bit that is left tells the two sequences apart:
 *
 *     counter = [block | sequence << 63, stream], key = seed, each 64 bits, low word first
 *
 * A normal number needs two uniform ones and Box-Muller turns two into two: those of one block. */
#include "core/random.h"

#include <math.h>

#include "core/guard.h"
#include "core/thread.h"

#define LANES 32          /* blocks computed side by side, for vector units */
#define CHUNK (2 * LANES) /* numbers in them */
#define GRAIN 8192        /* elements that are worth a thread */

typedef enum sequence { SEQUENCE_BITS, SEQUENCE_NORMAL } sequence;

/* ---- Philox ---- */

static inline void philox_round(int lanes, uint32_t (*c)[LANES], uint32_t key0, uint32_t key1)
{
    for (int i = 0; i < lanes; i++) {
        uint64_t product0 = (uint64_t)c[0][i] * 0xD2511F53u;
        uint64_t product1 = (uint64_t)c[2][i] * 0xCD9E8D57u;
        c[0][i] = (uint32_t)(product1 >> 32) ^ c[1][i] ^ key0;
        c[1][i] = (uint32_t)product1;
        c[2][i] = (uint32_t)(product0 >> 32) ^ c[3][i] ^ key1;
        c[3][i] = (uint32_t)product0;
    }
}

/* In place, on `lanes` counters: word w of counter i is c[w][i]. */
static inline void philox_rounds(int lanes, uint32_t (*c)[LANES], uint32_t key0, uint32_t key1)
{
    for (int round = 0; round < 10; round++) {
        philox_round(lanes, c, key0, key1);
        key0 += 0x9E3779B9u; /* the golden ratio */
        key1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
}

void nm_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    NM_GIVEN(counter && key && out, );
    uint32_t c[4][LANES];
    for (int word = 0; word < 4; word++) {
        c[word][0] = counter[word];
    }
    philox_rounds(1, c, key[0], key[1]);
    for (int word = 0; word < 4; word++) {
        out[word] = c[word][0];
    }
}

/* The 2 * lanes numbers from an even position on. */
static inline void make_bits(int lanes, const nm_random *random, sequence which, uint64_t position,
                             uint64_t *bits)
{
    uint32_t c[4][LANES];
    for (int i = 0; i < lanes; i++) {
        uint64_t block = (position + 2 * (uint64_t)i) >> 1 | (uint64_t)which << 63;
        c[0][i] = (uint32_t)block;
        c[1][i] = (uint32_t)(block >> 32);
        c[2][i] = (uint32_t)random->stream;
        c[3][i] = (uint32_t)(random->stream >> 32);
    }
    philox_rounds(lanes, c, (uint32_t)random->seed, (uint32_t)(random->seed >> 32));
    for (int i = 0; i < lanes; i++) {
        bits[2 * i] = c[0][i] | (uint64_t)c[1][i] << 32;
        bits[2 * i + 1] = c[2][i] | (uint64_t)c[3][i] << 32;
    }
}

/* ---- From bits to numbers ---- */

/* [0, 1) in steps of 2^-53. */
static inline double to_uniform(uint64_t bits)
{
    return (double)(int64_t)(bits >> 11) * 0x1p-53; /* signed: one instruction */
}

/* Box-Muller. The radius takes its uniform number from (0, 1], where the logarithm is finite. */
static inline void to_normal_pair(const uint64_t bits[2], double out[2])
{
    double radius = sqrt(-2 * log((double)(int64_t)((bits[0] >> 11) + 1) * 0x1p-53));
    double angle = 6.283185307179586476925 * to_uniform(bits[1]);
    out[0] = radius * cos(angle);
    out[1] = radius * sin(angle);
}

/* ---- One number at a time ---- */

nm_random nm_random_create(uint64_t seed, uint64_t stream)
{
    return (nm_random){.seed = seed, .stream = stream};
}

uint64_t nm_random_next(nm_random *random)
{
    NM_GIVEN(random, 0);
    uint64_t bits[2], position = random->position++;
    make_bits(1, random, SEQUENCE_BITS, position, bits);
    return bits[position & 1];
}

double nm_random_uniform(nm_random *random)
{
    NM_GIVEN(random, NAN);
    return to_uniform(nm_random_next(random));
}

double nm_random_normal(nm_random *random)
{
    NM_GIVEN(random, NAN);
    uint64_t bits[2], position = random->position++;
    double pair[2];
    make_bits(1, random, SEQUENCE_NORMAL, position, bits);
    to_normal_pair(bits, pair);
    return pair[position & 1];
}

int64_t nm_random_below(nm_random *random, int64_t bound)
{
    NM_GIVEN(random, 0);
    uint64_t n = bound > 0 ? (uint64_t)bound : 1;
    /* 2^64 mod n: without the first so many, the values that are left are a multiple of n. */
    uint64_t excess = (0 - n) % n;
    uint64_t bits = nm_random_next(random);
    while (bits < excess) {
        bits = nm_random_next(random);
    }
    return (int64_t)(bits % n);
}

void nm_random_permutation(nm_random *random, int64_t *order, int64_t count)
{
    NM_GIVEN(random && (order || count <= 0), );
    for (int64_t i = 0; i < count; i++) {
        order[i] = i; /* changes places with one of those before it, or with itself */
        int64_t j = nm_random_below(random, i + 1), other = order[j];
        order[j] = i;
        order[i] = other;
    }
}

/* ---- Whole tensors ---- */

typedef struct fill {
    nm_random random;
    sequence which;
    float *f32; /* one of the two */
    double *f64;
    double low, high; /* of uniform numbers */
    double last;      /* the largest number of the tensor's type below high */
    double mean, deviation;
} fill;

/* The values of the CHUNK elements from an even position on. */
static void make_values(const fill *f, uint64_t position, double *values)
{
    uint64_t bits[CHUNK];
    make_bits(LANES, &f->random, f->which, position, bits);
    if (f->which == SEQUENCE_NORMAL) {
        for (int i = 0; i < CHUNK; i += 2) {
            to_normal_pair(bits + i, values + i);
        }
        for (int i = 0; i < CHUNK; i++) {
            values[i] = f->mean + f->deviation * values[i];
        }
        return;
    }
    for (int i = 0; i < CHUNK; i++) {
        /* The sum may round up to `high`. */
        double value = f->low + (f->high - f->low) * to_uniform(bits[i]);
        values[i] = value < f->last ? value : f->last;
    }
}

static void store_values(const fill *f, int64_t begin, int64_t end, const double *values)
{
    for (int64_t i = begin; i < end; i++) {
        if (f->f32) {
            f->f32[i] = (float)values[i - begin];
        } else {
            f->f64[i] = values[i - begin];
        }
    }
}

static void fill_range(void *arg, int64_t begin, int64_t end)
{
    const fill *f = arg;
    double values[CHUNK];
    while (begin < end) {
        uint64_t position = f->random.position + (uint64_t)begin;
        int skip = (int)(position & 1); /* a range may begin within a block */
        int64_t stop = begin + CHUNK - skip < end ? begin + CHUNK - skip : end;
        make_values(f, position - (uint64_t)skip, values);
        store_values(f, begin, stop, values + skip);
        begin = stop;
    }
}

static nm_status fill_tensor(fill *f, nm_random *random, nm_tensor *tensor)
{
    void *data = nm_tensor_elements(tensor);
    if (!data || nm_tensor_check_change(tensor) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    f->random = *random;
    f->f32 = nm_tensor_dtype(tensor) == NM_F32 ? data : NULL;
    f->f64 = nm_tensor_dtype(tensor) == NM_F64 ? data : NULL;
    nm_parallel(nm_tensor_context(tensor), nm_tensor_count(tensor), GRAIN, fill_range, f);
    random->position += (uint64_t)nm_tensor_count(tensor);
    nm_tensor_touch(tensor);
    return NM_OK;
}

static nm_status check_type(nm_tensor *tensor, const char *what)
{
    if (!tensor) {
        return NM_ERROR_INPUT; /* whatever should have made it has said why */
    }
    nm_dtype dtype = nm_tensor_dtype(tensor);
    if (dtype != NM_F32 && dtype != NM_F64) {
        const char *name = nm_tensor_name(tensor);
        return nm_fail(nm_tensor_context(tensor), NM_ERROR_INPUT,
                       "%s: %s holds %s; only f32 and f64 tensors can be filled", what,
                       name ? name : "the tensor", nm_dtype_name(dtype));
    }
    return NM_OK;
}

/* The number as a tensor of the type holds it. volatile, because gcc 12 at -O3 leaves out the
 * rounding where it does two of them at once. */
static double number_in(nm_dtype dtype, double number)
{
    volatile float narrow = (float)number;
    return dtype == NM_F32 ? (double)narrow : number;
}

nm_status nm_random_fill_uniform(nm_random *random, nm_tensor *tensor, double low, double high)
{
    NM_GIVEN(tensor, NM_ERROR_INPUT);
    NM_REQUIRE(nm_tensor_context(tensor), random, NM_ERROR_INPUT);
    if (check_type(tensor, "nm_random_fill_uniform") != NM_OK) {
        return NM_ERROR_INPUT;
    }
    const nm_dtype dtype = nm_tensor_dtype(tensor);
    fill f = {.which = SEQUENCE_BITS, .low = number_in(dtype, low), .high = number_in(dtype, high)};
    if (!(f.low <= f.high) || !isfinite(f.high - f.low)) {
        return nm_fail(
            nm_tensor_context(tensor), NM_ERROR_INPUT,
            "nm_random_fill_uniform: the limits %g and %g must be finite %s numbers, the "
            "lower one first",
            low, high, nm_dtype_name(dtype));
    }
    f.last = dtype == NM_F32 ? nextafterf((float)f.high, (float)f.low) : nextafter(f.high, f.low);
    return fill_tensor(&f, random, tensor);
}

nm_status nm_random_fill_normal(nm_random *random, nm_tensor *tensor, double mean, double deviation)
{
    NM_GIVEN(tensor, NM_ERROR_INPUT);
    NM_REQUIRE(nm_tensor_context(tensor), random, NM_ERROR_INPUT);
    if (check_type(tensor, "nm_random_fill_normal") != NM_OK) {
        return NM_ERROR_INPUT;
    }
    if (!isfinite(mean) || !isfinite(deviation) || deviation < 0) {
        return nm_fail(nm_tensor_context(tensor), NM_ERROR_INPUT,
                       "nm_random_fill_normal: mean %g and deviation %g must be finite, the "
                       "deviation at least 0",
                       mean, deviation);
    }
    fill f = {.which = SEQUENCE_NORMAL, .mean = mean, .deviation = deviation};
    return fill_tensor(&f, random, tensor);
}
