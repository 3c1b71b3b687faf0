/* The frame around the marks: axes, ticks, legend; and files. Room is reckoned for the larger
 * letters of a narrow picture, so that nothing overlaps at either size. */
#include "models/command/page/svg.h"

#include <math.h>
#include <string.h>

#include "models/command/page/markup.h"
#include "models/command/page/output.h"
#include "models/command/page/svg_parts.h"

#define COLUMN 9.6      /* width of a character */
#define LINE 22.0       /* height of a line of text */
#define PLOT_HEIGHT 230 /* without what is around it */
#define NAME_COLUMNS 14 /* of a name at an axis */
#define SWATCH 42.0     /* a legend's line and the blanks around it */
#define MOST_ACROSS 8
#define MOST_UP 7
#define TURN 0.71 /* sine and cosine of 45 degrees */

/* After Okabe and Ito, moved until each stands out from the paper (contrast 3 and more) and no two
 * are closer than 17 in CIELAB for any of the three kinds of colour blindness (Machado 2009). */
const char svg_styles[] =
    ":root{--paper:#fff;--ink:#1f2328;--soft:#57606a;--rule:#dde1e6;--s0:#005a9c;--s1:#d55e00;"
    "--s2:#00855f;--s3:#c060a0;--s4:#6b4a00;--s5:#3a9bdc;--s6:#333333}\n"
    "@media(prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#e6e9ed;--soft:#a3adb8;"
    "--rule:#363c44;--s0:#2f86cc;--s1:#f5813d;--s2:#1fb58a;--s3:#e190bf;--s4:#ffe680;"
    "--s5:#b8e4ff;--s6:#ffffff}}\n"
    ".s0{--s:var(--s0)}.s1{--s:var(--s1);stroke-dasharray:7 4}"
    ".s2{--s:var(--s2);stroke-dasharray:2 3.5}.s3{--s:var(--s3);stroke-dasharray:10 4 2 4}"
    ".s4{--s:var(--s4);stroke-dasharray:14 5}.s5{--s:var(--s5);stroke-dasharray:5 2}"
    ".s6{--s:var(--s6);stroke-dasharray:10 3 2 3 2 3}\n"
    "svg text{font:13px system-ui,sans-serif;fill:var(--soft)}svg .ink{fill:var(--ink)}"
    "svg .head{fill:var(--ink);font-weight:600}svg .end{text-anchor:end}"
    "svg .middle,svg .value{text-anchor:middle}svg .value{font-size:12px;fill:var(--ink)}"
    "svg .on{fill:var(--paper)}\n"
    ".line{fill:none;stroke:var(--s);stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
    ".dot{fill:none;stroke:var(--s);stroke-width:6;stroke-linecap:round;stroke-dasharray:none}"
    ".band{fill:var(--s);fill-opacity:.18;stroke:none}"
    ".point{fill:var(--s);fill-opacity:.75;stroke:none}"
    ".bar{fill:var(--s);fill-opacity:.7;stroke:none}.cell{fill:var(--s0);shape-rendering:"
    "crispEdges}"
    ".again .line{stroke-width:4.5;stroke-dasharray:.1 8}"
    ".again .point{fill:none;stroke:var(--s);stroke-width:1.5;stroke-dasharray:none}\n"
    ".rule{fill:none;stroke:var(--rule)}.axis{fill:none;stroke:var(--soft)}\n"
    "@media(max-width:480px){svg text{font-size:17px}}\n";

/* ---- Where things stand ---- */

static int widest(const ticks *t)
{
    int columns = 0;
    for (int i = 0; i < t->count; i++) {
        const int wide = wide_text(t->text[i]);
        columns = wide > columns ? wide : columns;
    }
    return columns;
}

/* As many as stand beside each other; names that do not are turned. */
static void place_ticks_across(drawing *d)
{
    for (int most = d->f->x.names ? MOST_TICKS - 1 : MOST_ACROSS; most > 1; most--) {
        d->across = ticks_of(&d->x, &d->f->x, most);
        const int count = d->f->x.mark_count ? most : d->across.count; /* marks may lie close */
        if ((widest(&d->across) + 2) * COLUMN * count <= d->width) {
            return;
        }
        if (d->f->x.names) {
            d->turned = true;
            d->across = ticks_of(&d->x, &d->f->x, (int)(d->width / LINE));
            return;
        }
    }
}

static double height_of_plot(const drawing *d)
{
    const double cell = d->width / (double)(d->f->grid.columns ? d->f->grid.columns : 1);
    const double square = cell * (double)d->f->grid.rows;
    return !d->f->grid.values ? PLOT_HEIGHT : fmin(fmax(square, 120), d->f->y.names ? 400 : 360);
}

