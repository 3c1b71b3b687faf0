/* Curves of one run or several as a figure. */
#ifndef NM_MODELS_COMMAND_PLOT_CURVES_H
#define NM_MODELS_COMMAND_PLOT_CURVES_H

#include "models/command/page/figure.h"
#include "models/command/plot/history.h"

#define MOST_SERIES 64 /* of a figure */
#define SERIES_NAME 256

typedef enum curve_time { BY_STEP, BY_EPOCH, BY_SECONDS } curve_time;

typedef struct curve_choice {
    const char *name; /* "train_loss", "gradient_norms.norm"; "loss": of every set */
    curve_time time;
    int64_t smooth; /* points that each one drawn is the mean of: itself and those before */
    bool logarithmic;
} curve_choice;

typedef struct curve_figure {
    nm_context *context;
    figure figure; /* of what stands below */
    char title[SERIES_NAME], label[SERIES_NAME];
    figure_series series[MOST_SERIES];
    char names[MOST_SERIES][SERIES_NAME];
    double *smooth[MOST_SERIES]; /* the figure's own */
    int left_out;                /* series for which there was no room */
} curve_figure;

/* Fills it in. Of one run "loss" is the curve of each set; of several, of the set that tells the
 * most: held out, if all have it. No series: no run has such a quantity. On failure it is to be
 * closed all the same. */
nm_status curve_figure_make(nm_context *context, const history *runs, int count,
                            const curve_choice *choice, curve_figure *made);
void curve_figure_close(curve_figure *made);

/* Whether one of the runs has it. */
bool curve_is_there(const history *runs, int count, const char *name);
/* What is shown of runs when nobody says: "loss" and, if there is one, the first metric. Returns
 * how many; the texts are the runs'. */
int usual_curves(const history *runs, int count, const char *names[2]);

#endif
