/* Comparisons, with NumPy's broadcasting: 1 where they hold, else 0. With NaN, none holds but
 * not_equal. */
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/table.h"

NM_BINARY(equal, a == b)
NM_BINARY(less, a < b)
NM_BINARY(less_or_equal, a <= b)
#define equal_vjp NULL
#define less_vjp NULL
#define less_or_equal_vjp NULL

static nm_tensor *not_equal_compose(nm_compose *c)
{
    return nm_affine(c->tape, nm_equal(c->tape, c->in[0], c->in[1]), -1, 1);
}

static nm_tensor *greater_compose(nm_compose *c)
{
    return nm_less(c->tape, c->in[1], c->in[0]);
}

static nm_tensor *greater_or_equal_compose(nm_compose *c)
{
    return nm_less_or_equal(c->tape, c->in[1], c->in[0]);
}

static nm_tensor *isnan_compose(nm_compose *c)
{
    return nm_not_equal(c->tape, c->in[0], c->in[0]);
}

static const nm_sample equal_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_NORMAL(3, 4)}},
    {.in = {NM_NORMAL(3, 1), NM_NORMAL(2, 1, 5)}},
};
#define less_samples equal_samples
#define less_or_equal_samples equal_samples
#define not_equal_samples equal_samples
#define greater_samples equal_samples
#define greater_or_equal_samples equal_samples
static const nm_sample isnan_samples[] = {{.in = {NM_NORMAL(3, 4)}}};

#define COMPARISON(name_, summary_, also_, doc_)                                                   \
    NM_OP(name_, nm_port_ab, nm_port_y, nm_infer_broadcast, NM_OPS_ELEMENTWISE | NM_OP_NO_VJP,     \
          summary_, .also = also_, .doc = doc_ " No gradient.")                                    \
    NM_CALL_OF_2(name_)
#define COMPOSED_COMPARISON(name_, summary_, also_, doc_)                                          \
    NM_COMPOSED_OP(name_, nm_port_ab, nm_port_y, NM_OP_NO_VJP, summary_, .also = also_,            \
                   .doc = doc_ " No gradient.")                                                    \
    NM_CALL_OF_2(name_)

COMPARISON(equal, "where two are equal", "eq", "y = 1 where a = b, else 0.")
COMPARISON(less, "where one is less", "lt", "y = 1 where a < b, else 0.")
COMPARISON(less_or_equal, "where one is not greater", "le less_equal",
           "y = 1 where a <= b, else 0.")
COMPOSED_COMPARISON(not_equal, "where two differ", "ne", "y = 0 where a = b, else 1.")
COMPOSED_COMPARISON(greater, "where one is greater", "gt", "y = 1 where a > b, else 0.")
COMPOSED_COMPARISON(greater_or_equal, "where one is not less", "ge greater_equal",
                    "y = 1 where a >= b, else 0.")
NM_COMPOSED_OP(isnan, nm_port_x, nm_port_y, NM_OP_NO_VJP, "where it is no number",
               .doc = "y = 1 where x is NaN, else 0. No gradient.")
NM_CALL_OF_1(isnan)
