/* What a file of loops is written in, when it is included for float: `real`, KERNEL before a
 * function with a hot loop, NAME(f) for each of its names. Such a file has no include guard. */
#undef real
#undef KERNEL
#undef NAME
#define real float
#define KERNEL NM_KERNEL_float
#define NAME(name) name##_f32
