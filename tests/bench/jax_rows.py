"""The training steps and batch norms of `norma bench` in JAX, one JSON object a line, under the same names.

usage: jax_rows.py THREADS SECONDS [FILTER]     SECONDS: for each row; FILTER: part of a name

A step is one compiled function whose state is donated: forward, backward, SGD with momentum, and the running
statistics. Channels are last, as in Norma.
"""
import json
import os
import statistics
import sys
import time

THREADS, SECONDS = int(sys.argv[1]), float(sys.argv[2])
FILTER = sys.argv[3] if len(sys.argv) > 3 else ""
# JAX has as many threads as processors, and asks when it is loaded.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

from jax_networks import KEYS, NETWORKS, normalize, stepper  # noqa: E402

NORM_SHAPES = [(128, 32, 32, 16), (128, 8, 8, 64), (64, 14, 14, 64), (128, 512)]


# ---- The clock ----

def measure(name, batch, step):
    for _ in range(4):
        jax.block_until_ready(step())
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        jax.block_until_ready(step())
        times.append((time.perf_counter() - start) * 1e6)
    print(json.dumps({"name": name, "batch": batch, "threads": THREADS, "layout": "", "way": "",
                      "precision": "f32", "us_best": min(times),
                      "us_median": statistics.median(times)}), flush=True)


# ---- Rows ----

def train(name, batch):
    if FILTER in name:
        measure(name, batch, stepper(*NETWORKS[name], batch))


def batch_norm(shape):
    text = "x".join(map(str, shape))
    x, dy = (jax.random.normal(next(KEYS), shape) for _ in range(2))
    scale, shift = jnp.ones(shape[-1]), jnp.zeros(shape[-1])
    forward = jax.jit(normalize)

    @jax.jit
    def both(x, scale, shift, dy):
        outputs, back = jax.vjp(normalize, x, scale, shift)
        return outputs, back((dy, jnp.zeros(shape[-1]), jnp.zeros(shape[-1])))

    if FILTER in "batch_norm " + text:
        measure("batch_norm " + text, shape[0], lambda: forward(x, scale, shift))
    if FILTER in "batch_norm+grad " + text:
        measure("batch_norm+grad " + text, shape[0], lambda: both(x, scale, shift, dy))


train("mlp_bn_paper", 60)
train("mlp_bn", 128)
train("mlp_wn", 128)
train("cnn_bn", 64)
train("cnn_wn", 64)
train("resnet20_bn", 128)
for norm_shape in NORM_SHAPES:
    batch_norm(norm_shape)
