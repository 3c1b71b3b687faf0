/* Norma: a small autodiff framework with batch and weight normalization. This header includes the
 * public ones and nothing else. */
#ifndef NORMA_H
#define NORMA_H

#include "core/context.h"
#include "core/file.h"
#include "core/op.h"
#include "core/option.h"
#include "core/random.h"
#include "core/registry.h"
#include "core/store.h"
#include "core/tape.h"
#include "core/tensor.h"
#include "core/thread.h"
#include "core/value.h"
#include "models/config.h"
#include "models/initializer.h"
#include "models/layer.h"
#include "models/model.h"
#include "models/open.h"
#include "ops/ops.h"

#endif
