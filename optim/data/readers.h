/* What the data set readers and the loader share. Nothing outside optim includes this. */
#ifndef NM_OPTIM_DATA_READERS_H
#define NM_OPTIM_DATA_READERS_H

#include "core/op.h"
#include "core/random.h"
#include "optim/data/dataset.h"

/* Random streams of the data, apart from those of dropout and initializers. An epoch's order has
 * the stream NM_STREAM_ORDER + epoch, its augmentation NM_STREAM_AUGMENT + epoch. */
#define NM_STREAM_SPLIT (1ull << 60)
#define NM_STREAM_SPIRALS (2ull << 60)
#define NM_STREAM_WAVES ((2ull << 60) + 2) /* and those behind it; the one before: the samples */
#define NM_STREAM_ORDER (3ull << 60)
#define NM_STREAM_AUGMENT (4ull << 60)

/* The most bytes a data set's file may hold, unpacked: beyond what fits in memory anyway. */
#define NM_DATASET_BYTES (SIZE_MAX > UINT32_MAX ? (size_t)(UINT64_C(1) << 36) : SIZE_MAX >> 1)

/* Fails with NM_ERROR_IO and a remedy if there is no readable file at `path`. */
nm_status nm_dataset_look_for(nm_context *context, const char *path);

/* Whether a number from a file is a label: an integer that an int32_t holds. What the classes are
 * is found by nm_dataset_number_classes() and checked by nm_dataset_check(). */
bool nm_is_label(double label);

/* Gives u8 samples of shape [height, width] a channel axis: [height, width, 1]. */
void nm_dataset_add_channel(nm_dataset *set);

/* One value a sample becomes a target of shape [1], so that it meets a network's output [batch, 1]
 * instead of broadcasting against it. */
void nm_dataset_values_shape(nm_dataset *set, nm_shape shape);

/* How long memory of a set stays: until its user has closed it and every loader and view, which
 * hold it, has released it. A view's life holds that of what it is a view of; NULL is fine in all
 * three. */
typedef struct nm_dataset_life nm_dataset_life;
nm_status nm_dataset_begin_life(nm_dataset *set, nm_dataset_life *of);
nm_dataset_life *nm_dataset_hold(nm_dataset_life *life); /* returns it */
void nm_dataset_release(nm_dataset_life *life);

/* The `bytes` of elements that the set has at `memory`, to be changed: the same, if they are its
 * own, else a copy that is. NULL on failure. */
void *nm_dataset_own(nm_dataset *set, const void *memory, size_t bytes);

/* Turns labels as they stand in the data into classes from 0 (classes.c says how) and counts them.
 * Labels that a reader has numbered itself, which then made names for them, stay. */
nm_status nm_dataset_number_classes(nm_dataset *set, const nm_schema *schema);

/* Whether the samples are those that `schema` describes. Types that convert without loss and
 * without doubt are converted. */
nm_status nm_dataset_conform(nm_dataset *set, const nm_schema *schema);

/* Fills what is done to samples and targets into the data's schema and loader options. */
struct nm_data;
struct nm_data_options;
nm_status nm_data_normalize(const struct nm_data_options *options, struct nm_data *data);

/* Warns of what is seldom meant about training samples: channels first, one class alone, classes
 * one behind the other. */
void nm_data_tell_doubts(const struct nm_data *data, const struct nm_data_options *options);

#endif
