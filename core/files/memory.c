/* How much memory there is to be had. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/files/input.h"

/* The number behind `key` in a small file of the system's (with no key: at its begin), times
 * `unit`; SIZE_MAX: none. */
static size_t read_number(const char *path, const char *key, size_t unit)
{
    char text[1024];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) {
        close(fd);
    }
    text[count > 0 ? count : 0] = 0;
    const char *at = strstr(text, key);
    char *end = NULL;
    unsigned long long number = at ? strtoull(at + strlen(key), &end, 10) : 0;
    if (!at || end == at + strlen(key) || number > SIZE_MAX / unit) {
        return SIZE_MAX; /* as "max" is, where a group has no bound */
    }
    return (size_t)number * unit;
}

size_t nm_memory_at_hand(void)
{
    size_t system = read_number("/proc/meminfo", "MemAvailable:", 1024);
    size_t group = read_number("/sys/fs/cgroup/memory.max", "", 1); /* of a container */
    return system < group ? system : group;
}
