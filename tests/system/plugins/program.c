/* Plugins from C: program GOOD BAD [NONE]. Says "fine" at the end. */
#include <norma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed;

static void expect(bool holds, const char *what, nm_context *context)
{
    if (!holds) {
        printf("not so: %s (%s)\n", what, nm_context_error(context));
        failed = 1;
    }
}

/* ---- An allocator that fails once ---- */

typedef struct budget {
    long left, blocks;
} budget;

static void *limited(void *user, void *memory, size_t size)
{
    budget *b = user;
    if (!size) {
        b->blocks -= memory != NULL;
        free(memory);
        return NULL;
    }
    if (b->left-- == 0) {
        return NULL;
    }
    void *new = realloc(memory, size);
    b->blocks += !memory && new;
    return new;
}

static bool load_with(const char *path, long allocations)
{
    budget b = {.left = -1}; /* to open it, as many as it takes */
    nm_context *context = nm_open(&(nm_context_options){.allocator = {limited, &b}});
    b.left = allocations;
    const bool loaded = nm_plugin_load(context, path) == NM_OK;
    expect(loaded || nm_context_status(context) == NM_ERROR_MEMORY, "it says why", context);
    expect(loaded == (nm_find_op(context, "cube") != NULL), "all of it or nothing", context);
    nm_close(context);
    expect(b.blocks == 0, "nothing leaks", NULL);
    return loaded;
}

static void test_memory(const char *path)
{
    long allocations = 0;
    while (allocations < 100 && !load_with(path, allocations)) {
        allocations++;
    }
    expect(allocations > 3 && allocations < 100, "each of its allocations failed once", NULL);
}

/* ---- The rest ---- */

int main(int count, char **words)
{
    if (count < 3) {
        return 2;
    }
    const char *good = words[1], *bad = words[2];
    nm_context *context = nm_open(NULL), *other = nm_open(NULL);
    expect(nm_plugin_load(context, bad) != NM_OK, "the bad one is refused", context);
    expect(!nm_find_op(context, "twice"), "and leaves nothing", context);
    expect(strncmp(nm_context_error(context), "plugin ", 7) == 0, "the error says what", context);
    expect(nm_plugin_load(context, good) != NM_OK, "an error stands", context);
    nm_context_clear_error(context);
    expect(nm_plugin_load(context, good) == NM_OK, "the good one loads", context);
    const int ops = nm_item_count(context, NM_KIND_OP);
    expect(nm_plugin_load(context, good) == NM_OK, "again", context);
    expect(nm_item_count(context, NM_KIND_OP) == ops, "to no effect", context);
    expect(!nm_find_op(other, "cube"), "another context has it not", other);
    expect(nm_plugin_load(other, good) == NM_OK, "until it loads it", other);
    expect(nm_find_op(other, "cube") == nm_find_op(context, "cube"), "the same", other);
    nm_close(other);
    expect(nm_check_op(context, "cube", NULL) == NM_OK, "it stays", context);
    nm_close(context);
    test_memory(good);
    puts(failed ? "wrong" : "fine");
    return failed;
}
