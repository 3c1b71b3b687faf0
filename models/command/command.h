/* The `norma` command: what its subcommands share. Each subcommand is one file and one row of the
 * table in main.c; its usage, help, man page and shell completion come from its descriptor. */
#ifndef NM_MODELS_COMMAND_COMMAND_H
#define NM_MODELS_COMMAND_COMMAND_H

#include <stdio.h>
#include <time.h>

#include "norma.h"

/* Exit codes: as the README promises. A run that a signal ended adds its number to the last. */
enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_INPUT = 2, EXIT_SIGNAL = 128 };

typedef struct command_flag {
    const char *name;  /* "--out" */
    const char *value; /* what it takes, for the usage: "DIR"; NULL: nothing */
    const char *doc;   /* one line */
} command_flag;

typedef struct command command;

#define MAX_FLAGS 12
#define MAX_VALUES 64 /* values of all flags together, and positional arguments */

/* Parsed arguments. */
typedef struct arguments {
    const command *command;
    const command *const *commands; /* all there are; NULL-terminated */
    char **words;                   /* as they were given, behind the command's name */
    int word_count;
    int count; /* positional */
    const char *positional[MAX_VALUES];
    int values;
    struct {
        int flag; /* index into the command's flags */
        const char *value;
    } value[MAX_VALUES];
} arguments;

struct command {
    const char *name;
    const char *usage;   /* positional arguments: "FILE", "[OP...]" */
    const char *summary; /* one line */
    const char *doc;     /* some lines */
    command_flag flags[MAX_FLAGS];
    int least, most; /* positional arguments; most -1: any number */
    int (*run)(nm_context *context, const arguments *arguments);
};

/* The flag at `index`, from 0: the command's own, then those that every command takes. NULL: none.
 */
const command_flag *flag_at(const command *command, int index);
int own_flags(const command *command); /* how many of them are its own */

/* The value of a flag's last appearance, "" for one without value, NULL if it was not given. */
const char *argument_value(const arguments *arguments, const char *flag);
/* The n-th value of a flag that may be repeated, from 0; NULL after the last. */
const char *argument_nth(const arguments *arguments, const char *flag, int n);
/* All values of it, in order; returns how many. */
int argument_list(const arguments *arguments, const char *flag, const char *values[MAX_VALUES]);

/* A run of the command, as far as messages need it: to show the --set or the line of a file that is
 * wrong, unless the file was changed since. */
typedef struct session {
    const arguments *arguments;
    struct timespec begun;
} session;

void session_begin(session *session, const arguments *arguments);
/* The session, which must outlive the context, goes with its errors. */
void session_attach(const session *session, nm_context *context);
/* A context's log; `user` is the session. */
void tell_warning(void *user, nm_log_level level, const char *message);

/* Prints the context's error to standard error; returns the exit code that goes with it. */
int report_error(nm_context *context);
/* A message of the command's own: "norma: ...", then exit code 2. */
int bad_usage(const char *format, ...) NM_PRINTF(1, 2);
/* What the program is called, which has nm_main() perhaps under a name of its own; and as it was
 * called, for commands that are to be typed again. */
const char *program_name(void);
const char *program_word(void);

/* Whether to use colours on a stream: a terminal, and neither NO_COLOR nor TERM=dumb. */
bool use_colour(int descriptor);
/* Around a heading on standard output: escape sequences, or "" where colours are not used. */
const char *bold(void);
const char *plain(void);

/* Words in one line, each in quotes where the shell would take it for something else: what a
 * person is to paste. New memory, free with nm_free(); NULL if there is none. */
char *shell_words(nm_context *context, const char *const *words, int count);

/* ---- Text that wraps ---- */

/* Prints `text` wrapped to the terminal's width (at most 100), every line indented. */
void print_wrapped(const char *text, int indent);
/* The same where `column` columns of the first line are printed already. */
void print_wrapped_from(int column, const char *text, int indent);
/* The columns of a terminal that UTF-8 takes, where every character takes one. */
int text_width(const char *text);
/* `text`, and blanks up to `width` columns behind it, or, where that is negative, before it. */
void print_padded(const char *text, int width);
/* The shortest text that reads back as the same f32; returns `text`. */
char *format_f32(double value, char text[32]);

/* What samples and targets are and what is done to them, a row a column. */
void print_data_table(const nm_schema *schema);
/* The same as JSON lines, a column each; an array has one for a sample. False if they cannot be
 * written. */
bool print_data_json(const nm_schema *schema);

/* ---- The reference, as Markdown ---- */

void print_reference(nm_context *context);

/* ---- Kinds of what is registered ---- */

