/* norma help, norma ops: what is registered, from the same tables that read YAML. */
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"

static void print_heading(const char *text)
{
    printf("\n%s%s:%s\n", bold(), text, plain());
}

/* ---- Registered items ---- */

/* A name, what it is, and its meaning below. */
static void print_entry(int indent, const char *name, const char *what, const char *doc)
{
    printf("%*s%s%-*s%s %s\n", indent, "", bold(), 18 - indent, name, plain(), what);
    print_wrapped(doc ? doc : "", 21);
}

static void print_port(const nm_port *port)
{
    static const char *const types[] = {"float", "index", "any"};
    const char *note = port->flags & NM_PORT_OPTIONAL   ? ", optional"
                       : port->flags & NM_PORT_VARIADIC ? ", one or more"
                                                        : "";
    char what[64];
    snprintf(what, sizeof what, "%s%s", types[port->type], note);
    print_entry(2, port->name, what, port->doc);
}

static void print_ports(const nm_op *op)
{
    print_heading("Inputs");
    for (int i = 0; i < op->input_count; i++) {
        print_port(&op->inputs[i]);
    }
    print_heading("Outputs");
    for (int i = 0; i < op->output_count; i++) {
        if (!(op->outputs[i].flags & NM_PORT_HIDDEN)) {
            print_port(&op->outputs[i]);
        }
    }
}

static void print_options(nm_context *context, const nm_spec *spec, int indent);

/* "int, default -1, at least -6 and at most 5" */
static void describe_option(nm_context *context, const nm_spec *spec, const nm_option *o,
                            char text[512])
{
    bool required = o->flags & NM_REQUIRED, nested = o->type == NM_OPTION_STRUCT;
    char *type = nm_option_type_text(context, o);
    char *standard = nm_option_default_text(context, spec, o);
    char *range = nm_option_range_text(context, o);
    snprintf(text, 512, "%s", nested ? "the options below" : type ? type : "");
    const char *const parts[][2] = {{", required", required ? "" : NULL},
                                    {", default ", required ? NULL : standard},
                                    {", ", range && *range ? range : NULL}};
    for (int i = 0; i < 3; i++) {
        size_t at = strlen(text);
        if (parts[i][1] && (i != 1 || *parts[i][1])) {
            snprintf(text + at, 512 - at, "%s%s", parts[i][0], parts[i][1]);
        }
    }
    nm_free(context, type);
    nm_free(context, standard);
    nm_free(context, range);
}

static void print_option(nm_context *context, const nm_spec *spec, const nm_option *o, int indent)
{
    char what[512];
    describe_option(context, spec, o, what);
    print_entry(indent, o->name, what, o->doc);
    if (o->type == NM_OPTION_STRUCT && o->spec) {
        print_options(context, o->spec, indent + 2);
    }
}

static void print_options(nm_context *context, const nm_spec *spec, int indent)
{
    for (int i = 0; i < spec->count; i++) {
        print_option(context, spec, &spec->options[i], indent);
    }
}

static void print_item(nm_context *context, nm_kind kind, const nm_item *item)
{
    printf("%s%s%s (%s): %s\n", bold(), item->name, plain(), nm_kind_name(kind), item->summary);
    if (item->doc) {
        putchar('\n');
        print_wrapped(item->doc, 0);
    }
    if (kind == NM_KIND_OP) {
        print_ports((const nm_op *)item);
    }
    if (item->spec && item->spec->count) {
        print_heading("Options");
        print_options(context, item->spec, 2);
    }
}

static void print_items(const nm_context *context, nm_kind kind)
{
    for (int i = 0; i < nm_item_count(context, kind); i++) {
        const nm_item *item = nm_item_at(context, kind, i);
        printf("  %-24s %s\n", item->name, item->summary);
    }
}

static int run_ops(nm_context *context, const arguments *a)
{
    (void)a;
    print_items(context, NM_KIND_OP);
    return EXIT_FINE;
}

