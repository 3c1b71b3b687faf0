/* For passes over graphs: finding steps that follow each other, and putting others in their
 * place. */
#ifndef NM_CORE_GRAPH_EDIT_H
#define NM_CORE_GRAPH_EDIT_H

#include "core/graph/graph.h"

/* A step of an op in the making. */
typedef struct nm_new_step {
    const nm_op *op;
    const void *options; /* of the op's spec, copied; NULL: the defaults */
    int inputs, in[NM_MAX_INPUTS];
    const char *scope; /* NULL: that of the step in whose place it comes */
} nm_new_step;

/* How often each value is read, by steps and as an output. `reads` has nm_graph_value_count()
 * places. */
void nm_graph_count_reads(const nm_graph *graph, int *reads);
/* The first step from `from` on that reads the value and is no effect; -1: none. */
int nm_graph_find_reader(const nm_graph *graph, int value, int from);

/* Whether anything reads the value. */
bool nm_graph_is_read(const nm_graph *graph, int value);

/* Whether the steps `first` and `then` (behind it) may be one, in the place of `then`: nothing
 * between them would see or do something else. */
bool nm_graph_may_join(const nm_graph *graph, int first, int then);
/* Puts one step in place of both, in the scope of the first. Its output 0 is that of `then`, the
 * others those of `first`. Returns NM_OK or what the new op's shape rule says. */
nm_status nm_graph_join(nm_graph *graph, int first, int then, const nm_new_step *step);
/* Puts a step in place of another. `out`: its outputs; -1, and those not given:
 * new values, whose indices are in the new step. */
nm_status nm_graph_replace(nm_graph *graph, int at, const nm_new_step *step, const int *out,
                           int outputs);
/* Puts a step before another, in its scope; its outputs are new values. */
nm_status nm_graph_insert(nm_graph *graph, int at, const nm_new_step *step);

/* ---- Constants: what is computed once from the program's own tensors ---- */

typedef struct nm_constants nm_constants;

/* `parent`, which must outlive it, may have some already, and is only read; NULL: none. */
nm_constants *nm_constants_create(nm_context *context, const nm_constants *parent);
void nm_constants_destroy(nm_constants *constants); /* NULL is fine */
/* Computes all of them anew. */
nm_status nm_constants_refresh(nm_constants *constants);
/* The same if one of the tensors that they are computed from was changed since; NULL is fine. */
nm_status nm_constants_renew(nm_constants *constants);
/* Takes the steps away that depend on the program's own tensors alone: their results are constants
 * from then on, the same for graphs that compute the same. They must outlive the graph. */
nm_status nm_graph_settle(nm_graph *graph, nm_constants *constants);

#endif
