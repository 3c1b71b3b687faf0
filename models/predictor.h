/* Predictions of a saved network from raw samples, as its training data had them:
 *
 *     nm_predictor *predictor = nm_predictor_open(context, "runs/iris");
 *     nm_tensor *y = nm_predictor_run(predictor, x);
 *     nm_predictor_close(predictor);
 *
 * The same bits as `norma predict` prints for the same samples. */
#ifndef NM_MODELS_PREDICTOR_H
#define NM_MODELS_PREDICTOR_H

#include "models/model.h"
#include "optim/data/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nm_predictor nm_predictor;

/* From a saved network: a safetensors file with its description, or the folder of a run. It is
 * folded (nm_model_fold()). NULL on failure. */
NM_API nm_predictor *nm_predictor_open(nm_context *context, const char *path);
/* The same from memory that holds such a file, linked into the program say
 * (nm_model_open_memory()).
 */
NM_API nm_predictor *nm_predictor_open_memory(nm_context *context, const void *data, size_t size,
                                              const char *name);
/* The same with a model that has a schema, and is folded; it stays as long as the predictor does,
 * and its schema must. `loss`
 * says what its outputs mean (NULL: what the model was saved with). */
NM_API nm_predictor *nm_predictor_create(nm_model *model, const nm_choice *loss);
/* The same network for another thread: a predictor in `context`, which is that thread's, that reads
 * parameters and all else from where `predictor` has them. Of its own it has a tape and the memory
 * of a batch, from the context's allocator. Results are the same bits. The context computes in one
 * thread unless its number was chosen (nm_context_options.threads, nm_context_set_threads()): N
 * threads of a program are to be N, not N teams.
 *
 *     nm_predictor *network = nm_predictor_open(context, "runs/iris");
 *     ...in each thread:
 *     nm_context *mine = nm_open(NULL);
 *     nm_predictor *predictor = nm_predictor_share(mine, network);
 *     nm_tensor *y = nm_predictor_run(predictor, x);      x and y are of `mine`
 *
 * All of them may run at once, `predictor` too. As long as any shares it, the network is read-only:
 * what would change a parameter, train, load or give another schema is an error that says so.
 * (Writing through nm_tensor_data() cannot be seen, and must not be.)
 *
 * Predictors, the model and the contexts may be closed in any order. The network's memory goes
 * after the last predictor that shares it, when the next one is made in its context, or with that;
 * a context that was closed before, with a warning, stays until then, and so must its allocator and
 * a document or schema of yours that the model was made with.
 *
 * To be called in any thread, while no other closes or changes `predictor`. Layers of your own must
 * not write to their state in inference; a network of your own (nm_model_wrap()) says that its
 * forward() does not, by nm_network.reentrant. NULL on failure. */
NM_API nm_predictor *nm_predictor_share(nm_context *context, const nm_predictor *predictor);
NM_API void nm_predictor_close(nm_predictor *predictor); /* NULL is fine */

/* `x`: raw samples, [count, ...], of any numeric type that converts without loss and without doubt
 * to what the network was trained on (nm_schema_check()). Returns f32 [count, ...]: the probability
 * of each class, or values in the targets' own units; a tensor of the caller's, to be destroyed.
 * NULL on failure, which a NaN or infinity among the outputs is (NM_ERROR_NUMERIC). */
NM_API nm_tensor *nm_predictor_run(nm_predictor *predictor, nm_tensor *x);
/* The same for a data set opened with the predictor's schema (nm_dataset_open_file()). */
NM_API nm_tensor *nm_predictor_run_set(nm_predictor *predictor, const nm_dataset *set);

/* What samples and classes are called. */
NM_API const nm_schema *nm_predictor_schema(const nm_predictor *predictor);
/* NULL, with an error, for one that nm_predictor_share() made. */
NM_API nm_model *nm_predictor_model(const nm_predictor *predictor);
/* Whether outputs are probabilities of classes. */
NM_API bool nm_predictor_is_classifier(const nm_predictor *predictor);

#ifdef __cplusplus
}
#endif
#endif
