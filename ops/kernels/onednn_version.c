/* oneDNN 2 and 3: loading the one that the header was of, and what they call the same things. */
#include "ops/kernels/onednn_version.h"

#include "core/context.h"

#ifdef NM_HAVE_ONEDNN

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* ---- Loading ---- */

static const char file[] = NM_ONEDNN_FILE; /* as the library calls itself: meson.build asks it */

static const struct {
    const char *name;
    size_t at; /* in an nm_onednn */
} functions[] = {
#define ROW(name) {"dnnl_" #name, offsetof(nm_onednn, name)},
    NM_ONEDNN_FUNCTIONS(ROW)
#undef ROW
};

static bool find_functions(nm_onednn *dnnl, char *why, size_t room)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *function = dlsym(dnnl->library, functions[i].name);
        if (!function) {
            snprintf(why, room, "%s: it has no function %s", file, functions[i].name);
            return false;
        }
        memcpy((char *)dnnl + functions[i].at, &function, sizeof function);
    }
    void *get = dlsym(dnnl->library, "omp_get_max_threads"); /* in the libraries that it needs */
    void *set = get ? dlsym(dnnl->library, "omp_set_num_threads") : NULL;
    if (set) {
        memcpy(&dnnl->get_max_threads, &get, sizeof get);
        memcpy(&dnnl->set_num_threads, &set, sizeof set);
    }
    const dnnl_version_t *version = dnnl->version();
    if (version->major != DNNL_VERSION_MAJOR) {
        snprintf(why, room, "%s: it says that it is version %d", file, version->major);
    }
    return version->major == DNNL_VERSION_MAJOR;
}

bool nm_memory_is_limited(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

bool nm_memory_has(size_t bytes)
{
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return room != MAP_FAILED && munmap(room, bytes) == 0;
}

/* Bytes that the library and those that it needs take, at the very most. */
#define WHILE_LOADING ((size_t)160 << 20)

bool nm_onednn_load(nm_onednn *dnnl, char *why, size_t room)
{
    memset(dnnl, 0, sizeof *dnnl);
    if (nm_memory_is_limited() && !nm_memory_has(WHILE_LOADING)) {
        snprintf(why, room, "%s: the limit of the process's memory leaves no room for it", file);
        return false;
    }
    /* Never unloaded: its threads, and what it registers for the process's end, stay. */
    dnnl->library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!dnnl->library) {
        const char *error = dlerror();
        snprintf(why, room, "%s", error ? error : file);
        return false;
    }
    if (!find_functions(dnnl, why, room)) {
        nm_onednn_unload(dnnl);
        return false;
    }
    return true;
}

void nm_onednn_unload(nm_onednn *dnnl)
{
    if (dnnl->library) dlclose(dnnl->library);
    memset(dnnl, 0, sizeof *dnnl);
}

/* ---- Its threads ---- */

int nm_onednn_enter(const nm_onednn *dnnl)
{
    const int before = dnnl->get_max_threads ? dnnl->get_max_threads() : 1;
    if (dnnl->set_num_threads) dnnl->set_num_threads(1);
    return before;
}

void nm_onednn_leave(const nm_onednn *dnnl, int before)
{
    if (dnnl->set_num_threads) dnnl->set_num_threads(before);
}

#if defined(__has_feature)
#define HAS_SANITIZER __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#else
#define HAS_SANITIZER 0
#endif
#if HAS_SANITIZER
/* Of a library that is loaded late, gcc 12's sanitizer guesses where a thread's variables lie,
 * reads there when it looks for leaks, and crashes. So it does not watch where they are. */
NM_API const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "intercept_tls_get_addr=0";
}
#endif

/* ---- The same things ---- */

#if DNNL_VERSION_MAJOR == 2

nm_layout_view nm_layout_look(const nm_layout *layout)
{
    return layout;
}

void nm_layout_destroy(const nm_onednn *dnnl, nm_layout *layout)
{
    (void)dnnl;
    (void)layout;
}

#define create_with_strides memory_desc_init_by_strides
#define create_with_tag memory_desc_init_by_tag

