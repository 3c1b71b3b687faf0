/* Help and reference tell about every option of all that can be named. */
#include <ctype.h>

#include "tests/models/command_helpers.h"

/* ---- Walking all tables ---- */

typedef struct visit {
    nm_context *context;
    nm_kind kind;
    const nm_item *item;
    const nm_spec *spec;
    const nm_option *option;
    char path[256]; /* "weight_norm.axis" */
} visit;

static void visit_spec(visit v, const nm_spec *spec, const char *prefix,
                       void (*look)(const visit *v))
{
    for (int i = 0; spec && i < spec->count; i++) {
        v.spec = spec;
        v.option = &spec->options[i];
        snprintf(v.path, sizeof v.path, "%s%s", prefix, v.option->name);
        look(&v);
        if (v.option->spec) {
            char inner[256];
            snprintf(inner, sizeof inner, "%.200s.", v.path);
            visit_spec(v, v.option->spec, inner, look);
        }
    }
}

/* Looks at every option of everything registered, and at those within it. Returns how many items
 * have options. */
static int visit_all(void (*look)(const visit *v))
{
    int items = 0;
    visit v = {.context = nm_open(NULL)};
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        for (int i = 0; i < nm_item_count(v.context, (nm_kind)kind); i++) {
            v.kind = (nm_kind)kind;
            v.item = nm_item_at(v.context, v.kind, i);
            items += v.item->spec != NULL;
            visit_spec(v, v.item->spec, "", look);
        }
    }
    nm_close(v.context);
    return items;
}

static bool is_part(const visit *v, const nm_spec *spec)
{
    for (int i = 0; i < nm_item_count(v->context, NM_KIND_PART); i++) {
        if (nm_item_at(v->context, NM_KIND_PART, i)->spec == spec) {
            return true;
        }
    }
    return false;
}

