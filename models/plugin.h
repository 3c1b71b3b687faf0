/* Plugins: shared objects that register ops, layers, initializers, losses, optimizers, schedules,
 * data sets, metrics and probes of others. From then on they are in YAML, in `norma op`, in the
 * help, the completion and the gradient check like those of the library.
 *
 *     #include <norma.h>
 *
 *     static nm_status init(nm_context *context)
 *     {
 *         return nm_register_op(context, &nm_op_softrelu);
 *     }
 *     NM_PLUGIN(init)
 *
 * It is compiled by
 *
 *     cc -shared -fPIC softrelu.c $(pkg-config --cflags norma) -o softrelu.so
 *
 * (not linked with the library: it is bound to that of the program), and loaded by
 * nm_plugin_load(), by `--plugin softrelu.so` behind any subcommand of `norma`, or by a network's
 * file, `plugins: [softrelu.so]`, where that may load code. `norma new op NAME` writes one. A
 * program that has the ops itself needs no plugin: nm_main() in norma_command.h takes the same
 * function. */
#ifndef NM_MODELS_PLUGIN_H
#define NM_MODELS_PLUGIN_H

#include "core/plugin.h"
#include "models/layer.h"
#include "optim/data/dataset.h"
#include "optim/loss.h"
#include "optim/metric.h"
#include "optim/optimizer.h"
#include "optim/probe.h"
#include "optim/schedule.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Loads a plugin and lets it register what it has. `path` is from the current folder, whatever the
 * system's path of libraries. A file that the context has already is fine, and nothing is done.
 *
 * It is code, which may do all that the program may: load none that you would not run. Functions of
 * it run that the system calls when it loads a shared object; then its ABI number and the sizes of
 * its structs are checked; only then its init function runs, which registers, and fails by
 * nm_fail() and a status. Descriptors may be static: a plugin stays until the process ends, as
 * others may have what is in it. Each context loads it anew.
 *
 * NM_ERROR_IO where there is no such file, NM_ERROR_FORMAT where the system cannot load it,
 * NM_ERROR_INPUT where it is no plugin of this Norma or a name is taken; and what init() says.
 * Messages begin with "plugin PATH". After a failure, nothing of it is registered. */
NM_API nm_status nm_plugin_load(nm_context *context, const char *path);

/* Whether networks' files may load the plugins that they name (`plugins`). At first they may not: a
 * file of a stranger is data, and a plugin is code. They may name those that are loaded already. */
NM_API void nm_plugin_allow(nm_context *context, bool files_may_load);

/* Structs of whose size plugin and library must think alike. */
#define NM_PLUGIN_STRUCTS(X)                                                                       \
    X(nm_item)                                                                                     \
    X(nm_spec)                                                                                     \
    X(nm_option)                                                                                   \
    X(nm_choice)                                                                                   \
    X(nm_shape)                                                                                    \
    X(nm_op)                                                                                       \
    X(nm_port)                                                                                     \
    X(nm_sample)                                                                                   \
    X(nm_infer)                                                                                    \
    X(nm_run)                                                                                      \
    X(nm_vjp)                                                                                      \
    X(nm_compose)                                                                                  \
    X(nm_layer_type)                                                                               \
    X(nm_layer)                                                                                    \
    X(nm_layers)                                                                                   \
    X(nm_pass)                                                                                     \
    X(nm_entry)                                                                                    \
    X(nm_initializer_type)                                                                         \
    X(nm_random)                                                                                   \
    X(nm_loss_type)                                                                                \
    X(nm_batch)                                                                                    \
    X(nm_ignored)                                                                                  \
    X(nm_optimizer_type)                                                                           \
    X(nm_update)                                                                                   \
    X(nm_schedule_type)                                                                            \
    X(nm_moment)                                                                                   \
    X(nm_watch)                                                                                    \
    X(nm_dataset_type)                                                                             \
    X(nm_dataset)                                                                                  \
    X(nm_schema)                                                                                   \
    X(nm_metric_type)                                                                              \
    X(nm_metric_state)                                                                             \
    X(nm_metric_batch)                                                                             \
    X(nm_probe_type)                                                                               \
    X(nm_probe_layer)                                                                              \
    X(nm_probe_view)
#define NM_PLUGIN_STRUCT(type) {#type, sizeof(type)},

/* Makes a shared object a plugin; once, in one of its files, with the function that registers:
 * nm_status init(nm_context *context). It defines what nm_plugin_load() looks for, the variable
 * nm_plugin_abi and the entry nm_plugin_init(). */
#define NM_PLUGIN(init)                                                                            \
    NM_PLUGIN_BEGIN                                                                                \
    NM_API extern const nm_plugin_built nm_plugin_abi;                                             \
    NM_API nm_status nm_plugin_init(nm_context *context);                                          \
    static const nm_plugin_struct nm_plugin_structs[] = {NM_PLUGIN_STRUCTS(NM_PLUGIN_STRUCT)};     \
    const nm_plugin_built nm_plugin_abi = {NM_ABI, NM_COUNT_OF(nm_plugin_structs),                 \
                                           nm_plugin_structs, nm_library_mark};                    \
    nm_status nm_plugin_init(nm_context *context)                                                  \
    {                                                                                              \
        return (init)(context);                                                                    \
    }                                                                                              \
    NM_PLUGIN_END

#ifdef __cplusplus
#define NM_PLUGIN_BEGIN extern "C" {
#define NM_PLUGIN_END }
#else
#define NM_PLUGIN_BEGIN
#define NM_PLUGIN_END
#endif

#ifdef __cplusplus
}
#endif
#endif
