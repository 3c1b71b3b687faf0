#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"
#include "models/command/train/path.h"
#include "norma_command.h"

static const command *const commands[] = {
    &command_train,
    &command_eval,
    &command_predict,
    &command_calibrate,
    &command_quantize,
    &command_find_rate,
    &command_plot,
    &command_report,
    &command_study,
    &command_check,
    &command_ops,
    &command_help,
    &command_bench,
    &command_gradcheck,
    &command_op,
    &command_new,
    &command_completion,
    &command_version,
    NULL,
};

/* ---- Parsing ---- */

/* The option of a network's file that has this name, or that others call so; NULL: none. */
static const char *find_option(const nm_spec *spec, const char *name)
{
    for (int i = 0; i < spec->count; i++) {
        const nm_option *option = &spec->options[i];
        if (!strcmp(option->name, name) || (option->also && nm_words_have(option->also, name))) {
            return option->name;
        }
    }
    return NULL;
}

/* --epochs 3: what is set in the file, for commands that take --set. False: there is no such
 * option. */
static bool is_set_in_the_file(const command *c, const char *text)
{
    char name[64];
    bool sets = false;
    snprintf(name, sizeof name, "%s", text + strspn(text, "-"));
    for (char *at = name; *at; at++) {
        *at = (char)(*at == '-' ? '_' : *at); /* --batch-size */
    }
    for (int i = 0; flag_at(c, i); i++) {
        sets |= strcmp(flag_at(c, i)->name, "--set") == 0;
    }
    const char *train = find_option(&nm_train_spec, name), *data = find_option(&nm_data_spec, name);
    if (sets && (train || data)) {
        bad_usage("%s: unknown option %s; it is set in the file, or by --set %s.%s=VALUE", c->name,
                  text, train ? "train" : "data", train ? train : data);
        return true;
    }
    return false;
}

/* -o: the option that begins so; NULL: none, or it is more than a letter. */
static const char *find_by_letter(const command *c, const char *text)
{
    for (int i = 0; strlen(text) == 2 && flag_at(c, i); i++) {
        if (flag_at(c, i)->name[2] == text[1]) {
            return flag_at(c, i)->name;
        }
    }
    return NULL;
}

static int unknown_flag(const command *c, const char *text)
{
    const char *names[2 * MAX_FLAGS];
    int count = 0;
    if (is_set_in_the_file(c, text)) {
        return EXIT_INPUT;
    }
    for (; count < 2 * MAX_FLAGS && flag_at(c, count); count++) {
        names[count] = flag_at(c, count)->name;
    }
    const char *letter = find_by_letter(c, text);
    const char *near = letter ? letter : nm_nearest(text, names, count);
    if (near) {
        return bad_usage("%s: unknown option %s; did you mean %s?", c->name, text, near);
    }
    return bad_usage("%s: unknown option %s; `%s help %s` lists them", c->name, text,
                     program_name(), c->name);
}

static bool writes(const command_flag *flag)
{
    return !strcmp(flag->name, "--out") || !strcmp(flag->name, "--svg");
}

/* --out -: a file called so would be a surprise. `norma op` leaves an output out by it. */
static bool is_no_place(const command *c, const command_flag *flag, const char *value)
{
    return writes(flag) && strcmp(value, "-") == 0 && c != &command_op;
}

