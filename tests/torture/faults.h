/* What faults.c, which decides whether a call goes wrong, shares with memory.c. */
#ifndef NM_TESTS_TORTURE_FAULTS_H
#define NM_TESTS_TORTURE_FAULTS_H

#define CALLS(DO)                                                                                  \
    DO(open)                                                                                       \
    DO(read)                                                                                       \
    DO(pread)                                                                                      \
    DO(write)                                                                                      \
    DO(fflush)                                                                                     \
    DO(fsync)                                                                                      \
    DO(close)                                                                                      \
    DO(rename)                                                                                     \
    DO(unlink)                                                                                     \
    DO(mkdir)                                                                                      \
    DO(stat)                                                                                       \
    DO(flock)                                                                                      \
    DO(ftruncate)                                                                                  \
    DO(fchmod)                                                                                     \
    DO(mmap)                                                                                       \
    DO(opendir)                                                                                    \
    DO(thread)                                                                                     \
    DO(memory)

#define NUMBER(name) CALL_##name,

enum { CALLS(NUMBER) CALL_COUNT, CALL_ANY = CALL_COUNT };

typedef enum action { NONE, ERROR, SHORT, KILL, LATE, SIGNAL, GONE, CLOCK } action;

/* What is to happen to this call: NONE for most. What befalls the process befalls it here. */
action happens(int call);

/* With memory.c: blocks of memory that are held, else 0. */
long live_blocks(void);

#endif
