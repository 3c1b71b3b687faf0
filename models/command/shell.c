/* Words as a shell takes them. */
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"
#include "models/command/text_stream.h"

static bool is_plain(const char *word)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "_@%+:,./-";
    return *word && word[strspn(word, safe)] == 0;
}

static bool has_control(const char *word)
{
    for (; *word; word++) {
        if ((unsigned char)*word < ' ' || *word == 127) {
            return true;
        }
    }
    return false;
}

/* '...', in which only a quote means something. */
static void put_single(FILE *to, const char *word)
{
    fputc('\'', to);
    for (; *word; word++) {
        fputs(*word == '\'' ? "'\\''" : (const char[]){*word, 0}, to);
    }
    fputc('\'', to);
}

/* $'...', so that a terminal is not told anything by the word. */
static void put_escaped(FILE *to, const char *word)
{
    fputs("$'", to);
    for (; *word; word++) {
        unsigned char c = (unsigned char)*word;
        if (c < ' ' || c == 127) {
            fprintf(to, "\\%03o", c);
        } else {
            fprintf(to, c == '\'' || c == '\\' ? "\\%c" : "%c", c);
        }
    }
    fputc('\'', to);
}

static void put_word(FILE *to, const char *word)
{
    if (is_plain(word)) {
        fputs(word, to);
    } else {
        (has_control(word) ? put_escaped : put_single)(to, word);
    }
}

char *shell_words(nm_context *context, const char *const *words, int count)
{
    text_stream s;
    FILE *to = text_begin(&s, context);
    for (int i = 0; to && i < count; i++) {
        fputs(i ? " " : "", to);
        put_word(to, words[i]);
    }
    return text_end(&s);
}
