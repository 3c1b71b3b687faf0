#include "models/command/train/path.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* What a call that failed says of it: another error than absence may hide a file that is there. */
static bool is_absent(void)
{
    return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG;
}

bool path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 || !is_absent();
}

bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool is_same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;
    return a && b && stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

bool path_join(char out[RUN_PATH], const char *folder, const char *name)
{
    int length = snprintf(out, RUN_PATH, "%s/%s", folder, name);
    return length > 0 && length < RUN_PATH;
}

bool folder_holds(const char *folder, const char *name)
{
    char path[RUN_PATH];
    struct stat info;
    return path_join(path, folder, name) && (lstat(path, &info) == 0 || !is_absent());
}