static void lay_out(drawing *d)
{
    const figure *f = d->f;
    scales_of(f, &d->x, &d->y);
    if (f->grid.values) {
        d->value = scale_of_grid(&f->grid);
    }
    d->up = ticks_of(&d->y, &f->y, f->y.names ? MOST_TICKS - 1 : MOST_UP);
    const int names = f->x.names ? NAME_COLUMNS * 2 / 3 : 0; /* turned, they begin further left */
    const int columns = widest(&d->up) > names ? widest(&d->up) : names;
    d->left = columns * COLUMN + 14;
    d->top += LINE + 6;
    d->width = SVG_WIDTH - d->left - 22;
    d->height = height_of_plot(d);
    place_ticks_across(d);
}

/* ---- Axes ---- */

static void put_text(const drawing *d, const char *class, double x, double y, const char *text)
{
    fprintf(d->to, "<text class=\"%s\" x=\"%.5g\" y=\"%.5g\">", class, x, y);
    put_markup(d->to, text);
    fputs("</text>\n", d->to);
}

static void put_rules(const drawing *d)
{
    fputs("<path class=\"rule\" d=\"", d->to);
    for (int i = 0; i < d->up.count && !d->f->grid.values; i++) {
        fprintf(d->to, "M%.5g %.5gh%.5g", d->left, svg_y(d, d->up.at[i]), d->width);
    }
    for (int i = 0; i < d->across.count && !d->f->x.names; i++) {
        fprintf(d->to, "M%.5g %.5gv%.5g", svg_x(d, d->across.at[i]), d->top,
                d->height + (d->f->grid.values ? 5 : 0));
    }
    fputs("\"/>\n", d->to);
}

/* Where a tick of y stands: names from the top, as a heat map's rows. */
static double place_up(const drawing *d, int i)
{
    const double y = svg_y(d, d->up.at[i]);
    return d->f->y.names ? 2 * d->top + d->height - y : y;
}

static void put_turned(const drawing *d, double x, double y, const char *text)
{
    fprintf(d->to, "<text class=\"end\" x=\"%.5g\" y=\"%.5g\" transform=\"rotate(-45 %.5g %.5g)\">",
            x, y, x, y);
    put_markup(d->to, text);
    fputs("</text>\n", d->to);
}

/* Returns where there is room again. */
static double put_ticks(const drawing *d)
{
    const double bottom = d->top + d->height;
    for (int i = 0; i < d->up.count; i++) {
        put_text(d, "end", d->left - 8, place_up(d, i) + 5, d->up.text[i]);
    }
    for (int i = 0; i < d->across.count; i++) {
        const double x = svg_x(d, d->across.at[i]);
        if (d->turned) {
            put_turned(d, x + 4, bottom + 14, d->across.text[i]);
        } else {
            put_text(d, "middle", x, bottom + 19, d->across.text[i]);
        }
    }
    return bottom + 19 + (d->turned ? widest(&d->across) * COLUMN * TURN : 0);
}

/* ---- Legends: below, so that they cover nothing ---- */

static void put_swatch(const drawing *d, int k, double x, double y)
{
    static const char *const classes[] = {"line", "point", "bar"};
    const int style = k % SVG_STYLES;
    const char *const shapes[] = {"h32", svg_shape(style), "m-8 -6h16v12h-16z"};
    const figure_mark mark = d->f->series[k].mark;
    fprintf(d->to, "%s<path class=\"%s s%d\" d=\"M%.5g %.5g%s\"/>\n%s", svg_round_begin(k),
            classes[mark], style, x + (mark == FIGURE_LINE ? 0 : 16), y - 4, shapes[mark],
            svg_round_end(k));
}

/* Names from left to right, as many to a line as it takes. Returns the last line's place. */
static double put_names(const drawing *d, double y)
{
    const int most = (int)((SVG_WIDTH - SWATCH - 12) / COLUMN);
    double x = 12;
    y += LINE + 6;
    for (int k = 0; k < d->f->count; k++) {
        char name[256];
        cut_text(d->f->series[k].name ? d->f->series[k].name : "", most, name, sizeof name);
        const double wide = SWATCH + wide_text(name) * COLUMN + 10;
        if (x > 12 && x + wide > SVG_WIDTH) {
            x = 12;
            y += LINE;
        }
        put_swatch(d, k, x, y);
        put_text(d, "ink", x + SWATCH - 2, y, name);
        x += wide;
    }
    return y;
}

/* From the lowest value to the highest. */
static double put_shades(const drawing *d, double y)
{
    char text[FIGURE_LABEL], low[FIGURE_NUMBER], high[FIGURE_NUMBER], all[FIGURE_LABEL + 80];
    const figure_axis *axis = &d->f->grid.scale;
    y += LINE + 8;
    for (int i = 0; i < 8; i++) {
        fprintf(d->to, "<path class=\"cell\" fill-opacity=\"%.3g\" d=\"M%.5g %.5gh12v12h-12z\"/>\n",
                0.04 + 0.86 * i / 7, 12.0 + 12 * i, y - 10);
    }
    snprintf(all, sizeof all, "%s: %s to %s%s", figure_label(axis, text),
             figure_number(scale_value(&d->value, 0), low),
             figure_number(scale_value(&d->value, 1), high),
             axis->logarithmic ? ", logarithmic" : "");
    put_text(d, "ink", 118, y, all);
    return y;
}

