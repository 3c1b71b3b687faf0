/* What the loader's files share, and its option rows, which nm_data_spec shares. Nothing outside
 * optim includes this. */
#ifndef NM_OPTIM_DATA_LOADER_INTERNAL_H
#define NM_OPTIM_DATA_LOADER_INTERNAL_H

#include "optim/data/loader.h"

extern const char *const nm_short_batch_names[];
extern const nm_named_value nm_batch_words[];

/* Whether images are to be moved or mirrored. */
bool nm_loader_augments(const nm_loader_options *options);
/* Leaves out what evaluation does. */
void nm_loader_plain(nm_loader_options *options);
/* All that nm_loader_create() would refuse of the same arguments: options out of their ranges, and
 * those that do not fit the samples. `at`: the part of a file that they are of; NULL: none. */
void nm_loader_diagnose(const nm_dataset *set, const nm_loader_options *options, bool augment,
                        const nm_value *at, nm_diagnostics *d);

#define NM_LOADER_ROW(at, field, type_, doc_, ...)                                                 \
    {                                                                                              \
        .name = #field, .offset = (at) + offsetof(nm_loader_options, field),                       \
        .type = NM_OPTION_##type_, .doc = (doc_), __VA_ARGS__                                      \
    }

/* The rows of nm_loader_options, `at` bytes into a struct. */
/* clang-format off */
#define NM_LOADER_ROWS(at)                                                                         \
    NM_LOADER_ROW(at, batch, INT, "samples in a batch; more than there are: all of them; auto: a " \
                  "sixteenth of the training set, rounded down to a power of two from 16 to 128",  \
                  .min = 1, .max = 1e9, .named = nm_batch_words, .also = "batch_size mini_batch"), \
    NM_LOADER_ROW(at, shuffle, BOOL, "another order of the training samples in every epoch",       \
                  .flags = 0),                                                                     \
    NM_LOADER_ROW(at, balance, BOOL, "training: each class is drawn as often as any other, so "    \
                  "samples of rare ones come several times in an epoch",                           \
                  .also = "weighted_sampler oversample"),                                          \
    NM_LOADER_ROW(at, sort, BOOL, "training: class by class, each in its order; needs shuffle: "   \
                  "false. Batches are no samples of the whole set then: to study what that does",  \
                  .also = "sorted sort_by_class"),                                                 \
    NM_LOADER_ROW(at, last_batch, ENUM,                                                            \
                  "a short last batch in training: keep it, drop it, merge it into the one "       \
                  "before, or auto: merge it if it cannot be trained on, as one sample cannot "    \
                  "with batch norm, else keep it", .names = nm_short_batch_names,                  \
                  .also = "drop_last"),                                                            \
    NM_LOADER_ROW(at, mean, FLOATS,                                                                \
                  "subtracted from the scaled samples; one number, or one a channel",              \
                  .min = -1e30, .max = 1e30),                                                      \
    NM_LOADER_ROW(at, deviation, FLOATS,                                                           \
                  "the samples are divided by it after that; one number, or one a channel",        \
                  .min = 0, .max = 1e30, .flags = NM_MIN_OPEN, .also = "std stddev"),              \
    NM_LOADER_ROW(at, scale, FLOAT,                                                                \
                  "the samples are multiplied by it first; 0: 1/255 for images of bytes, else 1",  \
                  .min = -1e30, .max = 1e30),                                                      \
    NM_LOADER_ROW(at, crop, INT,                                                                   \
                  "training: crop at random after padding by so many pixels of zero a side",       \
                  .min = 0, .max = 1e6),                                                           \
    NM_LOADER_ROW(at, flip, BOOL, "training: mirror left and right with probability 1/2",          \
                  .also = "horizontal_flip hflip random_flip"),                                    \
    NM_LOADER_ROW(at, shift, INT,                                                                  \
                  "training: shift at random by up to so many pixels each way, repeating the "     \
                  "edge", .min = 0, .max = 1e6),                                                   \
    NM_LOADER_ROW(at, prefetch, BOOL, "prepare batches in a thread, ahead of their use, where a "  \
                  "processor has nothing else to do", .flags = 0)
/* clang-format on */

#endif
