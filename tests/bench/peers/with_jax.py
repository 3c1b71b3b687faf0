"""JAX in the way of kept.py: the whole step compiled, its state donated; channels last, as in Norma. In bf16
all but the softmax, the parameters and their update is computed.

usage: with_jax.py THREADS"""
import os
import sys

os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:int(sys.argv[1])])  # that many threads JAX has
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

import jax_networks  # noqa: E402
import kept  # noqa: E402


def find(network):
    """(what makes it, a sample's shape, momentum) of a name or of sizes: 784-100-10."""
    if network in jax_networks.NETWORKS:
        return (*jax_networks.NETWORKS[network], jax_networks.MOMENTUM)
    sizes = [int(size) for size in network.split("-")]
    return lambda: jax_networks.perceptron(sizes, jax.nn.relu, None), (sizes[0],), 0


def predictor(make, shape, batch):
    parameters, forward = make()
    x = jax.random.normal(next(jax_networks.KEYS), (batch, *shape))
    predict = jax.jit(lambda parameters, x: forward(parameters, x, []))
    return lambda: predict(parameters, x)


def waiting(step):
    return lambda: jax.block_until_ready(step())


def ways(what, network, batch):
    make, shape, momentum = find(network)
    if what == "predict":
        yield "", waiting(predictor(make, shape, batch))
    elif what in ("train", "train_bf16"):
        dtype = jnp.bfloat16 if what == "train_bf16" else jnp.float32
        yield "", waiting(jax_networks.stepper(make, shape, batch, momentum, dtype))


kept.serve(ways)
