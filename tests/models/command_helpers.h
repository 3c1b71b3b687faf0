/* What the tests of the command share: running it as a user does, and reading what it says. */
#ifndef NM_TESTS_MODELS_COMMAND_HELPERS_H
#define NM_TESTS_MODELS_COMMAND_HELPERS_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "norma.h"

#include "tests/test.h"

#define MAX_TEXT (1 << 19)
#define MAX_WORDS 32

/* How a command is run: in the test's folder, its output going to files there. */
typedef struct running_options {
    const char *out;      /* another place for standard output; "-": closed */
    int err;              /* another descriptor for standard error; 0: a file */
    const char *variable; /* set in the environment, */
    const char *set_to;   /* to this */
    rlim_t file_limit;    /* files cannot grow beyond: a full disk; 0: they can */
    int ignores; /* a signal that it finds ignored; 0: none, however the tests were started */
} running_options;

typedef struct ended {
    int code; /* exit code; -signal where one ended it */
    char out[MAX_TEXT], err[MAX_TEXT];
} ended;

static inline char *read_text(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s is not there", path);
    char *text = malloc(MAX_TEXT);
    *size = fread(text, 1, MAX_TEXT - 1, file);
    ck_assert_uint_lt(*size, MAX_TEXT - 1);
    text[*size] = 0;
    fclose(file);
    return text;
}

static inline const char *build_file(char path[512], const char *variable, const char *name)
{
    const char *folder = getenv(variable);
    ck_assert_msg(folder != NULL, "run by meson test, or set %s", variable);
    snprintf(path, 512, "%s/%s", folder, name);
    return path;
}

static inline void redirect(int to, const char *path)
{
    close(to); /* which the next file opened takes the place of */
    int opened = strcmp(path, "-") == 0 ? to : open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (opened != to) {
        _exit(126);
    }
}

/* Signals as a terminal's shell has them: nohup and background jobs of scripts ignore some, and
 * whoever runs the tests from there would hand that on. */
static inline void reset_signals(int ignores)
{
    static const int all[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGXFSZ};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        signal(all[i], all[i] == ignores ? SIG_IGN : SIG_DFL);
    }
}

/* In the child. */
static inline void become(const char *const *words, running_options o)
{
    char program[512];
    const char *command[MAX_WORDS + 1] = {build_file(program, "NORMA_BUILD", "norma")};
    for (int i = 0; words[i] && i + 1 < MAX_WORDS; i++) {
        command[i + 1] = words[i];
    }
    reset_signals(o.ignores);
    unsetenv("NO_COLOR");
    if (o.variable) {
        setenv(o.variable, o.set_to, 1);
    }
    if (o.err) {
        dup2(o.err, 2);
    } else {
        redirect(2, test_path("stderr"));
    }
    redirect(1, o.out ? o.out : test_path("stdout")); /* last: a closed one stays closed */
    if (o.file_limit) {
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){o.file_limit, o.file_limit});
        setenv("GCOV_PREFIX", test_path("counts"), 1); /* of a coverage build: there they fit */
    }
    if (chdir(test_folder()) == 0) {
        execv(program, (char *const *)(uintptr_t)command);
    }
    _exit(127);
}

static inline pid_t start(const char *const *words, running_options o)
{
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        become(words, o);
    }
    return child;
}

/* Waits for it; the result is valid until the next one. */
static inline const ended *finish(pid_t child)
{
    static ended e;
    int status;
    size_t size;
    pid_t waited;
    do {
        waited = waitpid(child, &status, 0);
    } while (waited < 0 && errno == EINTR);
    ck_assert_msg(waited == child, "waitpid: %s", waited < 0 ? strerror(errno) : "another child");
    e.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    char *out = read_text(test_path("stdout"), &size), *err = read_text(test_path("stderr"), &size);
    strcpy(e.out, out);
    strcpy(e.err, err);
    free(out);
    free(err);
    return &e;
}

/* norma("train", "net.yaml") runs it to its end. */
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define norma(...) finish(start(WORDS(__VA_ARGS__), (running_options){0}))

