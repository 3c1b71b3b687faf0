/* Figures as SVG: without scripts or anything from elsewhere, light or dark as the reader's system
 * is, larger letters where the picture is narrow. Series are told apart by colours that all kinds
 * of colour vision tell apart, and by dashes or shapes. */
#ifndef NM_MODELS_COMMAND_PAGE_SVG_H
#define NM_MODELS_COMMAND_PAGE_SVG_H

#include <stdio.h>

#include "models/command/page/figure.h"

/* The styles that figures need: once a page. */
extern const char svg_styles[];
/* One <svg> element to stand in a page that has the styles. `number` makes its ids its own. */
void svg_element(FILE *to, nm_context *context, const figure *f, int number);

/* An SVG file of its own: one figure below the other, each with its title. Replaces a file that
 * was written by this function; another one of that name is an error (NM_ERROR_INPUT). */
nm_status svg_write(nm_context *context, const char *path, const figure *figures, int count);

#endif
