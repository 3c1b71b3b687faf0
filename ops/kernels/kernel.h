/* What every kernel starts from. */
#ifndef NM_OPS_KERNELS_KERNEL_H
#define NM_OPS_KERNELS_KERNEL_H

#include <stdint.h> /* says which C library this is: choosing when a program is loaded is glibc's */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NM_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define NM_SANITIZED 1
#endif
#endif

/* x86-64-v3 is AVX2 with fused multiply-add: every processor since 2013 (Intel) and 2015 (AMD). */
#if defined(__clang__) || __GNUC__ >= 12
#define NM_AVX2 "arch=x86-64-v3"
#else
#define NM_AVX2 "avx2"
#endif

/* clang has it from version 14 on. */
#ifdef __has_attribute
#if __has_attribute(target_clones)
#define NM_CLONES 1
#endif
#endif

/* NM_KERNEL compiles a function for several instruction sets and picks one when the program is
 * loaded. Put it on the function with the hot loop, which is static, since clang 14 gives another
 * name to what picks, and give it a name that no other file uses: clang makes that part global all
 * the same. The build's option `kernels`
 * forces one: NM_KERNELS_PLAIN, NM_KERNELS_AVX2 or NM_KERNELS_AVX512. Sanitizers and valgrind run
 * the plain one. On Arm the plain one is what the compiler makes of NEON, which all 64-bit Arm
 * processors have. */
#if !defined(__x86_64__) || !defined(__GNUC__) || !defined(__OPTIMIZE__)
#define NM_KERNEL
#elif defined(NM_KERNELS_PLAIN)
#define NM_KERNEL
#elif defined(NM_KERNELS_AVX2)
#define NM_KERNEL __attribute__((target(NM_AVX2)))
#elif defined(NM_KERNELS_AVX512)
#define NM_KERNEL __attribute__((target("avx512f")))
#elif defined(__GLIBC__) && defined(NM_CLONES) && !defined(NM_SANITIZED)
#define NM_KERNEL __attribute__((target_clones("avx512f", NM_AVX2, "default")))
#else
#define NM_KERNEL
#endif

/* Which instruction sets functions may be compiled for that are called only where the processor has
 * them, chosen by a look at it: everywhere, under sanitizers too. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(NM_KERNELS_PLAIN)
#define NM_HAS_AVX2 1
#if !defined(NM_KERNELS_AVX2)
#define NM_HAS_AVX512 1
#if defined(__clang__) || __GNUC__ >= 11
#define NM_HAS_AVX512_BF16 1
#endif
#endif
#endif

/* For functions that a macro defines for both types: NM_KERNEL_##type. f64 is for checking
 * gradients and has the plain one only, which makes the library a fifth smaller. */
#define NM_KERNEL_float NM_KERNEL
#define NM_KERNEL_double

/* The iterations of the loop that follows are independent: vectorize it. By the directive of OpenMP
 * where the compiler was told of that: the library is built with -fopenmp-simd. Elsewhere, in a
 * program's own ops, gcc is told in its own words, which count from -O3 on, and clang finds out. */
#if defined(_OPENMP) || defined(NM_OPENMP_SIMD)
#define NM_SIMD _Pragma("omp simd")
#elif defined(__GNUC__) && !defined(__clang__)
#define NM_SIMD _Pragma("GCC ivdep")
#else
#define NM_SIMD
#endif

#define NM_BLOCK 16 /* elements: a whole number of vectors with every instruction set */

/* In a loop: no vectors, which at a length of their own may be rounded otherwise, as gcc 12 does
 * with -O3: multiply and add in one instruction here, in two there. Elements whose place among
 * others depends on how a loop was cut need it, for the last that fill no block. */
#define NM_ONE_BY_ONE __asm__ volatile("")

#endif
