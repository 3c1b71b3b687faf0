/* Runs a program as often as it asks for memory, and fails another of its requests each time. For
 * no_memory.sh: EXAMPLE is the program's source, whose main() becomes a function here, and whose
 * nm_open() gets an allocator of ours. Each run is a process of its own: it must end by itself, not
 * with 0, say something on the standard error, and have given all its memory back. Where a request
 * failed it ends by END_CHILD: what a sanitizer does at an exit takes half of the time. */
#include <norma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct record {
    long calls, live; /* requests so far, blocks held */
    long fail_at;     /* the request that fails; -1: none */
    int failed;
} record;

static record *memory; /* shared with the children */

/* Returns what it was; threads have contexts of their own, and this in common. */
static long add(long *number, long more)
{
    return __atomic_fetch_add(number, more, __ATOMIC_RELAXED);
}

static void *resize(void *user, void *block, size_t size)
{
    (void)user;
    if (!size) {
        add(&memory->live, -(block != NULL));
        free(block);
        return NULL;
    }
    if (add(&memory->calls, 1) == memory->fail_at) {
        memory->failed = 1;
        return NULL;
    }
    void *result = realloc(block, size);
    add(&memory->live, !block && result);
    return result;
}

static nm_context *open_failing(const nm_context_options *options)
{
    (void)options;
    return nm_open(&(nm_context_options){.allocator = {resize, NULL}});
}

#define nm_open open_failing
#define main example_main
#include EXAMPLE
#undef main

/* In the child. */
static void run(int argc, char **argv)
{
    if (!freopen("said", "w", stderr) || !freopen("/dev/null", "w", stdout)) {
        _exit(99);
    }
#ifdef WITH_ARGUMENTS
    const int code = example_main(argc, argv);
#else
    (void)argc, (void)argv;
    const int code = example_main();
#endif
    if (memory->failed) {
        fflush(NULL);
        END_CHILD(code);
    }
    exit(code);
}

static int said_something(void)
{
    FILE *file = fopen("said", "r");
    int first = file ? fgetc(file) : EOF;
    if (file) {
        fclose(file);
    }
    return first != EOF;
}

/* What is wrong with the run whose request `memory->fail_at` failed; NULL: nothing. */
static const char *judge(int status)
{
    if (!WIFEXITED(status)) {
        return "it crashes";
    }
    if (memory->live) {
        return "it does not give all its memory back";
    }
    if (!memory->failed) {
        return WEXITSTATUS(status) ? "it fails, though none failed" : NULL;
    }
    if (!WEXITSTATUS(status)) {
        return "it ends with 0";
    }
    return said_something() ? NULL : "it says nothing";
}

int main(int argc, char **argv)
{
    memory = mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (long n = 0;; n++) {
        *memory = (record){.fail_at = n};
        pid_t child = fork();
        if (!child) {
            run(argc, argv);
        }
        int status;
        waitpid(child, &status, 0);
        const char *wrong = judge(status);
        if (wrong) {
            printf("when request %ld for memory fails, %s\n", n, wrong);
            fflush(stdout);
            return execlp("cat", "cat", "said", (char *)NULL);
        }
        if (!memory->failed) {
            printf("%ld requests\n", n);
            return 0;
        }
    }
}
