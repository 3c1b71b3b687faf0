/* Unloads the library while threads of its own are at rest in it: they are left behind. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void add(void *arg, int64_t begin, int64_t end)
{
    __atomic_fetch_add((int64_t *)arg, end - begin, __ATOMIC_RELAXED);
}

typedef void range_fn(void *arg, int64_t begin, int64_t end);

int main(void)
{
    void *library = dlopen("libnorma.so", RTLD_NOW), *functions[3] = {NULL};
    static const char *const names[] = {"nm_context_create", "nm_context_set_threads",
                                        "nm_parallel"};
    for (int i = 0; i < 3 && library; i++) {
        functions[i] = dlsym(library, names[i]);
    }
    if (!functions[0] || !functions[1] || !functions[2]) {
        puts(dlerror());
        return 1;
    }
    void *(*create)(const void *options);
    void (*set_threads)(void *context, int threads);
    void (*parallel)(void *context, int64_t count, int64_t grain, range_fn *body, void *arg);
    memcpy(&create, &functions[0], sizeof create);
    memcpy(&set_threads, &functions[1], sizeof set_threads);
    memcpy(&parallel, &functions[2], sizeof parallel);
    int64_t count = 0;
    void *context = create(NULL);
    set_threads(context, 3);
    parallel(context, 3000, 1, add, &count);
    dlclose(library);
    usleep(50000);
    printf("%d of 3000\n", (int)count);
    return 0;
}
