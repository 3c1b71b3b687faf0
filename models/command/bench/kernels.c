/* One op at a time: forward, and with its gradient. */
#include <stdio.h>
#include <string.h>

#include "models/command/bench/bench.h"

/* A row is an op on one sample, as in the op's own samples for the gradient check. */
typedef struct kernel {
    const char *name; /* of the op, and what it is run on */
    const char *op;
    bench_sample sample;
} kernel;

static const kernel kernels[] = {
    {"batch_norm 128x32x32x16",
     "batch_norm",
     {.in = {NM_NORMAL(128, 32, 32, 16), NM_NORMAL(16), NM_NORMAL(16)}}},
    {"batch_norm 128x8x8x64",
     "batch_norm",
     {.in = {NM_NORMAL(128, 8, 8, 64), NM_NORMAL(64), NM_NORMAL(64)}}},
    {"batch_norm 64x14x14x64",
     "batch_norm",
     {.in = {NM_NORMAL(64, 14, 14, 64), NM_NORMAL(64), NM_NORMAL(64)}}},
    {"batch_norm 128x512",
     "batch_norm",
     {.in = {NM_NORMAL(128, 512), NM_NORMAL(512), NM_NORMAL(512)}}},
    {"batch_norm_activation 64x14x14x64",
     "batch_norm_activation",
     {.options = "{activation: relu}",
      .in = {NM_NORMAL(64, 14, 14, 64), NM_NORMAL(64), NM_NORMAL(64)}}},
    {"batch_norm_max_pool2d 64x28x28x32",
     "batch_norm_max_pool2d",
     {.options = "{activation: relu}",
      .in = {NM_NORMAL(64, 28, 28, 32), NM_NORMAL(32), NM_NORMAL(32)}}},
    {"layer_norm 4096x768",
     "layer_norm",
     {.in = {NM_NORMAL(4096, 768), NM_NORMAL(768), NM_NORMAL(768)}}},
    {"rms_norm 4096x768", "rms_norm", {.in = {NM_NORMAL(4096, 768), NM_NORMAL(768)}}},
    {"group_norm 64x14x14x64",
     "group_norm",
     {.options = "{groups: 8}", .in = {NM_NORMAL(64, 14, 14, 64), NM_NORMAL(64), NM_NORMAL(64)}}},
    {"instance_norm 64x14x14x64",
     "instance_norm",
     {.in = {NM_NORMAL(64, 14, 14, 64), NM_NORMAL(64), NM_NORMAL(64)}}},
    {"weight_norm 512x784",
     "weight_norm",
     {.options = "{axis: 0}", .in = {NM_NORMAL(512, 784), NM_UNIFORM(1, 2, 512)}}},
    {"weight_norm 2048x2048",
     "weight_norm",
     {.options = "{axis: 0}", .in = {NM_NORMAL(2048, 2048), NM_UNIFORM(1, 2, 2048)}}},
    {"cross_entropy 128x10", "cross_entropy", {.in = {NM_NORMAL(128, 10), NM_INDEX(10, 128)}}},
    {"cross_entropy 1024x1000",
     "cross_entropy",
     {.in = {NM_NORMAL(1024, 1000), NM_INDEX(1000, 1024)}}},
    {"softmax 1024x1000", "softmax", {.in = {NM_NORMAL(1024, 1000)}}},
    {"max_pool2d 64x28x28x32",
     "max_pool2d",
     {.options = "{kernel: [2, 2]}", .in = {NM_NORMAL(64, 28, 28, 32)}}},
    {"relu 64x28x28x32", "relu", {.in = {NM_NORMAL(64, 28, 28, 32)}}},
    {"sigmoid 128x512", "sigmoid", {.in = {NM_NORMAL(128, 512)}}},
    {"gelu 64x28x28x32", "gelu", {.in = {NM_NORMAL(64, 28, 28, 32)}}},
    {"sum 128x32x32x16", "sum", {.in = {NM_NORMAL(128, 32, 32, 16)}}},
    {"matmul 64x64x64", "matmul", {.in = {NM_NORMAL(64, 64), NM_NORMAL(64, 64)}}},
    {"matmul 1024x1024x1024", "matmul", {.in = {NM_NORMAL(1024, 1024), NM_NORMAL(1024, 1024)}}},
    {"dense 64x100x784",
     "dense",
     {.in = {NM_NORMAL(64, 784), NM_NORMAL(100, 784), NM_NORMAL(100)}}},
    {"dense 128x256x784",
     "dense",
     {.in = {NM_NORMAL(128, 784), NM_NORMAL(256, 784), NM_NORMAL(256)}}},
    {"dense 128x512x784",
     "dense",
     {.in = {NM_NORMAL(128, 784), NM_NORMAL(512, 784), NM_NORMAL(512)}}},
    {"lstm 32x64x64, 128",
     "lstm",
     {.in = {NM_NORMAL(32, 64, 64), NM_UNIFORM(-0.1, 0.1, 512, 64), NM_UNIFORM(-0.1, 0.1, 512, 128),
             NM_NORMAL(512), NM_NORMAL(512)}}},
    {"lstm 1x32x16, 16",
     "lstm",
     {.in = {NM_NORMAL(1, 32, 16), NM_UNIFORM(-0.2, 0.2, 64, 16), NM_UNIFORM(-0.2, 0.2, 64, 16),
             NM_NORMAL(64), NM_NORMAL(64)}}},
    {"gru 32x64x64, 128",
     "gru",
     {.in = {NM_NORMAL(32, 64, 64), NM_UNIFORM(-0.1, 0.1, 384, 64), NM_UNIFORM(-0.1, 0.1, 384, 128),
             NM_NORMAL(384), NM_NORMAL(384)}}},
    {"gru 1x32x16, 16",
     "gru",
     {.in = {NM_NORMAL(1, 32, 16), NM_UNIFORM(-0.2, 0.2, 48, 16), NM_UNIFORM(-0.2, 0.2, 48, 16),
             NM_NORMAL(48), NM_NORMAL(48)}}},
    {"conv2d 64x28x28, 1 to 32",
     "conv2d",
     {.options = "{padding: [1]}",
      .in = {NM_NORMAL(64, 28, 28, 1), NM_NORMAL(32, 3, 3, 1), NM_NORMAL(32)}}},
    {"conv2d 64x14x14, 32 to 64",
     "conv2d",
     {.options = "{padding: [1]}",
      .in = {NM_NORMAL(64, 14, 14, 32), NM_NORMAL(64, 3, 3, 32), NM_NORMAL(64)}}},
    {"conv2d 128x32x32, 16 to 16",
     "conv2d",
     {.options = "{padding: [1]}",
      .in = {NM_NORMAL(128, 32, 32, 16), NM_NORMAL(16, 3, 3, 16), NM_NORMAL(16)}}},
    {"conv2d 128x8x8, 64 to 64",
     "conv2d",
     {.options = "{padding: [1]}",
      .in = {NM_NORMAL(128, 8, 8, 64), NM_NORMAL(64, 3, 3, 64), NM_NORMAL(64)}}},
};

nm_status bench_kernels(bench *b)
{
    nm_status status = NM_OK;
    b->heading = "One op";
    for (int i = 0; i < NM_COUNT_OF(kernels) && status == NM_OK; i++) {
        const kernel *k = &kernels[i];
        char name[128];
        size_t op = strlen(k->op);
        snprintf(name, sizeof name, "%s+grad%s", k->op, k->name + op);
        if (bench_wanted(b, k->name)) {
            status = bench_op(b, k->name, nm_find_op(b->context, k->op), &k->sample, false);
        }
        if (status == NM_OK && bench_wanted(b, name)) {
            status = bench_op(b, name, nm_find_op(b->context, k->op), &k->sample, true);
        }
    }
    return status;
}
