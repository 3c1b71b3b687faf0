/* A page: one HTML file that needs nothing else: no network, no script, styles and pictures within.
 * Light or dark as the reader's system is, readable on a telephone and for a screen reader; the
 * data of each figure stand below it as a table that opens.
 *
 *     page *p = page_open(context, "A run");
 *     page_heading(p, 2, "Curves");
 *     page_figure(p, &figure);
 *     status = page_write(p, "report.html");      // frees it
 *
 * Calls after an error do nothing, and page_write() says which it was. */
#ifndef NM_MODELS_COMMAND_PAGE_PAGE_H
#define NM_MODELS_COMMAND_PAGE_PAGE_H

#include <stdio.h>

#include "models/command/page/figure.h"

typedef struct page page;

/* NULL on failure; everything takes that. The title is the first heading. */
page *page_open(nm_context *context, const char *title);
/* Replaces the file `path`, if page_write() wrote it; another one is an error (NM_ERROR_INPUT).
 * Frees the page in any case. */
nm_status page_write(page *p, const char *path);
/* NM_ERROR_INPUT if page_write() would refuse that path: before long work. */
nm_status page_check(nm_context *context, const char *path);
void page_drop(page *p); /* frees it; NULL is fine */

/* `level` from 2 (a part, listed at the page's top) to 4. */
void page_heading(page *p, int level, const char *text);
void page_paragraph(page *p, const char *text);
/* The same, smaller: what was left out, and why. */
void page_note(page *p, const char *text);
/* Text in lines, as it is: a file, a command. */
void page_code(page *p, const char *text);
/* Points; `links` (NULL: none) has for each where it leads to, relative to the page, or NULL. */
void page_list(page *p, const char *const *items, const char *const *links, int count);
void page_table(page *p, const table *t);
/* Figures that follow each other stand side by side where there is room. */
void page_figure(page *p, const figure *f);
/* What stands between opens when it is asked for. */
void page_fold(page *p, const char *summary);
void page_unfold(page *p);

/* Pictures of samples: u8, [rows, columns, channels], 1 (grey), 3 or 4 (colour) of them. Those that
 * follow each other stand side by side. `text`: what stands below, and for who does not see it. */
typedef struct page_picture {
    int64_t rows, columns, channels;
    const unsigned char *pixels;
    const char *text;
} page_picture;
void page_image(page *p, const page_picture *picture);

#endif