/* Asserts that text has all words of `words`, in order, however it is wrapped. */
static void assert_words(const char *text, const char *words, const visit *v)
{
    char copy[4096], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", words);
    const char *at = text;
    for (char *word = strtok_r(copy, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        const char *found = strstr(at, word);
        ck_assert_msg(found != NULL, "%s.%s: \"%s\" of \"%s\" is not in:\n%.600s", v->item->name,
                      v->path, word, words, text);
        at = found + strlen(word);
    }
}

/* What `norma help NAME` says, asked once: many items have options of one name. */
static const char *help_of(const char *name)
{
    static struct {
        const char *name;
        char *text;
    } told[1024];
    int i = 0;
    while (told[i].name && strcmp(told[i].name, name) != 0) {
        i++;
        ck_assert_int_lt(i, 1024);
    }
    if (!told[i].name) {
        const ended *e = norma("help", name);
        assert_code(e, 0);
        told[i].name = name;
        told[i].text = strdup(e->out);
    }
    return told[i].text;
}

/* ---- norma help ITEM ---- */

static void assert_is_in_help(const visit *v)
{
    char heading[128], name[128];
    snprintf(heading, sizeof heading, "%s (%s): ", v->item->name, nm_kind_name(v->kind));
    const char *at = strstr(help_of(v->item->name), heading);
    ck_assert_msg(at != NULL, "no entry %s", heading);
    int indent = 2; /* two more for each map that it stands in */
    for (const char *dot = v->path; (dot = strchr(dot, '.')); dot++) {
        indent += 2;
    }
    snprintf(name, sizeof name, "\n%*s%s ", indent, "", v->option->name);
    at = strstr(at, name);
    ck_assert_msg(at != NULL, "norma help %s says nothing of %s", v->item->name, v->path);
    char *range = nm_option_range_text(v->context, v->option);
    char *standard = nm_option_default_text(v->context, v->spec, v->option);
    assert_words(at, v->option->flags & NM_REQUIRED ? "required" : "default", v);
    assert_words(at, v->option->flags & NM_REQUIRED ? "" : standard, v);
    assert_words(at, range, v);
    assert_words(at, v->option->doc, v);
    nm_free(v->context, range);
    nm_free(v->context, standard);
}

START_TEST(help_of_an_item_has_every_option_with_default_range_and_meaning)
{
    ck_assert_int_gt(visit_all(assert_is_in_help), 40);
}
END_TEST

/* ---- norma help OPTION ---- */

static void assert_is_found_by_name(const visit *v)
{
    const bool within = strchr(v->path, '.') && is_part(v, v->spec);
    const bool itself = v->kind == NM_KIND_PART && v->option->type != NM_OPTION_CHOICE &&
                        nm_find(v->context, NM_KIND_PART, v->option->name);
    if (within || itself) {
        return; /* told as the part's, or as the part */
    }
    assert_words(help_of(v->option->name), v->option->doc, v);
    assert_words(help_of(v->option->name), v->item->name, v);
}

START_TEST(help_finds_every_option_by_its_name_and_says_whose_it_is)
{
    visit_all(assert_is_found_by_name);
}
END_TEST

START_TEST(help_tells_all_that_a_name_stands_for)
{
    const ended *e = norma("help", "train");
    assert_says(e->out, "usage: norma train");
    assert_says(e->out, "train (part)");
    assert_says(e->out, "train, an option of the part data:");
    e = norma("help", "groups");
    assert_says(e->out, "groups (part)");
    assert_says(e->out, "groups, an option of the layers conv2d, conv1d");
    e = norma("help", "optimizer");
    assert_says(e->out, "Optimizers:\n  sgd ");
    assert_says(e->out, "optimizer, an option of the part train:");
}
END_TEST

START_TEST(help_takes_the_path_that_set_takes)
{
    const char *const paths[] = {"train.early_stopping.patience", "early_stopping.patience",
                                 "model.0.conv2d.stride", "weight_norm.axis"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const ended *e = norma("help", paths[i]);
        assert_code(e, 0);
        assert_says(e->out, ", an option of the ");
    }
    assert_code(norma("help", "conv2d.patience"), 2);
}
END_TEST

START_TEST(a_misspelt_option_is_told_with_the_one_that_was_meant)
{
    const ended *e = norma("help", "patiance");
    assert_code(e, 2);
    ck_assert_str_eq(e->err, "norma: nothing is called \"patiance\"; did you mean \"patience\"?\n");
}
END_TEST

START_TEST(help_fits_the_width_of_the_page)
{
    const ended *e = norma("help", "train");
    for (const char *line = e->out; *line; line += strcspn(line, "\n") + 1) {
        ck_assert_msg(strcspn(line, "\n") <= 84, "%.100s", line);
    }
}
END_TEST

/* ---- The reference ---- */

static char *reference;

/* From the item's heading to the next heading. */
static char *section_of(const visit *v)
{
    char title[64], heading[128];
    const char *kind = nm_kind_name(v->kind);
    snprintf(title, sizeof title, "\n## %c%s", toupper(kind[0]), kind + 1);
    snprintf(heading, sizeof heading, "\n### %s\n", v->item->name);
    const char *at = strstr(reference, title);
    at = at ? strstr(at, heading) : NULL;
    ck_assert_msg(at != NULL, "%s: no entry%s", title, heading);
    const char *end = at ? strstr(at + 4, "\n#") : NULL;
    return !at ? NULL : strndup(at, end ? (size_t)(end - at) : strlen(at));
}

static void assert_is_in_reference(const visit *v)
{
    if (strchr(v->path, '.') && is_part(v, v->spec)) {
        return; /* in the part's own section */
    }
    char *section = section_of(v), row[sizeof v->path + 16];
    snprintf(row, sizeof row, "\n| `%s` | ", v->path);
    const char *at = strstr(section, row);
    ck_assert_msg(at != NULL, "%s: no row of %s", v->item->name, v->path);
    char *range = nm_option_range_text(v->context, v->option);
    char *standard = nm_option_default_text(v->context, v->spec, v->option);
    assert_words(at, v->option->flags & NM_REQUIRED ? "required" : standard, v);
    assert_words(at, v->option->doc, v);
    assert_words(at, range, v);
    nm_free(v->context, range);
    nm_free(v->context, standard);
    free(section);
}

START_TEST(the_reference_has_every_option_with_default_range_and_meaning)
{
    reference = strdup(norma("help", "--markdown")->out);
    for (char *at = reference, *bar; (bar = strstr(at, "\\|")); at = bar) {
        memmove(bar, bar + 1, strlen(bar)); /* bars are escaped */
    }
    visit_all(assert_is_in_reference);
    free(reference);
}
END_TEST

static void assert_says_what_it_is(const visit *v)
{
    char *type = nm_option_type_text(v->context, v->option);
    ck_assert_msg(strcmp(type, "any") != 0, "%s.%s: its type says nothing; give it names or spec",
                  v->item->name, v->path);
    ck_assert_msg(v->option->doc && *v->option->doc, "%s.%s has no meaning", v->item->name,
                  v->path);
    nm_free(v->context, type);
}

START_TEST(no_option_is_of_any_type)
{
    visit_all(assert_says_what_it_is);
}
END_TEST

/* A line of a text that is followed by another of the same sentence has no room for its first word.
 */
static void check_filled(const char *name, const char *text)
{
    for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        const size_t length = (size_t)(end - line), word = strcspn(end + 1, " \n");
        const bool goes_on = length && *line != ' ' && word && end[1] != ' ' && end[1] != '(' &&
                             !strchr(".:;", end[-1]);
        ck_assert_msg(!goes_on || length + 1 + word > 80, "%s: this line ends early: %.*s", name,
                      (int)length, line);
    }
}

START_TEST(lines_of_help_are_filled)
{
    nm_context *context = nm_open(NULL);
    int looked_at = 0;
    for (int i = 0; i < nm_item_count(context, NM_KIND_OP); i++) {
        const char *name = nm_item_at(context, NM_KIND_OP, i)->name;
        const char *text = norma("help", name)->out, *options = strstr(text, "\n\n");
        check_filled(name, options ? options + 2 : text);
        looked_at++;
    }
    ck_assert_int_gt(looked_at, 40);
    nm_close(context);
}
END_TEST

TEST_MAIN("models/help", help_of_an_item_has_every_option_with_default_range_and_meaning,
          help_finds_every_option_by_its_name_and_says_whose_it_is,
          help_tells_all_that_a_name_stands_for, help_takes_the_path_that_set_takes,
          a_misspelt_option_is_told_with_the_one_that_was_meant, help_fits_the_width_of_the_page,
          the_reference_has_every_option_with_default_range_and_meaning, no_option_is_of_any_type,
          lines_of_help_are_filled)
