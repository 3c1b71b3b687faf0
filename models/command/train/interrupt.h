/* Signals that ask a run to end: Ctrl-C, SIGTERM, a closed terminal, a reader that went away. */
#ifndef NM_MODELS_COMMAND_TRAIN_INTERRUPT_H
#define NM_MODELS_COMMAND_TRAIN_INTERRUPT_H

/* From here on they do not end the process, but are remembered. One that was ignored stays so:
 * nohup, a background job. */
void interrupts_catch(void);
/* As it was before, unless one came: then what follows is taken as before, until the process ends.
 */
void interrupts_release(void);
/* The first signal that came; 0: none. */
int interrupt_number(void);

#endif
