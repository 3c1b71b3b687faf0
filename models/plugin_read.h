/* The part `plugins` of a network's file. */
#ifndef NM_MODELS_PLUGIN_READ_H
#define NM_MODELS_PLUGIN_READ_H

#include "core/value.h"

/* Sees to it that the plugins are loaded that `value` names, a path or a list of them (NULL: none),
 * before anything is read that may be of one. False where an error was reported. */
bool nm_plugins_read(const nm_value *value, nm_document *document, nm_diagnostics *d);

#endif
