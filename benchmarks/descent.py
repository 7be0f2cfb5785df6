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

    start = jnp.zeros_like(y)
    scan = scan_by_hand(n_steps)
    return lambda: jax.block_until_ready(scan(start, forward, y))


def scan_by_hand(n_steps):
    """Compiled function of start, System and measurement."""
    import jax
    import jax.numpy as jnp
    import optax

    tx = optax.adam(1e-2)

    @jax.jit
    def scan(x, A, y):
        def step(carry, _):
            x, state = carry
            value, grad = jax.value_and_grad(lambda x: jnp.mean((A(x) - y) ** 2))(x)
            update, state = tx.update(grad, state, x)
            return (optax.apply_updates(x, update), state), value

        return jax.lax.scan(step, (x, tx.init(x)), None, length=n_steps)

    return scan


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


def deconvolution(n: int):
    """Convolution with a small PSF, and a measurement by it."""
    import jax.numpy as jnp

    from reconic.systems import Convolution

    x, psf = scene(n)
    small = psf[n // 2 - 8 : n // 2 + 9, n // 2 - 8 : n // 2 + 9]
    A = Convolution.from_psf(jnp.asarray(small), (n, n))
    return A, A(jnp.asarray(x))


def candidates(n: int, n_steps: int):
    import jax.numpy as jnp

    A, y = deconvolution(n)
    same = padded(jnp.asarray(scene(n)[1]))
    return {
        "calcil": calcil_loop(same, y, n_steps),
        "ours": ours(A, y, n_steps),
        "ours, same arithmetic": ours(same, y, n_steps),
        "hand": hand_loop(A, y, n_steps),
    }


def logged(n: int, n_steps: int, folder: str):
    """A run with its folder, scalars and images every 100 steps, against the loop by hand."""
    A, y = deconvolution(n)
    settings = {"images": lambda v: v, "images_every": 100, "log_every": 100,
                "checkpoint_every": 10**9}  # fmt: skip
    return {
        "ours, logged": ours(A, y, n_steps, run=Path(folder, "run"), **settings),
        "hand": hand_loop(A, y, n_steps),
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
    A, y = deconvolution(64)
    pairs = [
        (first_call(lambda k: ours(A, y, k), 2), first_call(lambda k: hand_loop(A, y, k), 2))
        for _ in range(rounds + 1)
    ][1:]
    return float(np.median([a / b for a, b in pairs]))


def compilations_of_second_call() -> int:
    """Programs that XLA compiles in a call with other values and another number of epochs."""
    import jax

    A, y = deconvolution(64)
    other, found = jax.block_until_ready(0.5 * y), []
    ours(A, y, 20)()

    def count(event: str, seconds: float, **_) -> None:  # noqa: ARG001
        if event.endswith("backend_compile_duration"):
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(count)
    ours(A, other, 33)()
    jax.monitoring.clear_event_listeners()
    return len(found)


def extra_memory(n: int = 512) -> float:
    """Peak bytes of our compiled loop beyond those of the loop by hand, in copies of the image."""
    import jax.numpy as jnp

    from reconic import descent as rd
    from reconic.descent.loop import Batches, advance
    from reconic.descent.problem import make_problem
    from reconic.descent.state import start

    A, y = deconvolution(n)
    x = jnp.zeros_like(y)
    problem = make_problem(A, {"x": x}, rd.l2("y"), rd.adam(1e-2), n_batches=1)
    state = start(problem.program, problem.arrays, 0, 0, True)
    mine = advance.lower(
        problem.program, Batches(1, 1), state, problem.model, {"y": y}, {}, problem.weights, 10
    )
    hand = scan_by_hand(10).lower(x, A, y)
    mine, hand = (peak(program.compile().memory_analysis()) for program in (mine, hand))
    return (mine + x.nbytes - hand) / x.nbytes  # our state is donated: the caller's start is extra


def peak(memory) -> int:
    """Bytes that a program needs at most."""
    used = memory.argument_size_in_bytes + memory.output_size_in_bytes
    return used - memory.alias_size_in_bytes + memory.temp_size_in_bytes


def rows(device: str, quick: bool) -> list[Row]:
    """Rows of the table, for `run.py`."""
    found, rounds = [], 3 if quick else 9
    # steps of a call: enough for what is done once a call, such as the run folder, not to count
    sizes = {64: (200, 200)} if quick else {64: (4000, 20000), 256: (300, 2000), 512: (100, 500)}
    for n, (n_steps, n_logged) in sizes.items():
        times = interleave(candidates(n, n_steps), rounds, warm_up=1)
        with tempfile.TemporaryDirectory() as folder:
            with_log = interleave(logged(n, n_logged, folder), rounds, warm_up=1)
        found += size_rows(n, n_steps, times, device)
        value = ratio(with_log, "ours, logged", "hand")
        detail = f"scalars and images every 100 of {n_logged} steps, a checkpoint at the end"
        name = f"{n}²: over a scan by hand, logged"
        found.append(Row(GROUP, name, value, "×", device, "≤1.15", detail))
    return [*found, *fixed_rows(device, quick)]


def fixed_rows(device: str, quick: bool) -> list[Row]:
    compile_detail = "first call at 64², caches empty, over that of the loop by hand"
    again_detail = "compiled in a second call with other values and another number of epochs"
    memory_detail = "peak of XLA's plan beyond that of the loop by hand; 512², the best is kept"
    value = compile_ratio(1 if quick else 5)
    return [
        Row(GROUP, "compilation", value, "×", device, "≤1.3", compile_detail),
        Row(GROUP, "second call", compilations_of_second_call(), "programs", device, "≤0",
            again_detail),
        Row(GROUP, "memory", extra_memory(), "copies", device, "≤1.05", memory_detail),
    ]  # fmt: skip


def size_rows(n: int, n_steps: int, times: Times, device: str) -> list[Row]:
    def row(name: str, of: str, over: str, target: str, what: str) -> Row:
        per_step = f"{milliseconds(times, 'ours') / n_steps:.3g} ms a step; {what}"
        return Row(GROUP, f"{n}²: {name}", ratio(times, of, over), "×", device, target, per_step)

    return [
        row("CalCIL's loop", "calcil", "ours", TARGETS[n], "each as its user writes it"),
        row("CalCIL's loop, arithmetic alike", "calcil", "ours, same arithmetic", "", "same FFTs"),
        row("over a scan by hand", "ours", "hand", "≤1.05", "nothing logged"),
    ]  # fmt: skip
