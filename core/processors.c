#include "core/processors.h"

#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/context.h"

int nm_processors(void)
{
    cpu_set_t allowed;
    const long all = sysconf(_SC_NPROCESSORS_ONLN);
    const int count = sched_getaffinity(0, sizeof allowed, &allowed) == 0
                          ? CPU_COUNT(&allowed)
                          : (int)all; /* over 1024 */
    return count > 0 ? count : 1;
}

#define ROOM 4096

/* The first line of a file, and whether there is one. */
NM_PRINTF(2, 3) static bool read_line(char *line, const char *name, ...)
{
    char path[ROOM];
    va_list arguments;
    va_start(arguments, name);
    const int length = vsnprintf(path, sizeof path, name, arguments);
    va_end(arguments);
    FILE *file = length > 0 && length < ROOM ? fopen(path, "re") : NULL;
    const bool there = file && fgets(line, ROOM, file);
    if (file) fclose(file);
    return there;
}

static int processors(int64_t time, int64_t period)
{
    const int64_t count = time > 0 && period > 0 ? (time - 1) / period + 1 : 0;
    return count < INT_MAX ? (int)count : 0;
}

/* What one group allows; 0: anything. */
static int allowed_by(const char *root, bool is_second, const char *group)
{
    char line[ROOM], of[ROOM];
    long long time = 0, period = 0;
    if (is_second) {
        if (read_line(line, "%s/sys/fs/cgroup%s/cpu.max", root, group) &&
            sscanf(line, "%lld %lld", &time, &period) != 2) {
            return 0; /* "max" */
        }
    } else if (read_line(line, "%s/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us", root, group) &&
               read_line(of, "%s/sys/fs/cgroup/cpu%s/cpu.cfs_period_us", root, group) &&
               (sscanf(line, "%lld", &time) != 1 || sscanf(of, "%lld", &period) != 1)) {
        return 0;
    }
    return processors(time, period);
}

static int stricter(int a, int b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* Of a group and all that it is in. Within a container, the name may be the one outside: then only
 * the last, the container's own, is there. */
static int allowed_up_from(const char *root, bool is_second, char *group)
{
    int least = 0;
    for (char *end = group + strlen(group); end; end = strrchr(group, '/')) {
        *end = '\0';
        least = stricter(least, allowed_by(root, is_second, group));
    }
    return least;
}

/* Whether a line "NUMBER:CONTROLLERS:GROUP" is of processors, and of which version. */
static bool is_of_processors(char *controllers, bool *is_second)
{
    char *rest = NULL;
    *is_second = *controllers == '\0';
    for (char *one = strtok_r(controllers, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
        if (strcmp(one, "cpu") == 0) {
            return true;
        }
    }
    return *is_second;
}

int nm_processors_of_groups(const char *root)
{
    char path[ROOM], line[ROOM];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    int least = 0;
    while (file && fgets(line, sizeof line, file)) {
        bool is_second;
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        line[strcspn(line, "\n")] = '\0';
        if (group) {
            *group++ = '\0';
        }
        if (group && is_of_processors(controllers + 1, &is_second)) {
            least = stricter(least, allowed_up_from(root, is_second, group));
        }
    }
    if (file) fclose(file);
    return least;
}
