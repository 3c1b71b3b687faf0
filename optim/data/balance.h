/* Rows by class, and the order of an epoch in which each class comes as often as any other. Nothing
 * outside optim includes this. */
#ifndef NM_OPTIM_DATA_BALANCE_H
#define NM_OPTIM_DATA_BALANCE_H

#include "core/random.h"
#include "optim/data/dataset.h"

/* Writes the rows of a set with labels, [count], class by class, each in the set's order, those to
 * be ignored last; ends[c] is where those of class c end. `ends`: [classes + 2], zeros. */
void nm_rows_by_class(const nm_dataset *set, int64_t *ends, int64_t *rows);

typedef struct nm_balance {
    nm_context *context;
    int64_t classes; /* that have samples */
    int64_t *start;  /* [classes + 1]: where those of a class begin in `rows` */
    int64_t *rows;   /* of the set's memory, by class */
    int64_t *rank;   /* scratch: one a class */
    int64_t *order;  /* scratch: as long as the largest class */
} nm_balance;

/* The set has labels and a sample that counts. Empty on failure. */
nm_status nm_balance_create(const nm_dataset *set, nm_balance *balance);
void nm_balance_destroy(nm_balance *balance); /* leaves it empty; an empty one is fine */

/* Writes `count` rows: each class as often as any other, or once more where the count is no
 * multiple of the classes; within a class each sample once before one comes again; all in random
 * order. */
void nm_balance_draw(const nm_balance *balance, nm_random *random, int64_t *rows, int64_t count);

#endif
