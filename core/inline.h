/* For functions that cost less than a call of them would. */
#ifndef NM_CORE_INLINE_H
#define NM_CORE_INLINE_H

#if defined(__GNUC__) && !defined(NM_COVERAGE) /* each copy would be counted by itself */
#define NM_INLINE static inline __attribute__((always_inline, unused))
#else
#define NM_INLINE static inline
#endif

#endif
