/* Text from anywhere as text of an HTML or SVG file, and how wide it is. */
#ifndef NM_MODELS_COMMAND_PAGE_MARKUP_H
#define NM_MODELS_COMMAND_PAGE_MARKUP_H

#include <stdio.h>

/* Writes text so that it is text, within elements and between quotes: <, >, &, " and ' as entities;
 * control characters, marks that turn the direction of writing, what XML has no place for and bytes
 * that are not UTF-8 as \x1b or \u202e. Ends of lines and tabs stay. NULL: nothing. */
void put_markup(FILE *to, const char *text);

/* Columns that text takes: one a character, two of East Asian scripts. Control characters count as
 * they are written. */
int wide_text(const char *text);
/* Text of at most so many columns, clean and with "..." for what was cut; `size` bytes. Returns
 * `to`. */
char *cut_text(const char *text, int columns, char *to, size_t size);

#endif
