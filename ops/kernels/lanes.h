/* Vectors of LANES numbers and what moves numbers between them, for one type and instruction set;
 * included once for each, after `real`, NAME and LANES, which is 2, 4, 8 or 16. */

/* Wherever a number of theirs may stand. */
typedef real NAME(vector) __attribute__((vector_size(LANES * sizeof(real))));
typedef real NAME(loose)
    __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real)), may_alias));

#ifndef NM_OPS_KERNELS_LANES_H
#define NM_OPS_KERNELS_LANES_H

#if defined(__clang__) || __GNUC__ >= 12
#define NM_SHUFFLE(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define NM_SHUFFLE(x, y, ...) __builtin_shuffle(x, y, (__typeof__((x) == (y))){__VA_ARGS__})
#endif

/* Where lane l of a vector comes from that takes every other run of d lanes: the first of each two
 * from x and from y in turn, or the second. */
#define NM_FIRST(d, l) ((l) & (d) ? LANES + (l) - (d) : (l))
#define NM_SECOND(d, l) ((l) & (d) ? LANES + (l) : (l) + (d))
#define NM_LIST_2(f, d) f(d, 0), f(d, 1)
#define NM_LIST_4(f, d) NM_LIST_2(f, d), f(d, 2), f(d, 3)
#define NM_LIST_8(f, d) NM_LIST_4(f, d), f(d, 4), f(d, 5), f(d, 6), f(d, 7)
#define NM_LIST_16(f, d)                                                                           \
    NM_LIST_8(f, d), f(d, 8), f(d, 9), f(d, 10), f(d, 11), f(d, 12), f(d, 13), f(d, 14), f(d, 15)

#endif
