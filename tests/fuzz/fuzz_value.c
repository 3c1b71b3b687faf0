/* Any bytes as a YAML document, read into a spec with every type of option, then changed by --set.
 * Beyond what the sanitizers see it checks that success and failure are told apart cleanly, that
 * limits hold in what was read, and that numbers read back. */
#include <math.h>

#include "core/op.h"
#include "core/option.h"

#include "tests/fuzz/fuzz.h"

typedef struct inner_options {
    int64_t axis;
    nm_choice next;
} inner_options;

typedef struct outer_options {
    size_t struct_size;
    bool flag;
    int64_t count;
    double rate;
    const char *name;
    int mode;
    nm_ints sizes;
    nm_floats rates;
    inner_options inner;
    nm_choice choice;
    const nm_value *rest;
    nm_numbers weights;
    nm_choices several;
} outer_options;

static const char *const modes[] = {"one", "two", NULL};

static const nm_option inner_rows[] = {
    {NM_FIELD(inner_options, axis), NM_OPTION_INT, .doc = "axis", .min = -6, .max = 5},
    {NM_FIELD(inner_options, next), NM_OPTION_CHOICE, .doc = "next", .kind = NM_KIND_SCHEDULE},
};

static const inner_options inner_defaults = {.axis = -1};

static const nm_spec inner_spec = {"inner_options",
                                   sizeof(inner_options),
                                   &inner_defaults,
                                   inner_rows,
                                   NM_COUNT_OF(inner_rows),
                                   NULL,
                                   NULL};

static const nm_option outer_rows[] = {
    {NM_FIELD(outer_options, flag), NM_OPTION_BOOL, .doc = "flag"},
    {NM_FIELD(outer_options, count), NM_OPTION_INT, .doc = "count", .min = 1, .max = NM_NO_LIMIT},
    {NM_FIELD(outer_options, rate), NM_OPTION_FLOAT, .doc = "rate", .max = 1, .flags = NM_MAX_OPEN},
    {NM_FIELD(outer_options, name), NM_OPTION_STRING, .doc = "name", .flags = NM_REQUIRED},
    {NM_FIELD(outer_options, mode), NM_OPTION_ENUM, .doc = "mode", .names = modes},
    {NM_FIELD(outer_options, sizes), NM_OPTION_INTS, .doc = "sizes", .min = 1, .max = 99},
    {NM_FIELD(outer_options, rates), NM_OPTION_FLOATS, .doc = "rates"},
    {NM_FIELD(outer_options, inner), NM_OPTION_STRUCT, .doc = "inner", .spec = &inner_spec},
    {NM_FIELD(outer_options, choice), NM_OPTION_CHOICE, .doc = "choice", .kind = NM_KIND_SCHEDULE},
    {NM_FIELD(outer_options, rest), NM_OPTION_VALUE, .doc = "rest"},
    {NM_FIELD(outer_options, weights), NM_OPTION_NUMBERS, .doc = "weights", .names = modes},
    {NM_FIELD(outer_options, several), NM_OPTION_CHOICES, .doc = "several",
     .kind = NM_KIND_SCHEDULE},
};

static const outer_options outer_defaults = {.struct_size = sizeof(outer_options), .count = 1};

static const nm_spec outer_spec = {"outer_options",
                                   sizeof(outer_options),
                                   &outer_defaults,
                                   outer_rows,
                                   NM_COUNT_OF(outer_rows),
                                   NULL,
                                   NULL};

static const nm_item nested = NM_ITEM(nm_item, "nested", "with options", .spec = &inner_spec);
static const nm_item plain = NM_ITEM(nm_item, "plain", "without options", .spec = NULL);

static void check_number(const char *text)
{
    double number, back;
    char written[32];
    if (nm_parse_float(text, &number)) {
        require(strlen(nm_format_float(number, written)) < sizeof written);
        require(nm_parse_float(written, &back) && (back == number || isnan(number)));
    }
}

/* Visits a value as many times as it is reached, which the limits bound. */
static int count_values(const nm_value *value, int depth)
{
    int count = 1;
    require(depth <= NM_VALUE_MAX_DEPTH && value->line > 0 && value->column > 0);
    if (value->kind == NM_VALUE_SCALAR) {
        check_number(value->text);
        return count;
    }
    for (int i = 0; i < value->count; i++) {
        bool list = value->kind == NM_VALUE_LIST;
        const nm_value *child = list ? value->items[i] : value->entries[i].value;
        require(list || value->entries[i].key->kind == NM_VALUE_SCALAR);
        /* Looking up takes linear time. */
        require(list || i > 20 || nm_value_get(value, value->entries[i].key->text) == child);
        count += count_values(child, depth + 1) + !list;
    }
    return count;
}

static void read_spec(nm_context *context, nm_document *document)
{
    outer_options options;
    nm_diagnostics d;
    nm_diagnostics_begin(&d, context);
    nm_spec_read(&outer_spec, nm_document_root(document), "fuzz", document, &d, &options);
    bool fine = nm_diagnostics_end(&d) == NM_OK;
    require(fine == !*nm_context_error(context));
    nm_context_clear_error(context);
    if (!fine) {
        options.name = "legal contents, but for what is missing";
    }
    require(nm_spec_check(context, &outer_spec, "fuzz", &options) == NM_OK || !fine);
    nm_context_clear_error(context);
}

/* The first line of the input as an assignment. */
static void change(nm_context *context, nm_document *document, const uint8_t *data, size_t size)
{
    char assignment[256] = "";
    size_t length = 0;
    while (length < size && length + 1 < sizeof assignment && data[length] != '\n') {
        assignment[length] = (char)data[length];
        length++;
    }
    bool fine = nm_document_set(document, assignment) == NM_OK;
    require(fine == (nm_context_status(context) == NM_OK));
    nm_context_clear_error(context);
    require(count_values(nm_document_root(document), 0) <= NM_VALUE_MAX_NODES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fuzz_context f = {.bare = true, .most = FUZZ_MEMORY};
    if (!f.context) {
        nm_register(fuzz_begin(&f), NM_KIND_SCHEDULE, &nested);
        nm_register(f.context, NM_KIND_SCHEDULE, &plain);
        fuzz_keep(&f);
    }
    nm_context *context = f.context;
    nm_document *document = nm_document_parse(context, (const char *)data, size, "fuzz.yaml");
    require(!document == (nm_context_status(context) != NM_OK));
    nm_context_clear_error(context);
    if (!document) {
        document = nm_document_parse(context, "{list: [{a: 1}, b], map: {c: }}", SIZE_MAX, "base");
    }
    if (document) {
        require(count_values(nm_document_root(document), 0) <= NM_VALUE_MAX_NODES);
        read_spec(context, document);
        change(context, document, data, size);
        read_spec(context, document);
    }
    nm_document_destroy(document);
    fuzz_end(&f);
    return 0;
}
