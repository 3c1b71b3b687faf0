/* What every kernel starts from. */
#ifndef NM_OPS_KERNELS_KERNEL_H
#define NM_OPS_KERNELS_KERNEL_H

/* Compiles a function for several instruction sets and picks one when the program is loaded. Put it
 * on the function with the hot loop. Sanitizers and valgrind run the plain one. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__) &&       \
    defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
#define NM_KERNEL __attribute__((target_clones("avx512f", "avx2", "default")))
#define NM_KERNEL_VARIANTS 1 /* there are such */
#else
#define NM_KERNEL
#endif

/* For functions that a macro defines for both types: NM_KERNEL_##type. f64 is for checking gradients
 * and has the plain one only, which makes the library a fifth smaller. */
#define NM_KERNEL_float NM_KERNEL
#define NM_KERNEL_double

/* The iterations of the loop that follows are independent: vectorize it. */
#define NM_SIMD _Pragma("omp simd")

#endif