static dnnl_status_t init_convolution(const nm_operands *on, nm_direction direction,
                                      const nm_window *w, dnnl_convolution_desc_t *desc)
{
    switch (direction) {
    case FORWARD:
        return on->dnnl->dilated_convolution_forward_desc_init(
            desc, dnnl_forward_training, dnnl_convolution_direct, on->source, on->weights, on->bias,
            on->destination, w->stride, w->dilation, w->padding, w->padding_after);
    case INPUT_GRAD:
        return on->dnnl->dilated_convolution_backward_data_desc_init(
            desc, dnnl_convolution_direct, on->source, on->weights, on->destination, w->stride,
            w->dilation, w->padding, w->padding_after);
    case WEIGHT_GRAD:
        return on->dnnl->dilated_convolution_backward_weights_desc_init(
            desc, dnnl_convolution_direct, on->source, on->weights, NULL, on->destination,
            w->stride, w->dilation, w->padding, w->padding_after);
    }
    return dnnl_invalid_arguments;
}

dnnl_status_t nm_describe_convolution(const nm_operands *on, nm_direction direction,
                                      const nm_window *w, dnnl_primitive_desc_t forward,
                                      dnnl_primitive_desc_t *out)
{
    dnnl_convolution_desc_t desc;
    dnnl_status_t status = init_convolution(on, direction, w, &desc);
    return status != dnnl_success
               ? status
               : on->dnnl->primitive_desc_create(out, &desc, on->attributes, on->engine, forward);
}

dnnl_status_t nm_describe_product(const nm_operands *on, dnnl_primitive_desc_t *out)
{
    dnnl_matmul_desc_t desc;
    dnnl_status_t status =
        on->dnnl->matmul_desc_init(&desc, on->source, on->weights, on->bias, on->destination);
    return status != dnnl_success
               ? status
               : on->dnnl->primitive_desc_create(out, &desc, on->attributes, on->engine, NULL);
}

#else

nm_layout_view nm_layout_look(const nm_layout *layout)
{
    return *layout;
}

void nm_layout_destroy(const nm_onednn *dnnl, nm_layout *layout)
{
    if (*layout) dnnl->memory_desc_destroy(*layout);
    *layout = NULL;
}

#define create_with_strides memory_desc_create_with_strides
#define create_with_tag memory_desc_create_with_tag

dnnl_status_t nm_describe_convolution(const nm_operands *on, nm_direction direction,
                                      const nm_window *w, dnnl_primitive_desc_t forward,
                                      dnnl_primitive_desc_t *out)
{
    switch (direction) {
    case FORWARD:
        return on->dnnl->convolution_forward_primitive_desc_create(
            out, on->engine, dnnl_forward_training, dnnl_convolution_direct, on->source,
            on->weights, on->bias, on->destination, w->stride, w->dilation, w->padding,
            w->padding_after, on->attributes);
    case INPUT_GRAD:
        return on->dnnl->convolution_backward_data_primitive_desc_create(
            out, on->engine, dnnl_convolution_direct, on->source, on->weights, on->destination,
            w->stride, w->dilation, w->padding, w->padding_after, forward, on->attributes);
    case WEIGHT_GRAD:
        return on->dnnl->convolution_backward_weights_primitive_desc_create(
            out, on->engine, dnnl_convolution_direct, on->source, on->weights, NULL,
            on->destination, w->stride, w->dilation, w->padding, w->padding_after, forward,
            on->attributes);
    }
    return dnnl_invalid_arguments;
}

dnnl_status_t nm_describe_product(const nm_operands *on, dnnl_primitive_desc_t *out)
{
    return on->dnnl->matmul_primitive_desc_create(out, on->engine, on->source, on->weights,
                                                  on->bias, on->destination, on->attributes);
}

#endif

bool nm_layout_create(const nm_onednn *dnnl, nm_layout *layout, dnnl_data_type_t type, int dims,
                      const int64_t *dim, const int64_t *stride)
{
    dnnl_dims_t dim_list = {0}, stride_list = {0};
    for (int i = 0; i < dims; i++) {
        dim_list[i] = dim[i];
        stride_list[i] = stride ? stride[i] : 0;
    }
    dnnl_status_t status =
        stride ? dnnl->create_with_strides(layout, dims, dim_list, type, stride_list)
               : dnnl->create_with_tag(layout, dims, dim_list, type, dnnl_format_tag_any);
    return status == dnnl_success;
}

#endif