/* `e` and `expected` are computed once: finish() waits for a child that is then gone. */
#define assert_code(e, expected)                                                                   \
    do {                                                                                           \
        const ended *ended_ = (e);                                                                 \
        int code_ = (expected);                                                                    \
        ck_assert_msg(ended_->code == code_, "exit code %d, not %d: %s%s", ended_->code, code_,    \
                      ended_->out, ended_->err);                                                   \
    } while (0)
#define assert_says(text, part)                                                                    \
    do {                                                                                           \
        const char *text_ = (text), *part_ = (part);                                               \
        ck_assert_msg(strstr(text_, part_) != NULL, "\"%s\" does not contain \"%s\"", text_,       \
                      part_);                                                                      \
    } while (0)

static inline void write_text(const char *name, const char *text)
{
    test_write_file(test_path(name), text, strlen(text));
}

static inline bool is_there(const char *name)
{
    return access(test_path(name), F_OK) == 0;
}

/* ---- A network that trains in a moment ---- */

static const char network[] = "model:\n"
                              "  - dense: {units: 16, bias: false}\n"
                              "  - batch_norm\n"
                              "  - relu\n"
                              "  - dense: {units: 2}\n"
                              "data:\n"
                              "  train: {spirals: {points: 400, seed: 1}}\n"
                              "  test: {spirals: {points: 100, seed: 2}}\n"
                              "  batch: 40\n"
                              "loss: cross_entropy\n"
                              "train:\n"
                              "  epochs: 3\n"
                              "  optimizer: {sgd: {rate: 0.1, momentum: 0.9}}\n"
                              "  schedule: cosine\n";

static inline void assert_same_bytes(const char *one, const char *other)
{
    size_t size[2];
    char *bytes[2] = {read_text(test_path(one), &size[0]), read_text(test_path(other), &size[1])};
    ck_assert_msg(size[0] == size[1] && memcmp(bytes[0], bytes[1], size[0]) == 0,
                  "%s and %s differ", one, other);
    free(bytes[0]);
    free(bytes[1]);
}

/* ---- JSON ---- */

static inline bool json_value(const char **at);

static inline bool json_text(const char **at)
{
    if (*(*at)++ != '"') {
        return false;
    }
    while (**at != '"') {
        if ((unsigned char)**at < 0x20) {
            return false;
        }
        *at += **at == '\\' ? 2 : 1;
    }
    (*at)++;
    return true;
}

/* "[1, 2]" or, with keys, "{"a": 1}" */
static inline bool json_items(const char **at, char close, bool keys)
{
    for ((*at)++; **at != close;) {
        if (keys && (!json_text(at) || *(*at)++ != ':')) {
            return false;
        }
        *at += strspn(*at, " ");
        if (!json_value(at)) {
            return false;
        }
        if (**at == ',') {
            *at += 1 + strspn(*at + 1, " ");
        } else if (**at != close) {
            return false;
        }
    }
    (*at)++;
    return true;
}

static inline bool json_value(const char **at)
{
    if (**at == '{' || **at == '[') {
        return json_items(at, **at == '{' ? '}' : ']', **at == '{');
    }
    if (**at == '"') {
        return json_text(at);
    }
    size_t word = strspn(*at, "abcdefghijklmnopqrstuvwxyz"), number = 0;
    if (word) {
        bool known = strncmp(*at, "null", word) == 0 || strncmp(*at, "true", word) == 0 ||
                     strncmp(*at, "false", word) == 0;
        *at += word;
        return known;
    }
    number = strspn(*at, "-+.0123456789eE");
    *at += number;
    return number > 0;
}

/* That every line is one JSON object; returns how many, and the last in `last`. */
static inline int json_lines(const char *text, const char **last)
{
    int lines = 0;
    *last = text;
    while (*text) {
        *last = text;
        ck_assert_msg(*text == '{' && json_value(&text) && *text++ == '\n', "not JSON: %s", *last);
        lines++;
    }
    return lines;
}

static inline double json_field(const char *line, const char *key)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    const char *at = strstr(line, quoted);
    ck_assert_msg(at != NULL, "no \"%s\" in %s", key, line);
    return strtod(at + strlen(quoted), NULL);
}

#endif
