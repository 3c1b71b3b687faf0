/* How many processors a process may keep busy. */
#ifndef NM_CORE_PROCESSORS_H
#define NM_CORE_PROCESSORS_H

/* Those that this process may run on. */
int nm_processors(void);

/* As many as the control groups of this process allow, as containers and services set them: time
 * over period of the strictest group, from its own up to the outermost, rounded up. 0: they say
 * nothing. `root` is put before the names of the system's files: "" but for tests. Versions 1 and 2
 * of the groups; see cgroups(7). */
int nm_processors_of_groups(const char *root);

#endif
