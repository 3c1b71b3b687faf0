/* A saved network: a safetensors file with its parameters and buffers, and a text in its metadata,
 * "network", that says all else that a prediction needs. The text is one YAML document:
 *
 *     norma: "0.1.0"
 *     plugins: [...]        what must be registered that is not the library's: the plugin's name,
 *                           and what the network has of it; it is never loaded by itself
 *     model: [...]          as it was used
 *     sample: {...}         optim/data/schema.h
 *     target: {...}
 *     loss: {...}           it says what an output means
 *     metric: [...]
 *     temperature: 1.4      class scores are divided by it before they become probabilities
 *     guess: [...]          what its evaluations are compared with
 *     split: {...}          which rows were held out: optim/data/split/split.h
 *     weights: i8           weights have 8 bits (nm_model_quantize()): whole numbers -127 to 127
 *                           under their names, and under NAME_scale what rows are multiplied by
 *
 * A run's checkpoint.safetensors and best.safetensors have it, and what nm_model_save() writes.
 * Files without it, written elsewhere, are read too; then there are tensors and nothing else. */
#ifndef NM_OPTIM_SAVED_H
#define NM_OPTIM_SAVED_H

#include "core/store.h"
#include "optim/data/schema.h"
#include "optim/data/split/split.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The library's version, such as "0.1.0". */
NM_API const char *nm_version(void);

/* What the text is made of. Whatever is NULL, or without item, is left out. */
typedef struct nm_description {
    const char *model; /* the value of `model`, in YAML's flow style; NULL: made by hand in C */
    const nm_schema *schema;
    nm_choice loss;
    nm_choices metric;
    double
        temperature;  /* that class scores are divided by before they become probabilities; 0: 1 */
    nm_numbers guess; /* a sample's outputs by the training targets alone: optim/trainer.h */
    const nm_split_record *split; /* NULL, or rows 0: nothing was held out */
    bool quantized;               /* weights are written with 8 bits: nm_model_quantize() */
} nm_description;

/* An open one. Treat as read-only. */
typedef struct nm_saved {
    nm_context *context;
    nm_tensor_file *file;
    const char *prefix;    /* of the network's tensors in it; NULL: none */
    nm_document *document; /* the text; NULL: the file has none */
    const nm_value *model; /* NULL: none */
    nm_schema *schema;     /* NULL: none */
    nm_choice loss;        /* item NULL: none */
    nm_choices metric;     /* count 0: none */
    double temperature;    /* 1: as the network says */
    nm_numbers guess;      /* count 0: none */
    nm_split_record split; /* rows 0: nothing was held out */
    bool quantized;        /* the weights have 8 bits, and predictions are computed with them */
    const char *version;   /* of the library that wrote it; NULL: not told */
} nm_saved;

/* Reads and checks a file. Messages begin with the path. `saved` is empty on failure. */
NM_API nm_status nm_saved_open(nm_context *context, const char *path, nm_saved *saved);
/* The same from `size` bytes of memory, which stay the caller's and are not needed afterwards;
 * `name` stands for the path in messages. They are checked as a file is. */
NM_API nm_status nm_saved_parse(nm_context *context, const void *data, size_t size,
                                const char *name, nm_saved *saved);
NM_API void nm_saved_close(nm_saved *saved); /* leaves it empty; an empty one is fine */
/* The file of a network: `path` itself, or if that is the folder of a run its best.safetensors,
 * else its checkpoint.safetensors. New memory, free with nm_free(); NULL, with an error, if the
 * folder has neither. */
NM_API char *nm_saved_find(nm_context *context, const char *path);
/* Takes the values of all of the store's tensors, or fails and changes nothing. */
NM_API nm_status nm_saved_read(const nm_saved *saved, nm_store *store);

/* A description with all that the saved network says but for its model, which is given as text. It
 * holds as long as `saved`. */
NM_API nm_description nm_saved_describe(const nm_saved *saved, const char *model);
/* Writes a store's tensors under their plain names, with the description. What has a NaN or
 * infinity in it is refused. */
NM_API nm_status nm_saved_write(const nm_store *store, const nm_description *description,
                                const char *path);
/* The same bytes as new memory, *size of them; free with nm_free(). NULL on failure. */
NM_API void *nm_saved_write_memory(const nm_store *store, const nm_description *description,
                                   size_t *size);
/* Puts a temperature (above 0; 1: none) into a file that is there, which stays as it is otherwise,
 * byte by byte; a checkpoint too, but training on writes none. Written whole or not at all.
 * NM_ERROR_INPUT if the file does not say of which network it is. */
NM_API nm_status nm_saved_set_temperature(nm_context *context, const char *path,
                                          double temperature);
/* The same for the store's running statistics (NM_STATISTIC, NM_VARIANCE), in the place of those of
 * their names; a checkpoint is NM_ERROR_INPUT: a run goes on with those it has. */
NM_API nm_status nm_saved_set_statistics(nm_context *context, const char *path,
                                         const nm_store *store);

#ifdef __cplusplus
}
#endif
#endif
