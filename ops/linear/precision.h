/* What ops with the option `precision` say about it. */
#ifndef NM_OPS_PRECISION_H
#define NM_OPS_PRECISION_H

#define NM_PRECISION_DOC                                                                           \
    "what factors are rounded to for the product; bf16 needs a processor with units for it, else " \
    "it is f32"

#endif
