/* Telling data sets apart by their contents, wherever they came from, and on whatever processor:
 * files carry these numbers from one to the other. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "optim/data/split/split.h"

#define LANES                                                                                      \
    4 /* words hashed side by side: one after the other would be bound by the multiplier */

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9E3779B97F4A7C15ull;
    return hash ^ hash >> 32;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static uint64_t in_order(uint64_t word, size_t item)
{
    (void)item;
    return word;
}
#else
/* A word of elements of `item` bytes, with the first element as the least significant one. */
static uint64_t in_order(uint64_t word, size_t item)
{
    word = item < 8 ? word << 32 | word >> 32 : word;
    word = item < 4 ? (word & 0x0000ffff0000ffff) << 16 | (word >> 16 & 0x0000ffff0000ffff) : word;
    return item < 2 ? (word & 0x00ff00ff00ff00ff) << 8 | (word >> 8 & 0x00ff00ff00ff00ff) : word;
}
#endif

static uint64_t word_at(const char *bytes, size_t size, size_t item)
{
    uint64_t word = 0;
    memcpy(&word, bytes, size < sizeof word ? size : sizeof word);
    return in_order(word, item);
}

/* Of elements of `item` bytes. */
static uint64_t mix_bytes(uint64_t hash, const char *bytes, size_t size, size_t item)
{
    uint64_t lanes[LANES] = {hash, 1, 2, 3};
    const size_t block = LANES * sizeof *lanes;
    size_t at = 0;
    for (; at + block <= size; at += block) {
        for (size_t i = 0; i < LANES; i++) {
            lanes[i] = mix(lanes[i], word_at(bytes + at + i * sizeof *lanes, block, item));
        }
    }
    hash = lanes[0];
    for (int i = 1; i < LANES; i++) {
        hash = mix(hash, lanes[i]);
    }
    for (; at < size; at += sizeof *lanes) {
        hash = mix(hash, word_at(bytes + at, size - at, item));
    }
    return hash;
}

static uint64_t mix_shape(uint64_t hash, const nm_shape *shape, nm_dtype dtype)
{
    hash = mix(mix(hash, (uint64_t)dtype), (uint64_t)shape->rank);
    for (int i = 0; i < shape->rank; i++) {
        hash = mix(hash, (uint64_t)shape->dim[i]);
    }
    return hash;
}

uint64_t nm_dataset_fingerprint(const nm_dataset *set)
{
    NM_GIVEN(set, 0);
    uint64_t hash = mix(0, (uint64_t)set->count);
    size_t sample = nm_dataset_sample_bytes(set), target = nm_dataset_target_bytes(set);
    size_t item = nm_dtype_size(set->dtype), target_item = nm_dtype_size(set->target_dtype);
    hash = mix_shape(hash, &set->shape, set->dtype);
    hash = mix_shape(hash, &set->target_shape, set->target_dtype);
    for (int64_t i = 0; i < set->count; i++) {
        size_t row = (size_t)(set->rows ? set->rows[i] : i);
        hash = mix_bytes(hash, (const char *)set->samples + row * sample, sample, item);
        if (set->targets) {
            const char *at = (const char *)set->targets + row * target;
            hash = mix_bytes(hash, at, target, target_item);
        }
    }
    return hash;
}

/* ---- Whatever type numbers are held in ---- */

#define STRETCH 256 /* numbers that are rounded at a time */

static double number_at(nm_dtype dtype, const char *row, int64_t i)
{
    return dtype == NM_F64 ? ((const double *)(const void *)row)[i]
                           : (double)((const float *)(const void *)row)[i];
}

/* A row of `count` numbers as f32; what is no float, as it is. */
static uint64_t mix_numbers(uint64_t hash, nm_dtype dtype, const char *row, int64_t count)
{
    float stretch[STRETCH];
    if (!nm_dtype_is_float(dtype)) {
        return mix_bytes(hash, row, (size_t)count * nm_dtype_size(dtype), nm_dtype_size(dtype));
    }
    for (int64_t at = 0; at < count; at += STRETCH) {
        const int64_t length = count - at < STRETCH ? count - at : STRETCH;
        for (int64_t i = 0; i < length; i++) {
            stretch[i] = (float)number_at(dtype, row, at + i);
        }
        hash = mix_bytes(hash, (const char *)stretch, (size_t)length * sizeof *stretch,
                         sizeof *stretch);
    }
    return hash;
}

const char *nm_dataset_print(const nm_dataset *set, char text[NM_PRINT_TEXT])
{
    NM_GIVEN(set && text, NULL);
    const size_t sample = nm_dataset_sample_bytes(set), target = nm_dataset_target_bytes(set);
    const int64_t width = nm_shape_count(&set->shape), targets = nm_shape_count(&set->target_shape);
    uint64_t hash = mix(mix(1, (uint64_t)set->count), (uint64_t)width);
    for (int64_t i = 0; i < set->count; i++) {
        const size_t row = (size_t)(set->rows ? set->rows[i] : i);
        hash = mix_numbers(hash, set->dtype, (const char *)set->samples + row * sample, width);
        if (set->targets) {
            const char *at = (const char *)set->targets + row * target;
            hash = mix_numbers(hash, set->target_dtype, at, targets);
        }
    }
    snprintf(text, NM_PRINT_TEXT, "%016" PRIx64, hash);
    return text;
}
