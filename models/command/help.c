/* norma help, norma ops: what is registered, from the same tables that read YAML. */
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"
#include "models/command/options.h"
#include "ops/kernels/onednn.h"

static void print_heading(const char *text)
{
    printf("\n%s%s:%s\n", bold(), text, plain());
}

/* ---- Registered items ---- */

#define MEANING 21 /* the column where meanings begin */

/* A name, what it is, and its meaning below. */
static void print_entry(int indent, const char *name, const char *what, const char *doc)
{
    int written = printf("%*s%s%-*s%s ", indent, "", bold(), MEANING - 3 - indent, name, plain());
    written -= (int)(strlen(bold()) + strlen(plain()));
    print_wrapped_from(written, what, MEANING);
    print_wrapped(doc ? doc : "", MEANING);
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

static void print_option(nm_context *context, const nm_spec *spec, const nm_option *o, int indent)
{
    char what[OPTION_TEXT];
    describe_option(context, spec, o, what);
    print_entry(indent, o->name, what, o->doc);
    if (o->spec) {
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
    const nm_plugin *plugin = nm_plugin_of(context, item);
    printf("%s%s%s (%s%s%s): %s\n", bold(), item->name, plain(), nm_kind_name(kind),
           plugin ? " of the plugin " : "", plugin ? plugin->name : "", item->summary);
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
    int width = 24;
    for (int i = 0; i < nm_item_count(context, kind); i++) {
        const int length = (int)strlen(nm_item_at(context, kind, i)->name);
        width = length > width ? length : width;
    }
    for (int i = 0; i < nm_item_count(context, kind); i++) {
        const nm_item *item = nm_item_at(context, kind, i);
        printf("  %-*s %s\n", width, item->name, item->summary);
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

static void print_flag(const command_flag *flag)
{
    char name[64];
    snprintf(name, sizeof name, "%s %s", flag->name, flag->value ? flag->value : "");
    print_wrapped_from(printf("  %-18s ", name), flag->doc, MEANING);
}

static void print_command(const command *c)
{
    printf("usage: %s %s %s%s\n\n", program_name(), c->name, c->usage,
           c->flags[0].name ? " [options]" : "");
    print_wrapped(c->doc, 0);
    if (c->flags[0].name) {
        print_heading("Options");
    }
    for (int i = 0; i < own_flags(c); i++) {
        print_flag(flag_at(c, i));
    }
    print_heading("Options of every command");
    for (int i = own_flags(c); flag_at(c, i); i++) {
        print_flag(flag_at(c, i));
    }
}

static void print_overview(const nm_context *context, const command *const *commands)
{
    char title[KIND_TITLE];
    printf("Norma: train small networks with batch and weight normalization.\n\n"
           "usage: %s COMMAND [arguments]\n",
           program_name());
    print_heading("Commands");
    for (int i = 0; commands[i]; i++) {
        printf("  %-24s %s\n", commands[i]->name, commands[i]->summary);
    }
    printf("\n`%s help NAME` tells about each of these, about ops, which `%s ops` lists, and "
           "about any\noption of them:\n",
           program_name(), program_name());
    for (int i = 0; kinds_in_order[i] != NM_KIND_OP; i++) {
        print_heading(kind_title(kinds_in_order[i], title));
        print_items(context, kinds_in_order[i]);
    }
    puts("\nExit codes: 0 fine, 1 failed at run time, 2 the input was wrong.");
}

/* ---- An option, wherever it stands ---- */

/* Whether two places say the same about it: a `name` is in every layer. */
static bool says_the_same(nm_context *context, const option_place *a, const option_place *b)
{
    char one[OPTION_TEXT], other[OPTION_TEXT];
    describe_option(context, a->spec, a->option, one);
    describe_option(context, b->spec, b->option, other);
    return a->option->spec == b->option->spec && strcmp(one, other) == 0 &&
           strcmp(a->option->doc, b->option->doc) == 0;
}

/* "of the layers dense, conv2d": the places from `first` on that say the same, which are then told.
 */
static void print_owners(nm_context *context, option_list *list, int first)
{
    char owners[OPTION_TEXT], kind[KIND_TITLE];
    const option_place *place = &list->place[first];
    int length = snprintf(owners, sizeof owners, "%s", place->item->name), alike = 1;
    for (int i = first + 1; i < list->count; i++) {
        option_place *other = &list->place[i];
        if (other->option && other->kind == place->kind && says_the_same(context, place, other)) {
            length += snprintf(owners + length, sizeof owners - (size_t)length, ", %s",
                               other->item->name);
            length = length < OPTION_TEXT ? length : OPTION_TEXT - 1;
            other->option = NULL;
            alike++;
        }
    }
    printf("%s%s%s, an option of the %s %s:\n", bold(), place->path, plain(),
           alike > 1 ? kind_plural(place->kind, kind) : nm_kind_name(place->kind), owners);
}

/* An option that is a part of a file by itself: both have one name. */
static bool is_told_as_part(const nm_context *context, const option_place *place)
{
    return place->kind == NM_KIND_PART && place->option->type != NM_OPTION_CHOICE &&
           nm_find(context, NM_KIND_PART, place->option->name);
}

static bool print_found_options(nm_context *context, const char *name, bool found)
{
    option_list list;
    find_options(context, name, &list);
    for (int i = 0; i < list.count; i++) {
        const option_place *place = &list.place[i];
        if (place->option && !is_told_as_part(context, place)) {
            fputs(found ? "\n" : "", stdout);
            print_owners(context, &list, i);
            print_option(context, place->spec, place->option, 2);
            found = true;
        }
    }
    return found;
}

/* ---- help ---- */

static int unknown_name(nm_context *context, const arguments *a)
{
    const char *name = a->positional[0];
    const char *names[MOST_NAMES];
    const char *best = nm_nearest(name, names, help_names(context, a->commands, names));
    return best ? bad_usage("nothing is called \"%s\"; did you mean \"%s\"?", name, best)
                : bad_usage("nothing is called \"%s\"; `%s help` and `%s ops` list the names", name,
                            program_name(), program_name());
}

static bool print_found_command(const command *const *commands, const char *name)
{
    for (int i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            print_command(commands[i]);
            return true;
        }
    }
    return false;
}

/* "optimizer" or "optimizers": what there is of them. */
static bool print_found_kind(nm_context *context, const char *name, bool found)
{
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        char title[KIND_TITLE], plural[KIND_TITLE];
        if (strcmp(name, nm_kind_name((nm_kind)kind)) == 0 ||
            strcmp(name, kind_plural((nm_kind)kind, plural)) == 0) {
            fputs(found ? "\n" : "", stdout);
            printf("%s%s:%s\n", bold(), kind_title((nm_kind)kind, title), plain());
            print_items(context, (nm_kind)kind);
            found = true;
        }
    }
    return found;
}

/* A name may stand for several things: a command, a part of a file, the layer, the op, options of
 * others. All are told, in this order. */
static int print_all_called(nm_context *context, const arguments *a)
{
    const char *name = a->positional[0];
    bool found = print_found_command(a->commands, name);
    for (int i = 0; i < NM_KIND_COUNT; i++) {
        const nm_kind kind = kinds_in_order[i];
        for (int k = 0; k < nm_item_count(context, kind); k++) {
            const nm_item *item = nm_item_at(context, kind, k);
            if (strcmp(item->name, name) == 0 || nm_words_have(item->also, name)) {
                fputs(found ? "\n" : "", stdout);
                print_item(context, kind, item);
                found = true;
            }
        }
    }
    found = print_found_kind(context, name, found);
    found = print_found_options(context, name, found);
    return found ? EXIT_FINE : unknown_name(context, a);
}

static int run_help(nm_context *context, const arguments *a)
{
    if (argument_value(a, "--markdown")) {
        print_reference(context);
        return EXIT_FINE;
    }
    if (a->count) {
        return print_all_called(context, a);
    }
    print_overview(context, a->commands);
    return EXIT_FINE;
}

const command command_help = {
    .name = "help",
    .usage = "[NAME]",
    .summary = "tell about a command, a part of a file, or anything else by its name",
    .doc = "Prints the usage of a command; the formula, shapes and options of an op, layer, loss, "
           "optimizer, schedule, data set, metric or initializer; what stands in a part of a "
           "network's file; or what an option means, such as patience or train.clip_norm. A name "
           "may stand for several of these: all are told.",
    .flags = {{"--markdown", NULL, "print the whole reference as Markdown"}},
    .most = 1,
    .run = run_help,
};

/* ---- version ---- */

static int run_version(nm_context *context, const arguments *a)
{
    (void)a;
    char why[NM_ONEDNN_WHY];
    int library = nm_onednn_version(why, sizeof why);
    printf("norma %s (%d threads, ", NORMA_VERSION, nm_context_threads(context));
    if (library) {
        printf("oneDNN %d.%d)\n", library / 100, library % 100);
    } else {
        printf("no oneDNN: %s)\n", why);
    }
    return EXIT_FINE;
}

const command command_version = {
    .name = "version",
    .usage = "",
    .summary = "print the version",
    .doc = "Prints the version, the number of threads, and the version of oneDNN, or why it is not "
           "used.",
    .run = run_version,
};