const command command_ops = {
    .name = "ops",
    .usage = "",
    .summary = "list the ops",
    .doc = "Lists every registered op with a line about it; `norma help NAME` tells more.",
    .run = run_ops,
};

/* ---- Commands ---- */

static void print_command(const command *c)
{
    printf("usage: norma %s %s%s\n\n", c->name, c->usage, c->flags[0].name ? " [options]" : "");
    print_wrapped(c->doc, 0);
    if (c->flags[0].name) {
        print_heading("Options");
    }
    for (int i = 0; i < MAX_FLAGS && c->flags[i].name; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s %s", c->flags[i].name,
                 c->flags[i].value ? c->flags[i].value : "");
        printf("  %-18s %s\n", name, c->flags[i].doc);
    }
}

static void print_overview(const nm_context *context)
{
    char title[KIND_TITLE];
    puts("Norma: train small networks with batch and weight normalization.\n\n"
         "usage: norma COMMAND [arguments]");
    print_heading("Commands");
    for (int i = 0; commands[i]; i++) {
        printf("  %-24s %s\n", commands[i]->name, commands[i]->summary);
    }
    puts("\n`norma help NAME` tells about a command, op, layer, loss, optimizer, schedule, ...:");
    for (int kind = NM_KIND_LAYER; kind < NM_KIND_COUNT; kind++) {
        print_heading(kind_title((nm_kind)kind, title));
        print_items(context, (nm_kind)kind);
    }
    puts("\nExit codes: 0 fine, 1 failed at run time, 2 the input was wrong.");
}

/* ---- help ---- */

static int unknown_name(nm_context *context, const char *name)
{
    const char *best = NULL;
    for (int kind = 0; kind < NM_KIND_COUNT && !best; kind++) {
        const char *names[512];
        int count = nm_item_count(context, (nm_kind)kind);
        count = count < 512 ? count : 512;
        for (int i = 0; i < count; i++) {
            names[i] = nm_item_at(context, (nm_kind)kind, i)->name;
        }
        best = nm_nearest(name, names, count);
    }
    best = best ? best : nearest_command(name);
    return best ? bad_usage("nothing is called \"%s\"; did you mean \"%s\"?", name, best)
                : bad_usage("nothing is called \"%s\"; `norma help` and `norma ops` list the names",
                            name);
}

/* A name may stand for several things: the layer, the op, ... All are told. */
static int run_help(nm_context *context, const arguments *a)
{
    if (argument_value(a, "--markdown")) {
        print_reference(context);
        return EXIT_FINE;
    }
    if (!a->count) {
        print_overview(context);
        return EXIT_FINE;
    }
    const char *name = a->positional[0];
    bool found = false;
    for (int i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            print_command(commands[i]);
            found = true;
        }
    }
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        const nm_item *item = nm_find(context, (nm_kind)kind, name);
        if (item) {
            fputs(found ? "\n" : "", stdout);
            print_item(context, (nm_kind)kind, item);
            found = true;
        }
    }
    return found ? EXIT_FINE : unknown_name(context, name);
}

const command command_help = {
    .name = "help",
    .usage = "[NAME]",
    .summary = "tell about a command or anything registered",
    .doc =
        "Prints the formula, shapes and options of an op, layer, loss, optimizer, schedule, data "
        "set, metric or initializer, or the usage of a command.",
    .flags = {{"--markdown", NULL, "print the whole reference as Markdown"}},
    .most = 1,
    .run = run_help,
};

/* ---- version ---- */

static int run_version(nm_context *context, const arguments *a)
{
    (void)a;
    printf("norma %s (%d threads%s)\n", NORMA_VERSION, nm_context_threads(context),
#ifdef NM_HAVE_ONEDNN
           ", oneDNN"
#else
           ""
#endif
    );
    return EXIT_FINE;
}

const command command_version = {
    .name = "version",
    .usage = "",
    .summary = "print the version",
    .doc = "Prints the version, the number of threads, and whether oneDNN is used.",
    .run = run_version,
};
