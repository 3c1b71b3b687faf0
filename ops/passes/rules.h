/* A pass by a table of rules: one step in place of two. */
#ifndef NM_OPS_PASSES_RULES_H
#define NM_OPS_PASSES_RULES_H

#include "core/graph/edit.h"
#include "ops/activation.h"
#include "ops/linear.h"
#include "ops/norm.h"

/* What stands behind the first step. */
typedef enum nm_behind {
    NM_BEHIND_ACTIVATION, /* relu, sigmoid, tanh */
    NM_BEHIND_RELU,
    NM_BEHIND_ADD,     /* an addition of two tensors of one shape */
    NM_BEHIND_HALVING, /* max pooling by windows of 2 by 2, side by side */
    NM_BEHIND_NORM     /* batch norm by running statistics, of the last axis */
} nm_behind;

/* A place where a rule may apply. */
typedef struct nm_match {
    nm_graph *graph;
    int first, then;            /* indices of steps */
    const nm_graph_step *a, *b; /* the same steps */
    int at;                     /* which input of `b` is output 0 of `a` */
} nm_match;

typedef struct nm_rule {
    const nm_op *op; /* of the first step */
    nm_behind behind;
    /* Whether more is asked for than that. NULL: it is not. */
    bool (*fits)(const nm_match *match);
    nm_status (*rewrite)(const nm_match *match);
} nm_rule;

/* Applies each rule, one after the other, wherever output 0 of its first step is read by one other
 * step alone, and the two may be joined. */
nm_status nm_rules_apply(nm_graph *graph, const nm_rule *rules, int count);

nm_activation nm_activation_of_op(const nm_op *op);
/* batch_norm's options and batch_norm_activation's, whichever the step has, as the latter. */
nm_batch_norm_activation_options nm_norm_options_of(const nm_graph_step *step);
/* conv2d's and conv2d_activation's, the same. */
nm_conv2d_activation_options nm_conv_options_of(const nm_graph_step *step);
/* dense or conv2d with an activation behind it. */
nm_status nm_rewrite_linear(const nm_match *match);

#endif
