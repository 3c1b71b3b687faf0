/* The loss on a square around the parameters, as the probe loss_surface tells it, at its last look:
 * a heat map an arm, all with the same shades. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/command/study/study.h"

typedef struct square {
    int64_t side;
    double reach;   /* its sides are at -reach and reach */
    double *losses; /* [side, side]; NULL: there is none */
} square;

bool study_is_surface(const measure *m)
{
    return m->probe && strcmp(m->probe, "loss_surface") == 0 && strcmp(m->value, "loss") == 0;
}

static int last_look(const double *pairs, int count)
{
    int begin = count;
    while (begin > 0 && pairs[2 * (begin - 1)] == pairs[2 * (count - 1)]) {
        begin--;
    }
    return begin;
}

/* Of the first seed. A run that was stopped within a look has none. */
static square read_square(const study *s, const arm *a, const measure *m)
{
    int count, places;
    square q = {.side = 0};
    measure place = *m;
    place.value = "x";
    double *loss = study_curve(s, a, 1, m, &count), *x = study_curve(s, a, 1, &place, &places);
    const int begin = loss ? last_look(loss, count) : count;
    q.side = (int64_t)lround(sqrt(count - begin));
    if (x && places == count && q.side > 1 && q.side * q.side == count - begin) {
        q.losses = nm_alloc_zero(s->context, (size_t)(count - begin), sizeof *q.losses);
        q.reach = -x[2 * begin + 1];
    }
    for (int i = begin; q.losses && i < count; i++) {
        q.losses[i - begin] = loss[2 * i + 1];
    }
    nm_free(s->context, loss);
    nm_free(s->context, x);
    return q;
}

static void widen(const square *q, figure_axis *scale)
{
    for (int64_t i = 0; q->losses && i < q->side * q->side; i++) {
        if (isfinite(q->losses[i])) {
            scale->low = fmin(scale->low, q->losses[i]);
            scale->high = fmax(scale->high, q->losses[i]);
        }
    }
}

static void draw_square(page *p, const square *q, const char *title, const figure_axis *scale)
{
    /* A cell's middle is where its loss was taken: those at the sides go half a cell farther. */
    const double side = q->reach * (double)q->side / (double)(q->side - 1);
    const figure f = {
        .title = title,
        .text = "Of seed 1, at its last look. The parameters are in the middle; 1 is "
                "as long as the weights. Shades are the same for all arms.",
        .x = {.label = "one direction", .low = -side, .high = side},
        .y = {.label = "another", .low = -side, .high = side},
        .grid = {.rows = q->side, .columns = q->side, .values = q->losses, .scale = *scale}};
    page_figure(p, &f);
}

void study_add_surfaces(page *p, const study *s, const plot *asked, const measure *m)
{
    square *squares = nm_alloc_zero(s->context, (size_t)s->arm_count + 1, sizeof *squares);
    figure_axis scale = {.label = asked->label ? asked->label : "loss",
                         .unit = asked->unit,
                         .logarithmic = asked->logarithmic,
                         .low = INFINITY,
                         .high = -INFINITY};
    for (int i = 0; squares && i < s->arm_count; i++) {
        squares[i] = read_square(s, &s->arms[i], m);
        widen(&squares[i], &scale);
    }
    for (int i = 0; squares && i < s->arm_count; i++) {
        char title[ARM_NAME + 256];
        snprintf(title, sizeof title, "%.240s: %s", asked->title, s->arms[i].name);
        if (squares[i].losses) {
            draw_square(p, &squares[i], title, &scale);
        }
        nm_free(s->context, squares[i].losses);
    }
    nm_free(s->context, squares);
}
