/* Norma: a small autodiff framework with batch and weight normalization. This header includes the
 * public ones and nothing else. */
#ifndef NORMA_H
#define NORMA_H

/* The engine */
#include "core/context.h"
#include "core/derivatives.h"
#include "core/file.h"
#include "core/graph/graph.h"
#include "core/graph/plan.h"
#include "core/op.h"
#include "core/option.h"
#include "core/plugin.h"
#include "core/random.h"
#include "core/registry.h"
#include "core/store.h"
#include "core/tape.h"
#include "core/tensor.h"
#include "core/thread.h"
#include "core/value.h"

/* Ops, and what ops of your own are written with */
#include "ops/define.h"
#include "ops/elementwise.h"
#include "ops/ops.h"
#include "ops/passes/passes.h"

/* Training */
#include "optim/calibration.h"
#include "optim/checkpoint.h"
#include "optim/clip.h"
#include "optim/data/data.h"
#include "optim/data/dataset.h"
#include "optim/evaluate.h"
#include "optim/from.h"
#include "optim/groups.h"
#include "optim/data/loader.h"
#include "optim/data/open_file.h"
#include "optim/data/schema.h"
#include "optim/data/sources.h"
#include "optim/data/split/split.h"
#include "optim/groups.h"
#include "optim/learn.h"
#include "optim/loss.h"
#include "optim/metric.h"
#include "optim/network.h"
#include "optim/optim.h"
#include "optim/optimizer.h"
#include "optim/optimizers.h"
#include "optim/probe.h"
#include "optim/saved.h"
#include "optim/schedule.h"
#include "optim/statistics.h"
#include "optim/traced.h"
#include "optim/trainer.h"

/* Networks */
#include "models/check.h"
#include "models/compare.h"
#include "models/config.h"
#include "models/initializer.h"
#include "models/layer.h"
#include "models/model.h"
#include "models/open.h"
#include "models/parameters.h"
#include "models/plugin.h"
#include "models/predictor.h"

#endif
