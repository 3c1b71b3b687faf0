#include "models/command/page/page.h"

#include <string.h>

#include "models/command/page/data.h"
#include "models/command/page/markup.h"
#include "models/command/page/output.h"
#include "models/command/page/picture.h"
#include "models/command/page/svg.h"

/* What stands side by side, in an element around: nothing else may come between. */
typedef enum row_kind { ROW_NONE, ROW_FIGURES, ROW_IMAGES } row_kind;

struct page {
    nm_context *context;
    FILE *list, *body; /* of parts; of all that follows: streams of the texts */
    text_stream list_text, body_text;
    char *title;
    int parts, figures, folds;
    row_kind row;
};

static const char page_styles[] =
    "*{box-sizing:border-box}html{color-scheme:light dark}"
    "body{margin:0 auto;max-width:1120px;padding:16px 16px 48px;background:var(--paper);"
    "color:var(--ink);font:16px/1.5 system-ui,sans-serif;overflow-wrap:break-word}\n"
    "h1{font-size:1.7em;line-height:1.2;margin:.4em 0}h2{font-size:1.3em;margin:1.6em 0 .4em;"
    "padding-top:.4em;border-top:1px solid var(--rule)}h3{font-size:1.1em;margin:1.2em 0 .3em}"
    "h4{font-size:1em;margin:1em 0 .3em}p{max-width:70ch;margin:.5em 0}"
    "a{color:var(--s0)}a:focus-visible,summary:focus-visible,[tabindex]:focus-visible{outline:2px "
    "solid var(--s0);outline-offset:2px}\n"
    "nav ul{display:flex;flex-wrap:wrap;gap:.2em 1.2em;padding:0;list-style:none}"
    ".note{color:var(--soft);font-size:.9em}"
    ".row{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));"
    "gap:24px}figure{margin:.6em 0;min-width:0;max-width:620px}figcaption{font-weight:600}"
    "figure svg{display:block;width:100%;height:auto;margin-top:.3em}\n"
    ".row figure p{font-size:.9em;color:var(--soft);margin:.3em 0}"
    "details{margin:.4em 0}summary{cursor:pointer;color:var(--soft);font-size:.9em}"
    ".images{display:flex;flex-wrap:wrap;gap:14px}.images figure{width:104px;margin:0}"
    ".images img{width:104px;height:104px;object-fit:contain;image-rendering:pixelated;"
    "border:1px solid var(--rule)}.images figcaption{font-weight:400;font-size:.8em;"
    "line-height:1.3}\n"
    ".wide{overflow-x:auto}details "
    ".wide{max-height:28em;overflow-y:auto}table{border-collapse:collapse;"
    "font-size:.9em;font-variant-numeric:tabular-nums}caption{text-align:left;font-weight:600;"
    "padding:.3em 0}th,td{padding:.25em .8em .25em 0;text-align:left;vertical-align:top;"
    "border-bottom:1px solid var(--rule)}th{font-weight:600;color:var(--soft)}"
    "td.r,th.r{text-align:right;white-space:nowrap}\n"
    "pre{overflow-x:auto;padding:.8em;border:1px solid var(--rule);border-radius:4px;"
    "font:13px/1.45 ui-monospace,monospace}\n"
    "@media print{details{display:none}}\n";

/* ---- Beginning and end ---- */

page *page_open(nm_context *context, const char *title)
{
    page *p = nm_alloc_zero(context, 1, sizeof *p);
    if (p) {
        p->context = context;
        p->title = nm_copy_string(context, title ? title : "");
        p->list = text_begin(&p->list_text, context);
        p->body = text_begin(&p->body_text, context);
    }
    if (p && !(p->title && p->list && p->body)) {
        page_drop(p);
        p = NULL;
    }
    return p;
}

static bool close_parts(page *p)
{
    return text_end(&p->list_text) && text_end(&p->body_text);
}

nm_status page_check(nm_context *context, const char *path)
{
    return output_check(context, path);
}

void page_drop(page *p)
{
    if (p) {
        text_free(&p->list_text);
        text_free(&p->body_text);
        nm_free(p->context, p->title);
        nm_free(p->context, p);
    }
}

/* Ends the row that is open, unless it is of that kind; begins one. */
static void set_row(page *p, row_kind row)
{
    static const char *const begins[] = {"", "<div class=\"row\">\n", "<div class=\"images\">\n"};
    if (p->row != row) {
        fputs(p->row == ROW_NONE ? "" : "</div>\n", p->body);
        fputs(begins[row], p->body);
        p->row = row;
    }
}

