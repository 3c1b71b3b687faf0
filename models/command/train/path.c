#include "models/command/train/path.h"

#include <stdio.h>
#include <sys/stat.h>

bool path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool path_join(char out[RUN_PATH], const char *folder, const char *name)
{
    int length = snprintf(out, RUN_PATH, "%s/%s", folder, name);
    return length > 0 && length < RUN_PATH;
}

bool folder_holds(const char *folder, const char *name)
{
    char path[RUN_PATH];
    return path_join(path, folder, name) && path_exists(path);
}
