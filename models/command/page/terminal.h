/* Figures on a terminal: curves in Braille's dots, bars and shades in blocks, or all in
 * ASCII where the locale is not UTF-8. Series are told apart by colour or, where there is none, by
 * letters. */
#ifndef NM_MODELS_COMMAND_PAGE_TERMINAL_H
#define NM_MODELS_COMMAND_PAGE_TERMINAL_H

#include <stdio.h>

#include "models/command/page/figure.h"

typedef struct terminal {
    int columns; /* of a line */
    int rows;    /* of a figure's inside */
    bool unicode, colour;
} terminal;

/* What standard output is: its width where it is a terminal, else 80 columns. */
terminal terminal_of_output(void);

nm_status figure_print(nm_context *context, const figure *f, const terminal *t, FILE *to);

#endif
