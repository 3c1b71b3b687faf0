/* Where the values of a graph lie in one block of memory. */
#ifndef NM_CORE_GRAPH_LAYOUT_H
#define NM_CORE_GRAPH_LAYOUT_H

#include "core/graph/internal.h"

typedef struct nm_slot {
    size_t offset, bytes;
    int root;
} nm_slot;

/* All arrays are by value. */
typedef struct nm_layout {
    const nm_graph *graph;
    int *roots;      /* the value whose elements it has, itself or another */
    int *last;       /* of roots: the last step that reads its elements */
    int *outputs;    /* of roots: the output that it is, computed there; -1: none */
    size_t *offsets; /* in the block; SIZE_MAX: it is not there */
    nm_slot *live;   /* sorted by offset */
    int live_count;
    size_t bytes; /* of the block */
} nm_layout;

/* Whether the step's output 0 has the elements of its input 0, so that nothing is computed. */
bool nm_step_is_view(const nm_graph *graph, const nm_graph_step *step);
/* `graph` is ready. Fills all in; give it back with nm_layout_end(). */
nm_status nm_layout_make(nm_layout *layout, const nm_graph *graph);
void nm_layout_end(nm_layout *layout);

#endif