/* Takes one "--flag", "--flag value" or "--flag=value"; moves `at` past it. */
static int parse_flag(arguments *a, char **words, int count, int *at)
{
    const command *c = a->command;
    char name[64];
    const char *word = words[*at];
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    snprintf(name, sizeof name, "%.*s", (int)(length < 63 ? length : 63), word);
    int index = 0;
    while (flag_at(c, index) && strcmp(flag_at(c, index)->name, name) != 0) {
        index++;
    }
    const command_flag *flag = flag_at(c, index);
    if (!flag) {
        return unknown_flag(c, name);
    }
    const char *value = "";
    if (!flag->value && equals) {
        return bad_usage("%s: %s takes no value", c->name, name);
    }
    if (flag->value) {
        value = equals ? equals + 1 : *at + 1 < count ? words[++*at] : NULL;
        if (!value) {
            return bad_usage("%s: %s needs a value: %s %s", c->name, name, name, flag->value);
        }
        if (is_no_place(c, flag, value)) {
            return bad_usage("%s: %s is a %s's name, not standard output; give one: %s %s", c->name,
                             name, strcmp(flag->value, "DIR") == 0 ? "folder" : "file", name,
                             flag->value);
        }
    }
    if (a->values == MAX_VALUES) {
        return bad_usage("%s: more than %d options", c->name, MAX_VALUES);
    }
    a->value[a->values].flag = index;
    a->value[a->values++].value = value;
    return EXIT_FINE;
}

static int parse(arguments *a, char **words, int count)
{
    const command *c = a->command;
    bool only_positional = false;
    for (int i = 0; i < count; i++) {
        if (!only_positional && strcmp(words[i], "--") == 0) {
            only_positional = true;
        } else if (!only_positional && words[i][0] == '-' && words[i][1]) {
            int code = parse_flag(a, words, count, &i);
            if (code != EXIT_FINE) {
                return code;
            }
        } else if (a->count == MAX_VALUES) {
            return bad_usage("%s: more than %d arguments", c->name, MAX_VALUES);
        } else {
            a->positional[a->count++] = words[i];
        }
    }
    if (c->most >= 0 && a->count > c->most && argument_value(a, "--resume")) {
        return bad_usage("%s: --resume takes no value; to go on with %s: --resume --out %s",
                         c->name, a->positional[a->count - 1], a->positional[a->count - 1]);
    }
    if (a->count < c->least || (c->most >= 0 && a->count > c->most)) {
        return bad_usage("%s: %s; usage: %s %s %s", c->name,
                         a->count < c->least ? "an argument is missing" : "too many arguments",
                         program_name(), c->name, c->usage);
    }
    return EXIT_FINE;
}

/* What the n-th argument has to read: a positional one, or the value of an option; NULL: nothing.
 */
static const char *read_by(const arguments *a, int n)
{
    if (n < a->count) {
        return a->positional[n];
    }
    const command_flag *flag = flag_at(a->command, a->value[n - a->count].flag);
    return flag->value && !writes(flag) ? a->value[n - a->count].value : NULL;
}

/* `norma predict r new.csv --out new.csv`: what is read would be gone. */
static int check_outputs(const arguments *a)
{
    for (int i = 0; i < a->values; i++) {
        const char *out = a->value[i].value;
        const command_flag *flag = flag_at(a->command, a->value[i].flag);
        for (int n = 0; writes(flag) && n < a->count + a->values; n++) {
            const char *in = read_by(a, n);
            if (in && is_file(out) && is_same_file(in, out)) {
                return bad_usage("%s: %s %s would replace what is read there; give it another name",
                                 a->command->name, flag->name, out);
            }
        }
    }
    return EXIT_FINE;
}

/* ---- Dispatch ---- */

