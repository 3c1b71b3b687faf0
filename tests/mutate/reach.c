/* Which parts of the library a test ran through: for mutate.py. Each basic block calls us; its byte
 * in the file NORMA_REACHED is set, which a test and the commands that it starts have in common. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern const char __ehdr_start[] __attribute__((visibility("hidden"))); /* where the library is */
extern const char etext[] __attribute__((visibility("hidden")));

static unsigned char *map;

static size_t size_of_code(void)
{
    return (size_t)((uintptr_t)etext - (uintptr_t)__ehdr_start);
}

__attribute__((constructor)) static void open_map(void)
{
    const char *path = getenv("NORMA_REACHED");
    size_t size = size_of_code();
    int file = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (file >= 0 && ftruncate(file, (off_t)size) == 0) {
        map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        map = map == MAP_FAILED ? NULL : map;
        close(file);
    }
}

void __sanitizer_cov_trace_pc(void)
{
    uintptr_t at = (uintptr_t)__builtin_return_address(0) - (uintptr_t)__ehdr_start;
    if (map && at < size_of_code()) { /* else it is the test's own code */
        map[at] = 1;
    }
}