/* ---- A figure ---- */

static void begin_clip(const drawing *d)
{
    fprintf(d->to,
            "<clipPath id=\"f%dc\"><path d=\"M%.5g %.5gh%.5gv%.5gh-%.5gz\"/></clipPath>\n"
            "<g clip-path=\"url(#f%dc)\">\n",
            d->number, d->left - 3, d->top - 3, d->width + 6, d->height + 6, d->width + 6,
            d->number);
}

static bool is_empty(const figure *f)
{
    int64_t count = f->grid.values ? f->grid.rows * f->grid.columns : 0;
    for (int k = 0; k < f->count; k++) {
        count += f->series[k].count;
    }
    return count == figure_left_out(f);
}

static void put_frame(const drawing *d)
{
    char label[FIGURE_LABEL];
    put_text(d, "ink", 2, d->top - 12, figure_label(&d->f->y, label));
    put_rules(d);
    if (is_empty(d->f)) {
        put_text(d, "middle", d->left + d->width / 2, d->top + d->height / 2, "nothing to draw");
    }
    begin_clip(d);
    svg_marks(d);
    fputs("</g>\n", d->to);
    fprintf(d->to, "<path class=\"axis\" d=\"M%.5g %.5gh%.5g\"/>\n", d->left, d->top + d->height,
            d->width);
}

/* Draws it from `top` on; returns where it ends. */
static double put_figure(FILE *to, const figure *f, int number, double top)
{
    char label[FIGURE_LABEL];
    drawing d = {.to = to, .f = f, .number = number, .top = top};
    lay_out(&d);
    put_frame(&d);
    double y = put_ticks(&d) + LINE - 2;
    put_text(&d, "ink middle", d.left + d.width / 2, y, figure_label(&f->x, label));
    y = f->grid.values ? put_shades(&d, y) : y;
    y = f->count > 1 ? put_names(&d, y) : y;
    return y + 10;
}

/* The element's beginning goes before what tells its height. */
static void put_element(FILE *to, double height, const char *attributes, const char *inside)
{
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %.0f\" role=\"img\"%s>\n",
            SVG_WIDTH, ceil(height), attributes);
    fputs(inside, to);
    fputs("</svg>\n", to);
}

static void put_title(FILE *to, nm_context *context, const figure *f, int number)
{
    char *text = figure_describe(context, f);
    fprintf(to, "<title id=\"f%dt\">", number);
    put_markup(to, f->title);
    fprintf(to, "</title>\n<desc id=\"f%dd\">", number);
    put_markup(to, text);
    fputs("</desc>\n", to);
    nm_free(context, text);
}

void svg_element(FILE *to, nm_context *context, const figure *f, int number)
{
    text_stream part;
    char attributes[64];
    if (!text_begin(&part, context)) {
        return;
    }
    put_title(part.to, context, f, number);
    const double height = put_figure(part.to, f, number, 0);
    snprintf(attributes, sizeof attributes, " aria-labelledby=\"f%dt f%dd\"", number, number);
    if (text_end(&part)) {
        put_element(to, height, attributes, part.text);
    }
    text_free(&part);
}

/* ---- A file ---- */

/* Each in a group that says what it is, below its title. */
static double put_all(FILE *to, nm_context *context, const figure *figures, int count)
{
    double y = 0;
    for (int i = 0; i < count; i++) {
        fprintf(to, "<g role=\"img\" aria-labelledby=\"f%dt f%dd\">\n", i + 1, i + 1);
        put_title(to, context, &figures[i], i + 1);
        const drawing d = {.to = to};
        char title[256];
        put_text(&d, "head", 2, y + LINE,
                 cut_text(figures[i].title ? figures[i].title : "", (int)(SVG_WIDTH / COLUMN) - 1,
                          title, sizeof title));
        y = put_figure(to, &figures[i], i + 1, y + LINE + 4);
        fputs("</g>\n", to);
        y += i + 1 < count ? 16 : 0;
    }
    return y;
}

nm_status svg_write(nm_context *context, const char *path, const figure *figures, int count)
{
    text_stream part;
    const double height =
        text_begin(&part, context) ? put_all(part.to, context, figures, count) : 0;
    text_stream out = {.context = context};
    if (text_end(&part) && output_begin(&out, context)) {
        fprintf(
            out.to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %.0f\">\n" OUTPUT_MARK
            "<style>%s</style>\n<path fill=\"var(--paper)\" d=\"M0 0h%gv%.0fh-%gz\"/>\n%s</svg>\n",
            SVG_WIDTH, ceil(height), svg_styles, SVG_WIDTH, ceil(height), SVG_WIDTH, part.text);
    }
    text_free(&part);
    return output_end(&out, path);
}