static const command *find_command(const char *name)
{
    for (int i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static const char *nearest_command(const char *name)
{
    const char *names[NM_COUNT_OF(commands)];
    int count = 0;
    for (; commands[count]; count++) {
        names[count] = commands[count]->name;
    }
    return nm_nearest(name, names, count);
}

static int unknown_command(const char *name)
{
    const char *near = nearest_command(name);
    if (near) {
        return bad_usage("unknown command \"%s\"; did you mean \"%s\"?", name, near);
    }
    return bad_usage("unknown command \"%s\"; `%s help` lists them", name, program_name());
}

/* A program that goes on with half of the results would be misled by exit code 0. Where something
 * else failed, that was told already. */
static int finish_output(int code)
{
    errno = 0;
    bool failed = fflush(stdout) != 0 || ferror(stdout);
    if (!failed || code != EXIT_FINE) {
        return code;
    }
    const char *reason = errno ? strerror(errno) : "it was closed or is full";
    bad_usage("cannot write to standard output: %s", reason);
    return EXIT_FAILED;
}

/* Where 0, 1 or 2 is closed, the next file opened would get its number, and what is printed would
 * end up in a checkpoint. They are opened the wrong way round, so that using them still fails. */
static void keep_standard_files(void)
{
    for (int descriptor = 0; descriptor < 3; descriptor++) {
        if (fcntl(descriptor, F_GETFD) == -1) {
            (void)!open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY);
        }
    }
}

typedef nm_status init_fn(nm_context *context);

/* What --plugin and --load-plugins say. */
static void load_plugins(nm_context *context, const arguments *a)
{
    const char *path;
    for (int i = 0; (path = argument_nth(a, "--plugin", i)); i++) {
        if (nm_plugin_load(context, path) != NM_OK) {
            return;
        }
    }
    nm_plugin_allow(context, argument_value(a, "--load-plugins") != NULL);
}

/* A run's folder where a network's file is wanted: that file is in it. */
static nm_status check_file(nm_context *context, const arguments *a)
{
    const char *given = a->count ? a->positional[0] : "";
    char file[RUN_PATH];
    if (strcmp(a->command->usage, "FILE") != 0 || !folder_holds(given, "network.yaml") ||
        !path_join(file, given, "network.yaml")) {
        return NM_OK;
    }
    const bool resumes = argument_value(a, "--resume") && !argument_value(a, "--out");
    const char *const words[] = {program_word(), a->command->name, file,
                                 "--resume",     "--out",          given};
    char *line = shell_words(context, words, resumes ? 6 : 3);
    nm_fail(context, NM_ERROR_INPUT, "%s: %s is a run's folder; its network's file is in it: %s",
            a->command->name, given, line ? line : file);
    nm_free(context, line);
    return nm_context_status(context);
}

/* With what the program registers itself. */
static int run_in(nm_context *context, const arguments *a, init_fn *init)
{
    nm_status status = nm_context_status(context);
    if (status == NM_OK && init && (status = init(context)) != NM_OK) {
        nm_fail(context, status, "what the program registers could not be registered");
    }
    if (nm_context_status(context) == NM_OK && check_file(context, a) == NM_OK) {
        load_plugins(context, a);
    }
    const int code = nm_context_status(context) == NM_OK ? a->command->run(context, a) : EXIT_FINE;
    return code == EXIT_FINE && nm_context_status(context) != NM_OK ? report_error(context) : code;
}

static int run(const command *c, char **words, int count, init_fn *init)
{
    arguments a = {.command = c, .commands = commands, .words = words, .word_count = count};
    int code = parse(&a, words, count);
    code = code == EXIT_FINE ? check_outputs(&a) : code;
    if (code != EXIT_FINE) {
        return code;
    }
    session s;
    session_begin(&s, &a);
    nm_context *context = nm_open(&(nm_context_options){.log = tell_warning, .log_user = &s});
    if (!context) {
        fprintf(stderr, "%s: out of memory\n", program_name());
        return EXIT_FAILED;
    }
    session_attach(&s, context);
    code = run_in(context, &a, init);
    nm_close(context);
    return finish_output(code);
}

int nm_main(int argc, char **argv, nm_status (*init)(nm_context *context))
{
    keep_standard_files();
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of the write, with its name */
    if (argc < 2 || !argv || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return run(&command_help, NULL, 0, init);
    }
    if (strcmp(argv[1], "--version") == 0) {
        return run(&command_version, NULL, 0, init);
    }
    const command *c = find_command(argv[1]);
    if (!c) {
        return unknown_command(argv[1]);
    }
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            char *name[] = {argv[1]};
            return run(&command_help, name, 1, init);
        }
    }
    return run(c, argv + 2, argc - 2, init);
}
