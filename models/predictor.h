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
/* The same with a model that has a schema, which must outlive the predictor and is folded. `loss`
 * says what its outputs mean (NULL: what the model was saved with). */
NM_API nm_predictor *nm_predictor_create(nm_model *model, const nm_choice *loss);
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
NM_API nm_model *nm_predictor_model(const nm_predictor *predictor);
/* Whether outputs are probabilities of classes. */
NM_API bool nm_predictor_is_classifier(const nm_predictor *predictor);

#ifdef __cplusplus
}
#endif
#endif
