#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "models/command/command.h"

/* ---- Values ---- */

static const command_flag common_flags[] = {
    {"--plugin", "FILE",
     "load a plugin, a shared object with more ops, layers or others; may be repeated"},
    {"--load-plugins", NULL,
     "let the network's file load the plugins that it names: they are code"},
};

int own_flags(const command *c)
{
    int count = 0;
    while (count < MAX_FLAGS && c->flags[count].name) {
        count++;
    }
    return count;
}

const command_flag *flag_at(const command *c, int index)
{
    const int own = own_flags(c);
    if (index < own) {
        return &c->flags[index];
    }
    return index - own < NM_COUNT_OF(common_flags) ? &common_flags[index - own] : NULL;
}

static int flag_index(const command *c, const char *name)
{
    for (int i = 0; flag_at(c, i); i++) {
        if (strcmp(flag_at(c, i)->name, name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *argument_nth(const arguments *a, const char *flag, int n)
{
    int index = flag_index(a->command, flag);
    for (int i = 0; i < a->values; i++) {
        if (a->value[i].flag == index && n-- == 0) {
            return a->value[i].value;
        }
    }
    return NULL;
}

int argument_list(const arguments *a, const char *flag, const char *values[MAX_VALUES])
{
    int count = 0;
    for (const char *value; (value = argument_nth(a, flag, count)); count++) {
        values[count] = value;
    }
    return count;
}

const char *argument_value(const arguments *a, const char *flag)
{
    const char *last = NULL, *value;
    for (int n = 0; (value = argument_nth(a, flag, n)); n++) {
        last = value;
    }
    return last;
}

/* ---- Terminals ---- */

bool use_colour(int descriptor)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(descriptor) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

const char *bold(void)
{
    return use_colour(STDOUT_FILENO) ? "\033[1m" : "";
}

const char *plain(void)
{
    return use_colour(STDOUT_FILENO) ? "\033[0m" : "";
}

static int terminal_width(void)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 40) {
        return 80;
    }
    return size.ws_col < 100 ? size.ws_col : 100;
}

/* Lines that begin with a space are kept as they are. Of others, a break within a sentence is no
 * more than a blank. */
static int line_length(const char *text)
{
    size_t length = strcspn(text, "\n");
    while (*text != ' ' && length && text[length] && !strchr(".:;", text[length - 1]) &&
           !strchr(" \n", text[length + 1])) {
        length += 1 + strcspn(text + length + 1, "\n");
    }
    return (int)length;
}

/* How much of a line of `length` bytes goes into `width` columns: up to a blank, or its first word.
 */
static int fitting(const char *text, int length, int width)
{
    if (length <= width || *text == ' ') {
        return length;
    }
    int fits = width;
    while (fits > 0 && text[fits] != ' ' && text[fits] != '\n') {
        fits--;
    }
    return fits > 0 ? fits : (int)strcspn(text, " \n");
}

static void print_line(const char *text, int length)
{
    for (int i = 0; i < length; i++) {
        putchar(text[i] == '\n' ? ' ' : text[i]);
    }
    putchar('\n');
}

void print_wrapped_from(int column, const char *text, int indent)
{
    const int width = terminal_width();
    for (bool first = true; *text || first; first = false) {
        const int at = first ? column : indent;
        const int length = fitting(text, line_length(text), width - at);
        printf("%*s", first || !length ? 0 : indent, "");
        print_line(text, length);
        text += length;
        text += *text == ' ' || *text == '\n';
    }
}

void print_wrapped(const char *text, int indent)
{
    if (*text) {
        printf("%*s", *text == '\n' ? 0 : indent, "");
        print_wrapped_from(indent, text, indent);
    }
}

int text_width(const char *text)
{
    int width = 0;
    for (; *text; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

void print_padded(const char *text, int width)
{
    const int blanks = (width < 0 ? -width : width) - text_width(text);
    printf("%*s%s%*s", width < 0 && blanks > 0 ? blanks : 0, "", text,
           width > 0 && blanks > 0 ? blanks : 0, "");
}
