/* norma new: a folder with a plugin that compiles and passes its check, to begin from. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/command/command.h"
#include "models/command/templates.h" /* templates: made by meson.build */
#include "models/command/train/folder.h"

#define PLACE "NAME" /* in a template, where the name goes */

/* The template with the name in it: new memory; NULL on failure. */
static char *fill_in(nm_context *context, const char *text, const char *name)
{
    size_t size = 1;
    for (const char *at = text; *at; at++) {
        size += strncmp(at, PLACE, strlen(PLACE)) == 0 ? strlen(name) : 1;
    }
    char *filled = nm_alloc(context, size), *to = filled;
    while (filled && *text) {
        const bool place = strncmp(text, PLACE, strlen(PLACE)) == 0;
        const char *from = place ? name : text;
        const size_t length = place ? strlen(name) : 1;
        memcpy(to, from, length);
        to += length;
        text += place ? strlen(PLACE) : 1;
    }
    if (filled) {
        *to = 0;
    }
    return filled;
}

static nm_status write_text(nm_context *context, const char *path, const char *text)
{
    nm_file *file = nm_file_create(context, path);
    nm_status status = file ? nm_file_write(file, text, strlen(text)) : nm_context_status(context);
    if (status == NM_OK) {
        return nm_file_commit(file);
    }
    nm_file_abandon(file);
    return status;
}

/* Where a template goes: its file's name may begin with the place. */
static bool find_path(int i, const char *folder, const char *name, char path[RUN_PATH])
{
    const char *file = templates[i].file;
    const bool place = strncmp(file, PLACE, strlen(PLACE)) == 0;
    char own[RUN_PATH];
    snprintf(own, sizeof own, "%s%s", place ? name : "", place ? file + strlen(PLACE) : file);
    return path_join(path, folder, own);
}

static nm_status write_one(nm_context *context, const char *folder, int i, const char *name)
{
    char path[RUN_PATH];
    find_path(i, folder, name, path);
    char *text = fill_in(context, templates[i].text, name);
    const nm_status status = text ? write_text(context, path, text) : NM_ERROR_MEMORY;
    if (status == NM_OK) {
        printf("%s\n", path);
    }
    nm_free(context, text);
    return status;
}

/* How many bytes of the path name what is there already, and the first that is not. */
static size_t first_missing(const char *path)
{
    char part[RUN_PATH];
    for (size_t i = 1; path[i]; i++) {
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (path[i] == '/' && !path_exists(part)) {
            return i;
        }
    }
    return strlen(path);
}

/* Takes back what was written into a folder that was not there before, and the folders from that
 * of `first` bytes on; asks for no memory. */
static void remove_all(const char *folder, size_t first, const char *kind, const char *name)
{
    char path[RUN_PATH];
    for (int i = 0; i < NM_COUNT_OF(templates); i++) {
        if (strcmp(templates[i].kind, kind) == 0 && find_path(i, folder, name, path)) {
            unlink(path);
        }
    }
    for (size_t i = strlen(folder); i >= first; i--) {
        if (folder[i] == '/' || !folder[i]) {
            snprintf(path, sizeof path, "%.*s", (int)i, folder);
            rmdir(path);
        }
    }
}

static bool are_paths_short_enough(const char *folder, const char *kind, const char *name)
{
    char path[RUN_PATH];
    for (int i = 0; i < NM_COUNT_OF(templates); i++) {
        if (strcmp(templates[i].kind, kind) == 0 && !find_path(i, folder, name, path)) {
            return false;
        }
    }
    return true;
}

static bool is_kind(const char *kind)
{
    for (int i = 0; i < NM_COUNT_OF(templates); i++) {
        if (strcmp(templates[i].kind, kind) == 0) {
            return true;
        }
    }
    return false;
}

/* As registration has it, and not a name that is part of another in a template. */
static bool is_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return islower((unsigned char)*name) && !name[length] && length < 60;
}

/* A word of C, C++ or the templates: `norma new op double` would not compile. */
static bool is_reserved(const char *name)
{
    static const char *const words[] = {
        "auto",     "break",    "case",      "char",    "const",    "continue",  "default",
        "do",       "double",   "else",      "enum",    "extern",   "float",     "for",
        "goto",     "if",       "inline",    "int",     "long",     "register",  "restrict",
        "return",   "short",    "signed",    "sizeof",  "static",   "struct",    "switch",
        "typedef",  "union",    "unsigned",  "void",    "volatile", "while",     "bool",
        "class",    "delete",   "export",    "friend",  "mutable",  "namespace", "new",
        "operator", "private",  "protected", "public",  "template", "this",      "throw",
        "try",      "typename", "using",     "virtual", "defaults", "rows",      "spec",
        "init",     "main",
    };
    for (int i = 0; i < NM_COUNT_OF(words); i++) {
        if (strcmp(words[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static int check_names(nm_context *context, const char *kind, const char *name)
{
    if (!is_kind(kind)) {
        return bad_usage("new: \"%s\" is neither op nor layer, which can be begun so", kind);
    }
    if (!is_name(name)) {
        return bad_usage(
            "new: \"%s\" is no name: it has small letters, digits and underscores, and "
            "begins with a letter",
            name);
    }
    if (is_reserved(name)) {
        return bad_usage("new: \"%s\" is a word of C, C++ or the templates; choose another", name);
    }
    const bool taken = nm_find(context, strcmp(kind, "op") == 0 ? NM_KIND_OP : NM_KIND_LAYER, name);
    return taken ? bad_usage("new: the %s \"%s\" is there already; choose another name", kind, name)
                 : EXIT_FINE;
}

static int run_new(nm_context *context, const arguments *a)
{
    const char *kind = a->positional[0], *name = a->positional[1];
    const char *folder = argument_value(a, "--out");
    folder = folder ? folder : name;
    const int code = check_names(context, kind, name);
    if (code != EXIT_FINE) {
        return code;
    }
    if (access(folder, F_OK) == 0) {
        return bad_usage("new: %s is there already; give another folder with --out", folder);
    }
    if (!are_paths_short_enough(folder, kind, name)) {
        return bad_usage("new: the path is too long: %.80s...", folder);
    }
    const size_t first = first_missing(folder);
    nm_folder_create(context, folder);
    for (int i = 0; i < NM_COUNT_OF(templates) && nm_context_status(context) == NM_OK; i++) {
        if (strcmp(templates[i].kind, kind) == 0) {
            write_one(context, folder, i, name);
        }
    }
    if (nm_context_status(context) != NM_OK) {
        remove_all(folder, first, kind, name);
        return report_error(context);
    }
    fprintf(stderr,
            "It compiles and passes its check as it is: meson setup %s/build %s && meson "
            "test -C %s/build\n",
            folder, folder, folder);
    return EXIT_FINE;
}

const command command_new = {
    .name = "new",
    .usage = "KIND NAME",
    .summary = "begin a plugin with an op or a layer of your own",
    .doc =
        "Writes a folder NAME with a plugin that compiles against an installed Norma, in C as in "
        "C++, and passes its gradient check as it is: NAME.c, meson.build, README.md, and "
        "net.yaml, a network that uses it. KIND is op or layer.",
    .flags = {{"--out", "DIR", "the folder; default: NAME"}},
    .least = 2,
    .most = 2,
    .run = run_new,
};
