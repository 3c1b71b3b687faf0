/* The same as of_float.h for double. */
#undef real
#undef KERNEL
#undef NAME
#define real double
#define KERNEL NM_KERNEL_double
#define NAME(name) name##_f64
