/* The reference as Markdown, from the tables that `norma help` reads: docs/reference.md is what
 * this prints, and a test compares them. */
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"
#include "models/command/options.h"

/* Text for a table's cell: on one line, with bars escaped. */
static void print_cell(const char *text)
{
    for (; text && *text; text++) {
        fputs(*text == '|' ? "\\" : "", stdout);
        putchar(*text == '\n' ? ' ' : *text);
    }
}

/* What has an entry of its own is not told here. */
static void print_type(nm_context *context, const nm_option *o)
{
    const nm_item *part = part_of_spec(context, o->spec);
    char *type = o->type == NM_OPTION_STRUCT ? NULL : nm_option_type_text(context, o);
    print_cell(type ? type : "a map");
    if (part) {
        printf(", see [%s](#%s)", part->name, part->name);
    } else if (o->spec) {
        fputs(" of the options below", stdout);
    }
    nm_free(context, type);
}

static void print_option(nm_context *context, const nm_spec *spec, const nm_option *o,
                         const char *prefix)
{
    char *standard = nm_option_default_text(context, spec, o);
    char *range = nm_option_range_text(context, o);
    printf("| `%s%s` | ", prefix, o->name);
    print_type(context, o);
    fputs(" | ", stdout);
    print_cell(o->flags & NM_REQUIRED ? "required" : standard);
    fputs(" | ", stdout);
    print_cell(o->doc);
    if (range && *range) {
        fputs("; ", stdout);
        print_cell(range);
    }
    puts(" |");
    nm_free(context, standard);
    nm_free(context, range);
    if (o->spec && !part_of_spec(context, o->spec)) {
        char inner[128];
        snprintf(inner, sizeof inner, "%s%s.", prefix, o->name);
        for (int i = 0; i < o->spec->count; i++) {
            print_option(context, o->spec, &o->spec->options[i], inner);
        }
    }
}

static void print_option_table(nm_context *context, const nm_spec *spec)
{
    puts("| option | type | default | meaning |\n| --- | --- | --- | --- |");
    for (int i = 0; i < spec->count; i++) {
        print_option(context, spec, &spec->options[i], "");
    }
    putchar('\n');
}

static void print_port_rows(const nm_port *ports, int count, const char *direction)
{
    for (int i = 0; i < count; i++) {
        if (ports[i].flags & NM_PORT_HIDDEN) {
            continue;
        }
        printf("| `%s` | %s%s | ", ports[i].name, direction,
               ports[i].flags & NM_PORT_OPTIONAL   ? ", optional"
               : ports[i].flags & NM_PORT_VARIADIC ? ", one or more"
                                                   : "");
        print_cell(ports[i].doc);
        puts(" |");
    }
}

static void print_doc(const char *doc)
{
    /* As code, so that formulas keep their lines. */
    fputs("```text\n", stdout);
    fputs(doc, stdout);
    puts(doc[strlen(doc) - 1] == '\n' ? "```\n" : "\n```\n");
}

static void print_item(nm_context *context, nm_kind kind, const nm_item *item)
{
    printf("### %s\n\n%s.\n\n", item->name, item->summary);
    if (item->doc && *item->doc) {
        print_doc(item->doc);
    }
    if (kind == NM_KIND_OP) {
        const nm_op *op = (const nm_op *)item;
        puts("| port | | |\n| --- | --- | --- |");
        print_port_rows(op->inputs, op->input_count, "in");
        print_port_rows(op->outputs, op->output_count, "out");
        putchar('\n');
    }
    if (item->spec && item->spec->count) {
        print_option_table(context, item->spec);
    }
}

void print_reference(nm_context *context)
{
    puts("# Reference\n\n"
         "Everything that can be named in a YAML file or called by name. Made by `norma help "
         "--markdown` from the same tables that read YAML and check ranges; `norma help NAME` "
         "prints "
         "one entry.\n");
    for (int n = 0; n < NM_KIND_COUNT; n++) {
        nm_kind k = kinds_in_order[n];
        char title[KIND_TITLE];
        printf("## %s\n\n", kind_title(k, title));
        for (int i = 0; i < nm_item_count(context, k); i++) {
            print_item(context, k, nm_item_at(context, k, i));
        }
    }
}
