/* For functions that cost less than a call of them would. */
#ifndef NM_CORE_INLINE_H
#define NM_CORE_INLINE_H

#if defined(__GNUC__) && !defined(NM_COVERAGE) /* each copy would be counted by itself */
#define NM_INLINE static inline __attribute__((always_inline, unused))
#else
#define NM_INLINE static inline
#endif

/* Before a loop of at most n rounds, n known where it stands or once what it is in is inlined
 * there: what it indexes are registers then. clang is not told n, or it would take copies of the
 * loop for that before it knows. */
#define NM_PRAGMA(...) _Pragma(#__VA_ARGS__)
#if defined(__clang__)
#define NM_UNROLL(n) NM_PRAGMA(clang loop unroll(full))
#define NM_NO_UNROLL NM_PRAGMA(clang loop unroll(disable))
#else
#define NM_UNROLL(n) NM_PRAGMA(GCC unroll n)
#define NM_NO_UNROLL NM_PRAGMA(GCC unroll 1)
#endif

#endif
