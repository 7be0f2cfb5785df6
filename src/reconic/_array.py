"""The one file that knows there are several array libraries.

Everything else is written against the Python array API standard. What the standard lacks and
Reconic needs from every library (loops that compile, linear maps transposed by autodiff, implicit
differentiation of a linear solve, pytrees) is here, with one branch per library.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from array_api_compat import array_namespace as _array_namespace
from array_api_compat import (
    device,
    is_array_api_obj,
    is_jax_array,
    is_numpy_array,
    is_torch_array,
    to_device,
)

Array = Any  # NumPy, torch, JAX or array-api-strict; one annotation serves them all

__all__ = [
    "Array",
    "add_scaled",
    "array_namespace",
    "contiguous",
    "device",
    "eigh",
    "eps",
    "fftc",
    "fftn",
    "from_numpy",
    "ifftc",
    "ifftn",
    "implicit_fixed_point",
    "inner",
    "is_array",
    "is_constant",
    "is_jax_array",
    "is_torch_array",
    "is_traced",
    "linear_solve",
    "needs_grad",
    "ordinary",
    "real_dtype",
    "register_pytree",
    "sum_over",
    "to_device",
    "to_numpy",
    "transpose_linear",
    "while_loop",
]


def array_namespace(*arrays: Array) -> Any:
    """Standard namespace that the given arrays share (Python scalars and None are skipped)."""
    return _array_namespace(*arrays, use_compat=None)


def is_array(x: Any) -> bool:
    """Whether `x` is an array of a library that is known."""
    return is_array_api_obj(x)


def to_numpy(x: Array) -> np.ndarray:
    """Copy of `x` in host memory as a NumPy array."""
    if is_torch_array(x):
        return x.detach().resolve_conj().cpu().numpy()
    if is_numpy_array(x) or is_jax_array(x):
        return np.asarray(x)
    return np.asarray(np.from_dlpack(x))


def from_numpy(a: np.ndarray, like: Array) -> Array:
    """`a` as an array of the library, and on the device, of `like`; the dtype is kept."""
    if is_numpy_array(like):
        return a
    xp = array_namespace(like)
    if is_torch_array(like):
        return xp.asarray(a, device=like.device)
    if is_jax_array(like):
        return xp.asarray(a)
    return xp.asarray(a, device=device(like))


def contiguous(x: Array) -> Array:
    """`x` in C order, copied only where it is not; coil-last maps work at half the speed."""
    if is_torch_array(x):
        return x.contiguous()
    return np.ascontiguousarray(x) if is_numpy_array(x) else x


def real_dtype(x: Array) -> Any:
    """Real floating dtype with the precision of `x`."""
    xp = array_namespace(x)
    if not xp.isdtype(x.dtype, "complex floating"):
        return x.dtype
    return xp.float64 if x.dtype == xp.complex128 else xp.float32


def eps(x: Array) -> float:
    """Rounding unit of the dtype of `x`."""
    xp = array_namespace(x)
    return float(xp.finfo(x.dtype).eps)


def needs_grad(*arrays: Array) -> bool:
    """Whether torch is recording a graph for any of `arrays`; False for other libraries."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.is_grad_enabled():
        return False
    return any(is_torch_array(a) and a.requires_grad for a in arrays)


def is_traced(x: Array) -> bool:
    """Whether the values of `x` cannot be looked at: a JAX tracer, or torch's like of one."""
    if is_torch_array(x):
        import torch

        if torch.compiler.is_compiling() or x.is_meta:
            return True
        return torch._C._functorch.is_functorch_wrapped_tensor(x)  # pyright: ignore[reportAttributeAccessIssue]
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(x, jax.core.Tracer)


def is_constant(*arrays: Array | None) -> bool:
    """Whether what comes of `arrays` may be kept: none is traced, or to be differentiated."""
    return not any(is_traced(a) or (is_torch_array(a) and a.requires_grad) for a in arrays)


@contextlib.contextmanager
def ordinary() -> Iterator[None]:
    """Context in which what is computed from constant arrays may be kept.

    An inference tensor of torch could not serve a later backward pass, and a JAX tracer nothing.
    """
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    with contextlib.ExitStack() as stack:
        if torch is not None and torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if jax is not None:
            stack.enter_context(jax.ensure_compile_time_eval())
        yield


