/* The option rows that the loader shares with nm_data_spec. Nothing outside optim includes this. */
#ifndef NM_OPTIM_LOADER_INTERNAL_H
#define NM_OPTIM_LOADER_INTERNAL_H

#include "optim/loader.h"

extern const char *const nm_short_batch_names[];

#define NM_LOADER_FIELD(field, at)                                                                 \
    .name = #field, .offset = (at) + offsetof(nm_loader_options, field)

/* The rows of nm_loader_options, `at` bytes into a struct. */
#define NM_LOADER_ROWS(at)                                                                         \
    {NM_LOADER_FIELD(batch, at), .type = NM_OPTION_INT,                                            \
     .doc = "samples in a batch; more than there are: all of them", .min = 1, .max = 1e9},         \
        {NM_LOADER_FIELD(shuffle, at), .type = NM_OPTION_BOOL,                                     \
         .doc = "another order of the training samples in every epoch"},                           \
        {NM_LOADER_FIELD(last_batch, at), .type = NM_OPTION_ENUM, .names = nm_short_batch_names,   \
         .doc = "a short last batch in training: keep it, drop it, or merge it into the one "      \
                "before"},                                                                         \
        {NM_LOADER_FIELD(mean, at), .type = NM_OPTION_FLOATS,                                      \
         .doc = "subtracted from the scaled samples; one number, or one a channel"},               \
        {NM_LOADER_FIELD(deviation, at),                                                           \
         .type = NM_OPTION_FLOATS,                                                                 \
         .min = 0,                                                                                 \
         .max = 1e30,                                                                              \
         .flags = NM_MIN_OPEN,                                                                     \
         .doc = "the samples are divided by it after that; one number, or one a channel"},         \
        {NM_LOADER_FIELD(scale, at), .type = NM_OPTION_FLOAT,                                      \
         .doc = "the samples are multiplied by it first; 0: 1/255 for bytes, else 1"},             \
        {NM_LOADER_FIELD(crop, at), .type = NM_OPTION_INT,                                         \
         .doc = "training: crop at random after padding by so many pixels of zero a side",         \
         .min = 0, .max = 1e6},                                                                    \
        {NM_LOADER_FIELD(flip, at), .type = NM_OPTION_BOOL,                                        \
         .doc = "training: mirror left and right with probability 1/2"},                           \
        {NM_LOADER_FIELD(shift, at), .type = NM_OPTION_INT,                                        \
         .doc = "training: shift at random by up to so many pixels each way, repeating the edge",  \
         .min = 0, .max = 1e6},                                                                    \
    {                                                                                              \
        NM_LOADER_FIELD(prefetch, at), .type = NM_OPTION_BOOL,                                     \
                                       .doc = "prepare batches in a thread, ahead of their use"    \
    }

#endif
