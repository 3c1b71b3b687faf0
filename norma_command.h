/* The `norma` command as a function, for programs that have ops, layers, losses or data sets of
 * their own: they are in YAML, in the help, the completion and the gradient check then.
 *
 *     static nm_status init(nm_context *context)
 *     {
 *         return nm_register_op(context, &softrelu);
 *     }
 *     int main(int argc, char **argv)
 *     {
 *         return nm_main(argc, argv, init);
 *     }
 *
 * It is in a library of its own, norma-command: pkg-config --cflags --libs norma-command. */
#ifndef NORMA_COMMAND_H
#define NORMA_COMMAND_H

#include "core/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Runs the command that main()'s arguments say, and returns the exit code for main() to return:
 * 0, 1 where something failed, 2 where the input is wrong, 128 and its number after a signal.
 *
 * `init` (NULL: none) is called with the context once it has everything built in, before anything
 * else is done with it, and registers more; the descriptors must outlive the call. Where it returns
 * another status than NM_OK, or leaves an error in the context, that is reported and the command
 * ends.
 *
 * The function prints and handles signals (SIGINT, SIGTERM and SIGHUP while it trains; SIGXFSZ is
 * ignored from the call on). */
NM_API int nm_main(int argc, char **argv, nm_status (*init)(nm_context *context));

#ifdef __cplusplus
}
#endif
#endif