/* From what is written in YAML to what lies below: ops are the last. */
extern const nm_kind kinds_in_order[NM_KIND_COUNT];
#define KIND_TITLE 32
const char *kind_title(nm_kind kind, char title[KIND_TITLE]);   /* "Layers", "Losses" */
const char *kind_plural(nm_kind kind, char plural[KIND_TITLE]); /* "layers", "losses" */

/* ---- JSON lines ---- */

/* One object on one line: `json_line line = {0};`, its fields, its end. */
typedef struct json_line {
    int fields; /* so far */
    FILE *to;   /* NULL: standard output */
} json_line;

void json_string(json_line *line, const char *key, const char *value); /* NULL value: null */
void json_number(json_line *line, const char *key, double value);      /* not finite: null */
void json_bool(json_line *line, const char *key, bool value);
void json_integer(json_line *line, const char *key, int64_t value);
/* A list: `count` values of an f32 tensor, from `first`. */
void json_numbers(json_line *line, const char *key, nm_tensor *tensor, int64_t first,
                  int64_t count);
/* An object in a line: its fields go to what is returned, which json_object_end() ends. */
json_line json_object(json_line *line, const char *key);
/* The same as an element of a list, between json_list() and json_list_end(); `index` from 0. */
json_line json_element(json_line *line, int64_t index);
void json_object_end(const json_line *object);
void json_list(json_line *line, const char *key);
void json_inner_list(json_line *line, int64_t index); /* a list in a list */
void json_item(json_line *line, int64_t index, int64_t value);
void json_list_end(json_line *line);
void json_strings(json_line *line, const char *key, const char *const *values, int64_t count);
void json_doubles(json_line *line, const char *key, const double *values, int64_t count);
void json_shape(json_line *line, const char *key, const nm_shape *shape);
/* Ends and flushes the line. False if it cannot be written: stop then. Of standard output, main()
 * says so, and makes EXIT_FAILED of EXIT_FINE. */
bool json_end(const json_line *line);
/* Text in its quotes, as it stands in such a line. */
void json_text(FILE *to, const char *text);

/* ---- Metrics ---- */

#define METRICS_TEXT 512 /* room for those of a set */

/* ", accuracy 92.40 %, f1 0.9151": each that has a value. Returns `text`. */
char *describe_metrics(char *text, size_t size, const nm_choices *metrics, const double *values);
/* The same with the interval of each share, of so many rows. */
char *describe_results(char *text, size_t size, const nm_choices *metrics, const double *values,
                       int64_t rows);
#define SCORE_TEXT 96
/* "92.40 %", "0.9151": a value of one metric, or of the loss (NULL). Returns `text`. */
char *describe_score(char text[SCORE_TEXT], const nm_choice *metric, double value);
/* " (95 % interval 86.3 to 98.3, 60 rows)": nm_wilson_interval() in percent, of a metric that is a
 * share of so many samples; "" of others. Returns `text`. */
char *describe_interval(char text[SCORE_TEXT], const nm_choice *metric, double value, int64_t rows);
/* What that means where the rows are few: a line on standard output, or nothing. */
void print_few(const nm_choices *metrics, int64_t rows);
/* "1.72 points lower", "0.0092 higher", "the same": from one value to another. Returns `text`. */
char *describe_gap(char text[SCORE_TEXT], const nm_choice *metric, double from, double to);
/* A field each, called `prefix` and the metric's name. */
void json_metrics(json_line *line, const char *prefix, const nm_choices *metrics,
                  const double *values);
/* The interval of each that is a share: the same, with "_low" and "_high" behind. */
void json_intervals(json_line *line, const char *prefix, const nm_choices *metrics,
                    const double *values, int64_t rows);
#define BASELINE_TEXT 96
/* " (commonest class: 33.33 %)": what the guess of that name got by the first metric or, without
 * one, by the loss; "" if there is none. Returns `text`. */
char *describe_baseline(char text[BASELINE_TEXT], const char *name, const nm_choices *metrics,
                        const nm_evaluation *guess);
/* Its loss and metrics: `prefix`, "baseline_" and what they are. */
void json_baseline(json_line *line, const char *prefix, const nm_choices *metrics,
                   const nm_evaluation *guess);
bool has_metric(const nm_choices *metrics, const char *name);

/* ---- The subcommands ---- */

extern const command command_train, command_eval, command_predict, command_check, command_new,
    command_calibrate, command_ops, command_bench, command_help, command_gradcheck, command_op,
    command_version, command_completion, command_find_rate, command_study, command_plot,
    command_report, command_quantize;

#endif