# --- vectors --------------------------------------------------------------------------------------


def inner(u: Array, v: Array, n_core: int) -> Array:
    """Re⟨u, v⟩ over the last `n_core` axes, one real number per sample (*batch)."""
    xp = array_namespace(u, v)
    core = tuple(range(-n_core, 0))
    if not xp.isdtype(u.dtype, "complex floating"):
        return xp.sum(u * v, axis=core)
    if is_torch_array(u):  # torch multiplies conjugates by making a copy first
        return xp.sum(_real_view(u) * _real_view(v), axis=(-n_core - 1, *core))
    return xp.sum(xp.real(xp.conj(u) * v), axis=core)


def add_scaled(y: Array, scale: Array, x: Array) -> Array:
    """Sum y + scale · x in one pass; `scale` real, broadcasting against x (*batch, *core)."""
    if is_torch_array(y) and y.is_complex():
        import torch

        return torch.view_as_complex(_real_view(y).addcmul(scale.unsqueeze(-1), _real_view(x)))
    return y + scale * x


def _real_view(x: Array) -> Array:
    import torch

    return torch.view_as_real(x.resolve_conj())


def eigh(a: Array) -> tuple[Array, Array]:
    """Eigenvalues (*batch, n) and eigenvectors (*batch, n, n) of Hermitian matrices (*batch, n, n).

    LAPACK takes one matrix after the other; threads share the batch.
    """
    xp, n = array_namespace(a), _n_threads(a)
    if n == 1 or needs_grad(a):
        return tuple(xp.linalg.eigh(a))
    flat = xp.reshape(a, (-1, *a.shape[-2:]))
    ends = [i * flat.shape[0] // n for i in range(n + 1)]
    pieces = [flat[i:j, ...] for i, j in itertools.pairwise(ends)]
    with ThreadPoolExecutor(n) as pool:  # none is left behind: a process may fork later
        parts = list(pool.map(xp.linalg.eigh, pieces))
    values, vectors = (xp.concat(list(each)) for each in zip(*parts, strict=True))
    return xp.reshape(values, a.shape[:-1]), xp.reshape(vectors, a.shape)


def _n_threads(a: Array) -> int:
    """Threads that may share the matrices `a` (*batch, n, n), each with at least a hundred."""
    n = 1
    if is_torch_array(a) and a.device.type == "cpu":
        import torch

        n = torch.get_num_threads()
    elif is_numpy_array(a):
        n = os.cpu_count() or 1
    return max(1, min(n, math.prod(a.shape[:-2]) // 100))


# --- Fourier transforms ---------------------------------------------------------------------------


def fftn(x: Array, axes: Sequence[int], *, inverse: bool = False) -> Array:
    """Orthonormal FFT over `axes`, zero frequency at index 0."""
    xp = array_namespace(x)
    transform = xp.fft.ifftn if inverse else xp.fft.fftn
    return transform(x, axes=tuple(axes), norm="ortho")


def ifftn(x: Array, axes: Sequence[int]) -> Array:
    """Inverse of `fftn`."""
    return fftn(x, axes, inverse=True)


def fftc(x: Array, axes: Sequence[int]) -> Array:
    """Centred orthonormal FFT over `axes`: the origin of image and k-space is at n//2."""
    before, after = centring(x, axes)
    return fftn(x * before, axes) * after


def ifftc(x: Array, axes: Sequence[int]) -> Array:
    """Inverse, and adjoint, of `fftc`."""
    before, after = centring(x, axes)
    xp = array_namespace(x)
    return ifftn(x * xp.conj(after), axes) * xp.conj(before)


def centring(x: Array, axes: Sequence[int]) -> tuple[Array, Array]:
    """Factors that centre a plain FFT of `x`: fftc(x) = after · fftn(before · x).

    With c = n//2, exp(-2πi (k-c)(m-c)/n) is exp(-2πi km/n) times exp(2πi cm/n) before and
    exp(-2πi c²/n) exp(2πi ck/n) after.
    For even n the factors are signs, for odd n phases. They span the last axes of `x`, from the
    first of `axes` on, with length 1 elsewhere.
    """
    axes = tuple(sorted(a % x.ndim - x.ndim for a in axes))
    lengths = tuple((a, x.shape[a]) for a in axes)
    double = eps(x) < 1e-10
    if is_torch_array(x):
        return _centring_torch(lengths, double, x.device)
    before, after = _centring_numpy(lengths, double)
    if is_jax_array(x):  # a NumPy constant: a cached JAX array could be a leaked tracer
        return before, after
    return from_numpy(before, x), from_numpy(after, x)


@functools.lru_cache(maxsize=64)
def _centring_numpy(lengths: tuple, double: bool) -> tuple[np.ndarray, np.ndarray]:
    before = after = np.ones(())
    first = lengths[0][0]
    for axis, n in lengths:
        shape = [1] * -first
        shape[axis - first] = n
        c = n // 2
        if n % 2 == 0:
            sign = (1.0 - 2.0 * (np.arange(n) % 2)).reshape(shape)
            before, after = before * sign, after * sign * (-1.0) ** c
        else:
            phase = np.exp(2j * np.pi * (c * np.arange(n) % n) / n).reshape(shape)
            before = before * phase
            after = after * phase * np.exp(-2j * np.pi * (c * c % n) / n)
    kind = np.result_type(before.dtype, after.dtype)
    if not double:
        kind = np.complex64 if kind.kind == "c" else np.float32
    before, after = before.astype(kind), after.astype(kind)
    before.flags.writeable = after.flags.writeable = False
    return before, after


@functools.lru_cache(maxsize=64)
def _centring_torch(lengths: tuple, double: bool, place: Any) -> tuple[Array, Array]:
    import torch

    with torch.inference_mode(False):  # an inference tensor could not serve a later backward pass
        before, after = (torch.tensor(a, device=place) for a in _centring_numpy(lengths, double))
    return before, after


# --- control flow and differentiation -------------------------------------------------------------


def while_loop(cond: Callable, body: Callable, state: tuple) -> tuple:
    """`while cond(state): state = body(state)`, compiled where the library compiles (JAX)."""
    if any(is_jax_array(s) for s in state):
        import jax

        return jax.lax.while_loop(cond, body, state)
    while bool(cond(state)):
        state = body(state)
    return state


def sum_over(term: Callable[..., Array], *arrays: Array) -> Array:
    """Σ_i term(a[i], b[i], …) along the first axis; JAX compiles a loop of one term."""
    if is_jax_array(arrays[0]):
        import jax

        return jax.lax.map(lambda each: term(*each), arrays).sum(0)
    return sum(term(*(a[i, ...] for a in arrays)) for i in range(arrays[0].shape[0]))


def transpose_linear(forward: Callable, x_shape: tuple[int, ...], y: Array) -> Array:
    """Apply the adjoint of the linear map `forward` to `y` by automatic differentiation.

    Args:
        forward: Linear map from arrays of shape `x_shape` and the dtype of `y`.
        x_shape: Shape of the map's input.
        y: Array of the shape of the map's output (torch or JAX).

    Raises:
        TypeError: If `y` is of a library without automatic differentiation.
    """
    if is_torch_array(y):
        import torch

        x = torch.zeros(x_shape, dtype=y.dtype, device=y.device)
        return torch.func.vjp(forward, x)[1](y)[0]
    if is_jax_array(y):
        import jax
        import jax.numpy as jnp

        transpose = jax.linear_transpose(forward, jax.ShapeDtypeStruct(x_shape, y.dtype))
        return jnp.conj(transpose(jnp.conj(y))[0])
    raise TypeError(
        f"adjoint: the adjoint of a system without `_adjoint` needs automatic differentiation, "
        f"got a {type(y).__module__} array. Pass torch or JAX arrays, or write `_adjoint`."
    )


def linear_solve(
    matvec: Callable,
    b: Array,
    solve: Callable,
    x0: Array | None = None,
    recorded: Sequence[Callable] | None = None,
) -> tuple[Array, Any]:
    """Solution of M x = b, M Hermitian, differentiated by another solve instead of through `solve`.

    dx = M⁻¹ (db - dM x), so the derivative by `b` and by everything that `matvec` holds costs
    one more solve, and memory does not depend on the number of iterations.

    Args:
        matvec: x ↦ M x, differentiable.
        b: Right-hand side.
        solve: `solve(matvec, b, x0) -> (x, aux)`; never differentiated.
        x0: Where the forward solve starts; the backward one starts from zero (None).
        recorded: Terms of `matvec` that hold all that torch records of it, if they are known: the
            others are not computed once more for the derivative.

    Returns:
        x and the solver's `aux`.

    References:
        Christianson, Reverse accumulation and attractive fixed points, Optim. Methods Softw.
        3:311 (1994).
    """
    if is_jax_array(b):
        import jax
        import jax.numpy as jnp

        def transpose_solve(vecmat: Callable, g: Array) -> tuple[Array, Any]:
            x, aux = solve(lambda v: jnp.conj(vecmat(jnp.conj(v))), jnp.conj(g), None)  # Mᵀ = M̄
            return jnp.conj(x), aux

        return jax.lax.custom_linear_solve(
            matvec, b, lambda mv, rhs: solve(mv, rhs, x0), transpose_solve, has_aux=True
        )
    if not is_torch_array(b):
        return solve(matvec, b, x0)

    import torch

    with torch.no_grad():
        x, aux = solve(matvec, b, x0)
    if torch.is_grad_enabled():
        terms = [matvec] if recorded is None else recorded
        residual = b - sum(term(x) for term in terms)  # with a graph: carries db - dM x
        if residual.requires_grad:
            x = _torch_implicit()(residual, x, lambda g: solve(matvec, g, None)[0])
    return x, aux


def implicit_fixed_point(f: Callable, x0: Array, solve: Callable) -> tuple[Array, Any]:
    """Fixed point x = f(x), differentiated in torch by another one instead of through `solve`.

    dx = (I - J)⁻¹ ∂f with J = ∂f/∂x, so the derivative by all that `f` holds costs one fixed point
    of v ↦ g + Jᴴv, and memory for one application of `f`, whatever the number of iterations.

    Args:
        f: Map whose fixed point is sought, differentiable.
        x0: Start; no gradient flows to it.
        solve: `solve(f, x0) -> (x, aux)`; never differentiated.

    Returns:
        x and the solver's `aux`.

    References:
        Bai, Kolter & Koltun, Deep equilibrium models, NeurIPS (2019), Theorem 1.
    """
    if not is_torch_array(x0):
        return solve(f, x0)
    import torch

    with torch.no_grad():
        x, aux = solve(f, x0)
    if torch.is_grad_enabled():
        leaf = x.detach().requires_grad_()
        image = f(leaf)  # once, with a graph: carries ∂f, and J for the backward iteration

        def backward(g: Any) -> Any:
            def adjoint(v: Any) -> Any:
                return g + torch.autograd.grad(image, leaf, v, retain_graph=True)[0]

            return solve(adjoint, g)[0]

        x = _torch_implicit()(image - leaf.detach(), x, backward)
    return x, aux


@functools.cache
def _torch_implicit() -> Callable:
    import torch

    class Implicit(torch.autograd.Function):
        """x as a function of the residual r: x = x̂ + M⁻¹ r, at r = 0."""

        @staticmethod
        def forward(ctx: Any, residual: Any, x: Any, solve: Callable) -> Any:  # noqa: ARG004
            ctx.solve = solve
            return x.clone()

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx: Any, *grad_outputs: Any) -> tuple[Any, None, None]:  # pyright: ignore
            return ctx.solve(grad_outputs[0]), None, None

    return Implicit.apply


# --- pytrees --------------------------------------------------------------------------------------


def register_pytree(cls: type, children: Sequence[str], static: Sequence[str]) -> None:
    """Make a class a JAX pytree; rebuilt without `__init__`, so that leaves may be anything."""
    import jax

    def flatten(obj: Any) -> tuple[list, tuple]:
        keys = [(jax.tree_util.GetAttrKey(c), getattr(obj, c)) for c in children]
        return keys, tuple(getattr(obj, s) for s in static)

    def unflatten(aux: tuple, leaves: Iterable) -> Any:
        obj = object.__new__(cls)
        for name, value in zip((*children, *static), (*leaves, *aux), strict=True):
            object.__setattr__(obj, name, value)
        return obj

    jax.tree_util.register_pytree_with_keys(cls, flatten, unflatten)