static void put_head(FILE *to, const page *p)
{
    fputs("<!DOCTYPE html>\n" OUTPUT_MARK "<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          to);
    put_markup(to, p->title);
    fprintf(to, "</title>\n<style>\n%s%s</style>\n</head>\n<body>\n<header><h1>", svg_styles,
            page_styles);
    put_markup(to, p->title);
    fputs("</h1></header>\n", to);
    if (p->parts > 1) {
        fprintf(to, "<nav aria-label=\"Parts of this page\"><ul>\n%s</ul></nav>\n",
                p->list_text.text);
    }
}

nm_status page_write(page *p, const char *path)
{
    if (!p) {
        return NM_ERROR_MEMORY;
    }
    while (p->folds) {
        page_unfold(p);
    }
    set_row(p, ROW_NONE);
    text_stream out = {.context = p->context};
    if (close_parts(p) && output_begin(&out, p->context)) {
        put_head(out.to, p);
        fprintf(out.to, "<main>\n%s</main>\n</body>\n</html>\n", p->body_text.text);
    }
    const nm_status status = output_end(&out, path);
    page_drop(p);
    return status;
}

/* ---- Text ---- */

static void put_part(page *p, const char *text)
{
    fprintf(p->list, "<li><a href=\"#part%d\">", ++p->parts);
    put_markup(p->list, text);
    fputs("</a></li>\n", p->list);
    fprintf(p->body, " id=\"part%d\"", p->parts);
}

void page_heading(page *p, int level, const char *text)
{
    if (p) {
        set_row(p, ROW_NONE);
        fprintf(p->body, "<h%d", level);
        if (level == 2) {
            put_part(p, text);
        }
        fputs(">", p->body);
        put_markup(p->body, text);
        fprintf(p->body, "</h%d>\n", level);
    }
}

static void put_block(page *p, const char *begin, const char *text, const char *end)
{
    if (p) {
        set_row(p, ROW_NONE);
        fputs(begin, p->body);
        put_markup(p->body, text);
        fputs(end, p->body);
    }
}

void page_paragraph(page *p, const char *text)
{
    put_block(p, "<p>", text, "</p>\n");
}

void page_note(page *p, const char *text)
{
    put_block(p, "<p class=\"note\">", text, "</p>\n");
}

void page_code(page *p, const char *text)
{
    put_block(p, "<pre tabindex=\"0\"><code>", text, "</code></pre>\n");
}

void page_fold(page *p, const char *summary)
{
    put_block(p, "<details><summary>", summary, "</summary>\n");
    if (p) {
        p->folds++;
    }
}

void page_unfold(page *p)
{
    if (p && p->folds) {
        set_row(p, ROW_NONE);
        fputs("</details>\n", p->body);
        p->folds--;
    }
}

void page_list(page *p, const char *const *items, const char *const *links, int count)
{
    put_block(p, "<ul>\n", NULL, "");
    for (int i = 0; p && i < count; i++) {
        const char *link = links ? links[i] : NULL;
        fputs(link ? "<li><a href=\"" : "<li>", p->body);
        put_markup(p->body, link);
        fputs(link ? "\">" : "", p->body);
        put_markup(p->body, items[i]);
        fputs(link ? "</a></li>\n" : "</li>\n", p->body);
    }
    put_block(p, "</ul>\n", NULL, "");
}

/* ---- What is shown ---- */

void page_table(page *p, const table *t)
{
    if (p) {
        set_row(p, ROW_NONE);
        put_table(p->body, t);
    }
}

static void put_left_out(FILE *to, const figure *f)
{
    const int64_t count = figure_left_out(f);
    if (count) {
        fprintf(to, "<p>Not drawn: %lld %s without a finite value%s.</p>\n", (long long)count,
                f->grid.values ? "cells" : "points",
                f->x.logarithmic || f->y.logarithmic || f->grid.scale.logarithmic
                    ? ", or of zero or less, which a logarithmic axis has no place for"
                    : "");
    }
}

void page_figure(page *p, const figure *f)
{
    if (!p) {
        return;
    }
    set_row(p, ROW_FIGURES);
    fputs("<figure><figcaption>", p->body);
    put_markup(p->body, f->title);
    fputs("</figcaption>\n", p->body);
    svg_element(p->body, p->context, f, ++p->figures);
    if (f->text) {
        fputs("<p>", p->body);
        put_markup(p->body, f->text);
        fputs("</p>\n", p->body);
    }
    put_left_out(p->body, f);
    put_data(p->body, f);
    fputs("</figure>\n", p->body);
}

void page_image(page *p, const page_picture *picture)
{
    if (p) {
        set_row(p, ROW_IMAGES);
        fputs("<figure><img alt=\"", p->body);
        put_markup(p->body, picture->text);
        fputs("\" src=\"", p->body);
        put_png(p->body, p->context, picture);
        fputs("\"><figcaption>", p->body);
        put_markup(p->body, picture->text);
        fputs("</figcaption></figure>\n", p->body);
    }
}
