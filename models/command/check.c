/* norma check: what a network's file says, before anything is trained. */
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"

/* "1 234 567" */
static char *grouped(int64_t value, char text[32])
{
    char digits[32];
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
static char *sized(int64_t bytes, char text[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 1024 && unit < 4; unit++) {
        value /= 1024;
    }
    snprintf(text, 32, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

static void print_row(const char *name, const char *type, const nm_layer_summary *s, int width)
{
    char shape[NM_SHAPE_TEXT], parameters[32], adds[32], memory[32];
    printf("%-*s  %-12s %-18s %12s %16s %12s\n", width, name, type,
           nm_shape_text(&s->output, shape), grouped(s->parameters, parameters),
           grouped(s->multiply_adds, adds), sized(s->bytes, memory));
}

static int name_width(const nm_model *model)
{
    int width = 5;
    for (int i = 0; i < nm_model_layer_count(model); i++) {
        nm_layer_summary s = nm_model_layer_at(model, i);
        int length = (int)strlen(s.name);
        width = length > width ? length : width;
    }
    return width < 48 ? width : 48;
}

static void print_table(const nm_model *model)
{
    int width = name_width(model);
    printf("%s%-*s  %-12s %-18s %12s %16s %12s%s\n", bold(), width, "layer", "type", "output",
           "parameters", "multiply-adds", "activations", plain());
    nm_layer_summary input = {.output = *nm_model_input(model)};
    print_row("input", "", &input, width);
    for (int i = 0; i < nm_model_layer_count(model); i++) {
        nm_layer_summary s = nm_model_layer_at(model, i);
        print_row(s.name, s.type, &s, width);
    }
    nm_layer_summary total = nm_model_total(model);
    fputs(bold(), stdout);
    print_row("total", "", &total, width);
    fputs(plain(), stdout);
    puts("\nMultiply-adds and activations are those of one sample's forward pass.");
}

static bool print_layer_json(const char *name, const nm_layer_summary *s)
{
    json_line line = {0};
    json_string(&line, "layer", name);
    json_string(&line, "type", s->type);
    json_shape(&line, "output", &s->output);
    json_integer(&line, "parameters", s->parameters);
    json_integer(&line, "multiply_adds", s->multiply_adds);
    json_integer(&line, "activation_bytes", s->bytes);
    return json_end(&line);
}

static void print_json(const nm_model *model)
{
    bool written = true;
    for (int i = 0; i < nm_model_layer_count(model) && written; i++) {
        nm_layer_summary s = nm_model_layer_at(model, i);
        written = print_layer_json(s.name, &s);
    }
    nm_layer_summary total = nm_model_total(model);
    if (written) {
        print_layer_json("total", &total);
    }
}

static int run_check(nm_context *context, const arguments *a)
{
    const char *settings[MAX_VALUES];
    int count = argument_list(a, "--set", settings);
    nm_config config;
    if (nm_config_open(context, a->positional[0], settings, count, 0, &config) != NM_OK) {
        return report_error(context);
    }
    if (argument_value(a, "--json")) {
        print_json(config.model);
    } else {
        print_table(config.model);
    }
    nm_config_close(&config);
    return EXIT_FINE;
}

const command command_check = {
    .name = "check",
    .usage = "FILE",
    .summary = "check a YAML file and show its layers",
    .doc = "Reads FILE, reports every mistake with its line and column, and prints the layers with "
           "their output shapes, parameters, multiply-adds and activation memory.",
    .flags = {{"--set", "KEY=VALUE", "set a value of the file"},
              {"--json", NULL, "one JSON object a layer, the total last"}},
    .least = 1,
    .most = 1,
    .run = run_check,
};
