/* The inside of a figure on a terminal: cells of a character each. */
#ifndef NM_MODELS_COMMAND_PAGE_CANVAS_H
#define NM_MODELS_COMMAND_PAGE_CANVAS_H

#include <stdio.h>

#include "models/command/page/scale.h"
#include "models/command/page/terminal.h"

typedef struct canvas_cell {
    unsigned char dots;  /* of Braille, as in its code */
    unsigned char level; /* of a bar (1 to 8) or a shade (1 to 9); 0: none */
    unsigned char mark;  /* the series that was drawn last, from 1; 0: none */
} canvas_cell;

typedef struct canvas {
    nm_context *context;
    const figure *f;
    scale x, y;
    int columns, rows;
    bool unicode, colour;
    bool letters;       /* instead of dots */
    canvas_cell *cells; /* [rows, columns] */
} canvas;

/* On failure there is nothing to be ended. */
nm_status canvas_begin(nm_context *context, const figure *f, const scale *x, const scale *y,
                       int columns, int rows, const terminal *t, canvas *c);
void canvas_end(canvas *c);
void canvas_draw(canvas *c);

/* Where a value stands, perhaps outside. */
int canvas_row(const canvas *c, double value);
int canvas_column(const canvas *c, double value);

void canvas_print_row(const canvas *c, int row, FILE *to);
/* What a series is drawn with; the shades from the least to the most. */
void canvas_print_mark(const canvas *c, int series, FILE *to);
void canvas_print_shades(const canvas *c, FILE *to);

#endif
