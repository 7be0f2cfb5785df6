"""Gradient descent against CalCIL's loop, and against the loop that one would write by hand.

All solve the same deconvolution by Adam. CalCIL's algorithm: one jitted step per Python iteration,
keys split eagerly, losses collected; its demo pads, and transforms the PSF, in every step.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from measure import Times, interleave, milliseconds, ratio
from report import Row

GROUP = "Descent (JAX, float32, Adam, deconvolution)"
TARGETS = {64: "≥5", 256: "≥2", 512: "≥1.6"}


def scene(n: int):
    """Image, PSF of its size with a small support, and measurement."""
    rng = np.random.default_rng(0)
    x = rng.random((n, n)).astype(np.float32)
    radius = np.hypot(*np.mgrid[-(n // 2) : n - n // 2, -(n // 2) : n - n // 2])
    psf = np.exp(-((radius / 2) ** 2)).astype(np.float32)
    return x, psf / psf.sum()


def padded(psf):
    """Forward model of CalCIL's demo: zero-padded FFT convolution, cropped."""
    import jax.numpy as jnp

    n = psf.shape[0]

    def forward(x):
        size = (2 * n - 1, 2 * n - 1)
        full = jnp.fft.irfft2(jnp.fft.rfft2(x, size) * jnp.fft.rfft2(psf, size), size)
        return full[n // 2 : n // 2 + n, n // 2 : n // 2 + n]

    return forward


def calcil_loop(forward, y, n_steps):
    """CalCIL's algorithm, written from its description."""
    import jax
    import jax.numpy as jnp
    import optax

    tx = optax.adam(1e-2)

    @jax.jit
    def step(params, state, batch, rngs):  # noqa: ARG001
        def loss(params):
            value = jnp.mean((batch["y"] - forward(params["x"])) ** 2)
            return value, {"l2": value}

        (_, terms), grads = jax.value_and_grad(loss, has_aux=True)(params)
        update, state = tx.update(grads, state, params)
        return optax.apply_updates(params, update), state, terms

    def run():
        params = {"x": jnp.zeros_like(y)}
        state, rngs, losses = tx.init(params), {"params": jax.random.PRNGKey(0)}, []
        for _ in range(n_steps):
            used, rngs = {}, dict(rngs)
            for name, key in rngs.items():
                used[name], rngs[name] = jax.random.split(key)
            params, state, terms = step(params, state, {"y": y}, used)
            losses.append(terms)
        return jax.block_until_ready(params)

    return run


def hand_loop(forward, y, n_steps):
    """`lax.scan` over Optax steps."""
    import jax
    import jax.numpy as jnp
    import optax

    tx = optax.adam(1e-2)

    @jax.jit
    def scan(x, y):
        def step(carry, _):
            x, state = carry
            value, grad = jax.value_and_grad(lambda x: jnp.mean((forward(x) - y) ** 2))(x)
            update, state = tx.update(grad, state, x)
            return (optax.apply_updates(x, update), state), value

        return jax.lax.scan(step, (x, tx.init(x)), None, length=n_steps)

    return lambda: jax.block_until_ready(scan(jnp.zeros_like(y), y))


def ours(forward, y, n_steps, **settings):
    """`reconstruct` with the same arguments each time."""
    import jax
    import jax.numpy as jnp

    from reconic import descent as rd

    model = forward if hasattr(forward, "in_shape") else (lambda v, batch: forward(v["x"]))  # noqa: ARG005
    loss, opt, start = rd.l2("y"), rd.adam(1e-2), {"x": jnp.zeros_like(y)}

    def run():
        fit = rd.reconstruct(
            model, start, {"y": y}, loss, opt, epochs=n_steps, progress=False, **settings
        )
        return jax.block_until_ready(fit.variables)

    return run


def candidates(n: int, n_steps: int, folder: str):
    import jax.numpy as jnp

    from reconic.systems import Convolution

    x, psf = scene(n)
    small = psf[n // 2 - 8 : n // 2 + 9, n // 2 - 8 : n // 2 + 9]
    A = Convolution.from_psf(jnp.asarray(small), (n, n))
    y = A(jnp.asarray(x))
    same = padded(jnp.asarray(psf))
    images = {
        "images": lambda v: v,
        "images_every": 100,
        "log_every": 100,
        "checkpoint_every": 10**9,
    }
    return {
        "calcil": calcil_loop(same, y, n_steps),
        "ours": ours(A, y, n_steps),
        "ours, same arithmetic": ours(same, y, n_steps),
        "hand": hand_loop(A, y, n_steps),
        "ours, logged": ours(A, y, n_steps, run=Path(folder, "run"), **images),
    }


def first_call(make, n_steps: int) -> float:
    """Seconds of a first call, which compiles."""
    import jax

    jax.clear_caches()
    run = make(n_steps)
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compile_ratio(rounds: int = 5) -> float:
    """Time of our first call over that of the loop by hand, at 64²."""
    import jax.numpy as jnp

    from reconic.systems import Convolution

    x, psf = scene(64)
    A = Convolution.from_psf(jnp.asarray(psf[24:41, 24:41]), (64, 64))
    y = A(jnp.asarray(x))
    pairs = [
        (first_call(lambda k: ours(A, y, k), 2), first_call(lambda k: hand_loop(A, y, k), 2))
        for _ in range(rounds + 1)
    ][1:]
    return float(np.median([a / b for a, b in pairs]))


def rows(device: str, quick: bool) -> list[Row]:
    """Rows of the table, for `run.py`."""
    found = []
    sizes = {64: 200} if quick else {64: 2000, 256: 300, 512: 100}
    for n, n_steps in sizes.items():
        with tempfile.TemporaryDirectory() as folder:
            times = interleave(candidates(n, n_steps, folder), 3 if quick else 9, warm_up=1)
        found += size_rows(n, n_steps, times, device)
    value = compile_ratio(1 if quick else 5)
    detail = "first call at 64², caches empty, over that of the loop by hand"
    return [*found, Row(GROUP, "compilation", value, "×", device, "≤1.3", detail)]


def size_rows(n: int, n_steps: int, times: Times, device: str) -> list[Row]:
    def row(name: str, of: str, over: str, target: str, what: str) -> Row:
        per_step = f"{milliseconds(times, 'ours') / n_steps:.3g} ms a step; {what}"
        return Row(GROUP, f"{n}²: {name}", ratio(times, of, over), "×", device, target, per_step)

    return [
        row("CalCIL's loop", "calcil", "ours", TARGETS[n], "each as its user writes it"),
        row("CalCIL's loop, arithmetic alike", "calcil", "ours, same arithmetic", "", "same FFTs"),
        row("over a scan by hand", "ours", "hand", "≤1.05", "nothing logged"),
        row("over a scan by hand, logged", "ours, logged", "hand", "≤1.15",
            "scalars and images every 100 steps"),
    ]  # fmt: skip
