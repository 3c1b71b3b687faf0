#include "models/summary.h"

#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "core/text.h"
#include "models/model_internal.h"

#define WIDEST_NAME 48

char *nm_grouped_text(int64_t value, char text[NM_GROUPED_TEXT])
{
    char digits[NM_GROUPED_TEXT];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)value);
    int out = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) {
            text[out++] = ' ';
        }
        text[out++] = digits[i];
    }
    text[out] = 0;
    return text;
}

/* "1.5 KiB" */
static char *sized(int64_t bytes, char text[NM_GROUPED_TEXT])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 1024 && unit < 4; unit++) {
        value /= 1024;
    }
    snprintf(text, NM_GROUPED_TEXT, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

static void add_row(nm_text *text, const char *name, const char *type, const nm_layer_summary *s,
                    int width)
{
    char shape[NM_SHAPE_TEXT], parameters[NM_GROUPED_TEXT], adds[NM_GROUPED_TEXT],
        memory[NM_GROUPED_TEXT];
    nm_text_add(text, "%-*s  %-12s %-18s %12s %16s %12s\n", width, name, type,
                nm_shape_text(&s->output, shape), nm_grouped_text(s->parameters, parameters),
                nm_grouped_text(s->multiply_adds, adds), sized(s->bytes, memory));
}

static int name_width(const nm_model *model)
{
    int width = 5;
    for (int i = 0; i < model->count; i++) {
        const int length = (int)strlen(model->records[i]->layer.name);
        width = length > width ? length : width;
    }
    return width < WIDEST_NAME ? width : WIDEST_NAME;
}

char *nm_model_table(const nm_model *model)
{
    NM_GIVEN(model, NULL);
    nm_text text = {.context = model->context};
    const int width = name_width(model);
    nm_text_add(&text, "%-*s  %-12s %-18s %12s %16s %12s\n", width, "layer", "type", "output",
                "parameters", "multiply-adds", "activations");
    const nm_layer_summary input = {.output = model->input};
    add_row(&text, "input", "", &input, width);
    for (int i = 0; i < model->count; i++) {
        const nm_layer_summary s = nm_model_layer_at(model, i);
        add_row(&text, s.name, s.type, &s, width);
    }
    const nm_layer_summary total = nm_model_total(model);
    add_row(&text, "total", "", &total, width);
    return nm_text_end(&text);
}
