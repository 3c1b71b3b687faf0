/* Calibration after training: one temperature T for all classes, softmax(scores / T), such that
 * probabilities of samples that the network was not trained on are as likely as they can be (Guo et
 * al. 2017, section 4.2). Which class is likeliest does not change by it. */
#ifndef NM_OPTIM_CALIBRATION_H
#define NM_OPTIM_CALIBRATION_H

#include "core/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a temperature is looked for within. Where a set is told apart without a mistake, likelihood
 * grows without end as T falls; where scores say less than nothing, as it grows. */
#define NM_TEMPERATURE_LEAST 0.01
#define NM_TEMPERATURE_MOST 100.0

typedef struct nm_calibration {
    double temperature;   /* one of the two limits: there is no best one between them */
    double before, after; /* mean of -log softmax(scores / T)[label], at T = 1 and at `temperature`;
                             samples count alike, whatever the loss weighs them by */
} nm_calibration;

/* Finds the temperature for scores [samples, classes] and labels [samples], all of them within
 * 0..classes-1, by Newton's method in f64 on log(1 / T), in a bracket: the likelihood is concave in
 * 1 / T, so there is one best. To 1e-12 of itself. NM_ERROR_INPUT without samples, with less than
 * two classes or with a label out of range, NM_ERROR_NUMERIC if a score is not finite. */
NM_API nm_status nm_calibrate_temperature(nm_context *context, const float *scores,
                                          const int32_t *labels, int64_t samples, int64_t classes,
                                          nm_calibration *result);

#ifdef __cplusplus
}
#endif
#endif
