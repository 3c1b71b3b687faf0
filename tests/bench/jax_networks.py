"""The networks that Norma is compared on, in JAX: each is parameters and a forward function. To be imported when
it is settled on which processors the process runs, since JAX asks then."""
import functools

import jax
import jax.numpy as jnp
from jax import lax

BN_PAPER = [784, 100, 100, 100, 10]
MLP = [784, 512, 256, 10]
RATE, MOMENTUM = 0.01, 0.9
KEYS = iter(jax.random.split(jax.random.key(0), 1000))


# ---- Layers: parameters are dictionaries; `statistics` collects batch norm's ----

def linear(*shape, norm=None):
    """A weight whose last axis is the output's; its bias or what its norm has."""
    fan_in = functools.reduce(lambda a, b: a * b, shape[:-1])
    weight = jax.random.normal(next(KEYS), shape) * (2 / fan_in) ** 0.5
    layer = {"w": weight, "b": jnp.zeros(shape[-1])}
    if norm == "bn":
        layer.update(scale=jnp.ones(shape[-1]), shift=jnp.zeros(shape[-1]))
    if norm == "wn":
        layer["g"] = jnp.sqrt((weight ** 2).sum(tuple(range(weight.ndim - 1))))
    return layer


def weight_of(layer):
    w = layer["w"]
    if "g" not in layer:
        return w
    return w * (layer["g"] * lax.rsqrt((w ** 2).sum(tuple(range(w.ndim - 1)))))


def normalize(x, scale, shift):
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes)
    var = ((x - mean) ** 2).mean(axes)
    return (x - mean) * lax.rsqrt(var + 1e-5) * scale + shift, mean, var


def finish(layer, x, collected):
    if "scale" not in layer:
        return x
    x, mean, var = normalize(x, layer["scale"], layer["shift"])
    collected += [mean, var]
    return x


def dense(layer, x, collected):
    return finish(layer, x @ weight_of(layer) + layer["b"], collected)


def conv(layer, x, collected, stride=1):
    y = lax.conv_general_dilated(x, weight_of(layer), (stride, stride), "SAME",
                                 dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return finish(layer, y + layer["b"], collected)


def pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


# ---- Networks: (parameters, forward), where forward takes parameters, x and the list of statistics ----

def perceptron(sizes, activation, norm):
    def forward(layers, x, collected):
        for layer in layers[:-1]:
            x = activation(dense(layer, x, collected))
        return dense(layers[-1], x, collected)

    pairs = list(zip(sizes[:-1], sizes[1:]))
    return [linear(*pair, norm=norm) for pair in pairs[:-1]] + [linear(*pairs[-1])], forward


def cnn(norm):
    def forward(layers, x, collected):
        for layer in layers[:-1]:
            x = pool(jax.nn.relu(conv(layer, x, collected)))
        return dense(layers[-1], x.reshape(x.shape[0], -1), collected)

    return [linear(3, 3, 1, 32, norm=norm), linear(3, 3, 32, 64, norm=norm),
            linear(64 * 7 * 7, 10)], forward


def block(before, after):
    layers = [linear(3, 3, before, after, norm="bn"), linear(3, 3, after, after, norm="bn")]
    return layers if before == after else layers + [linear(1, 1, before, after, norm="bn")]


def residual(layers, x, collected):
    stride = 1 if len(layers) == 2 else 2
    y = conv(layers[1], jax.nn.relu(conv(layers[0], x, collected, stride)), collected)
    return jax.nn.relu(y + (x if stride == 1 else conv(layers[2], x, collected, stride)))


def resnet20():
    def forward(layers, x, collected):
        x = jax.nn.relu(conv(layers["first"], x, collected))
        for part in layers["blocks"]:
            x = residual(part, x, collected)
        return dense(layers["last"], x.mean((1, 2)), collected)

    widths = [16] * 4 + [32] * 3 + [64] * 3
    return {"first": linear(3, 3, 3, 16, norm="bn"), "last": linear(64, 10),
            "blocks": [block(*pair) for pair in zip(widths[:-1], widths[1:])]}, forward


# name: what makes it, a sample's shape
NETWORKS = {
    "mlp_bn_paper": (lambda: perceptron(BN_PAPER, jax.nn.sigmoid, "bn"), (784,)),
    "mlp_bn": (lambda: perceptron(MLP, jax.nn.relu, "bn"), (784,)),
    "mlp_wn": (lambda: perceptron(MLP, jax.nn.relu, "wn"), (784,)),
    "cnn_bn": (lambda: cnn("bn"), (28, 28, 1)),
    "cnn_wn": (lambda: cnn("wn"), (28, 28, 1)),
    "resnet20_bn": (resnet20, (32, 32, 3)),
}


# ---- A step, compiled whole ----

def loss_of(forward, dtype):
    """Computed in `dtype` but for the softmax; parameters and their gradients are f32."""
    def loss(parameters, x, labels):
        collected = []
        parameters, x = jax.tree.map(lambda p: p.astype(dtype), (parameters, x))
        logits = jax.nn.log_softmax(forward(parameters, x, collected).astype(jnp.float32))
        return -jnp.take_along_axis(logits, labels[:, None], 1).mean(), collected
    return loss


def step_of(forward, momentum, dtype):
    """state -> state: parameters, velocities, running statistics."""
    gradient = jax.value_and_grad(loss_of(forward, dtype), has_aux=True)

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state, x, labels):
        parameters, velocities, running = state
        (loss, collected), gradients = gradient(parameters, x, labels)
        velocities = jax.tree.map(lambda v, g: momentum * v + g, velocities, gradients)
        parameters = jax.tree.map(lambda p, v: p - RATE * v, parameters, velocities)
        return (parameters, velocities,
                [0.9 * r + 0.1 * c for r, c in zip(running, collected)]), loss
    return step


def stepper(make, shape, batch, momentum=MOMENTUM, dtype=jnp.float32):
    """A function without arguments that does a training step; what it returns is to be waited for."""
    parameters, forward = make()
    x = jax.random.normal(next(KEYS), (batch, *shape))
    labels = jax.random.randint(next(KEYS), (batch,), 0, 10)
    shapes = jax.eval_shape(loss_of(forward, dtype), parameters, x, labels)[1]
    state = [(parameters, jax.tree.map(jnp.zeros_like, parameters),
              [jnp.zeros(s.shape) for s in shapes])]
    compiled = step_of(forward, momentum, dtype)

    def step():
        state[0], loss = compiled(state[0], x, labels)
        return state[0], loss

    return step
