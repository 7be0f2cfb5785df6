"""Coil sensitivity maps from the fully sampled centre of k-space, by ESPIRiT."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from reconic._array import Array, array_namespace, device, eigh

_CHUNK = 2**22  # Gram-matrix elements decomposed at once: 32 MiB in complex64
_LARGEST_CENTRE = 24  # what n_calib=None takes at most; more costs time and adds little


def espirit(
    y: Array,
    n_calib: int | tuple[int, ...] | None = 24,
    kernel: int | tuple[int, ...] = 6,
    n_maps: int = 1,
    threshold: float = 0.02,
    crop: float = 0.8,
    n_space: int = 2,
) -> Array:
    """Estimate coil sensitivity maps as eigenvectors of the local k-space correlations.

    Patches of the calibration centre span a low-dimensional space. With P the projector on to it,
    true maps s(r) satisfy G(r) s(r) = s(r) at every pixel r of the object, where G(r) is P summed
    over equal patch offsets and Fourier transformed (Uecker et al., Eqs. 12-20). G is a
    trigonometric polynomial of degree `kernel - 1`, so it is evaluated exactly on the image grid,
    in chunks of bounded memory, and decomposed pixel by pixel.

    The phase of each map is relative to the first virtual coil, the principal component of the
    calibration data over the coils: its sensitivity is real and positive. The global phase is
    fixed by making that component's largest coefficient real and positive.

    Args:
        y: k-space `(*batch, coil, *space)`, complex, centred (zero frequency at `n//2`), in any
            units; unmeasured samples are exactly zero. Samples of a batch are independent.
        n_calib: Side of the calibration centre in samples, one number or one for each spatial
            axis, cut to the axis where it is shorter. None takes the largest fully sampled one,
            up to 24.
        kernel: Side of a patch in samples, one number or one for each spatial axis, cut likewise.
        n_maps: Sets of maps. Two or more resolve overlapping anatomy (a small field of view).
        threshold: Singular values of the calibration matrix up to this fraction of the largest
            count as noise. BART's `ecalib -t` is the square of it.
        crop: Maps are set to zero (hard crop) where the eigenvalue, 1 inside an object and
            less outside, is not above this. 0 keeps every pixel. As BART's `ecalib -c`.
        n_space: Number of spatial axes, the last ones of `y`.

    Returns:
        Maps `(*batch, coil, *space)`, or `(*batch, set, coil, *space)` for `n_maps` > 1, the
        strongest set first, in the precision of `y`. The sum over coils of |map|² is 1, or 0 where
        cropped. A coil without any signal gets a zero map.

    Raises:
        TypeError: If `y` is not complex.
        ValueError: If an argument is out of range, if the centre is not fully sampled, smaller
            than the kernel or without signal.

    References:
        Uecker et al., ESPIRiT: an eigenvalue approach to autocalibrating parallel MRI,
        MRM 71:990 (2014), Eqs. 12-20.
        Buehrer et al., Array compression for MRI with large coil arrays, MRM 57:1131 (2007):
        the virtual coil.
    """
    _check(y, n_maps, threshold, crop, n_space)
    xp = array_namespace(y)
    batch, (n_coils, *space) = y.shape[: -n_space - 1], y.shape[-n_space - 1 :]
    kernel = _sizes("kernel", kernel, space)
    centre = _centre_sizes(y, n_calib, kernel, space)
    calib = xp.reshape(crop_centre(y, centre), (math.prod(batch), n_coils, *centre))
    calib = _normalised(calib)
    lags = _lag_sums(_signal_projector(calib, kernel, threshold), kernel, n_coils)
    maps = _eigenmaps(lags, _virtual_coil(calib), space, n_maps, crop)
    sets = () if n_maps == 1 else (n_maps,)
    return xp.reshape(maps, (*batch, *sets, n_coils, *space))


def _check(y: Array, n_maps: int, threshold: float, crop: float, n_space: int) -> None:
    """Raise unless the arguments that need no further computation are in range."""
    xp = array_namespace(y)
    if not xp.isdtype(y.dtype, "complex floating"):
        raise TypeError(f"espirit: `y` must be complex, got {y.dtype}. Cast it, or read k-space.")
    if n_space < 1 or y.ndim < n_space + 1:
        raise ValueError(
            f"espirit: `y` must have shape (*batch, coil, *space) with n_space={n_space} spatial "
            f"axes, got {tuple(y.shape)}. Add a coil axis, or give `n_space`."
        )
    n_coils = y.shape[-n_space - 1]
    if not 1 <= n_maps <= n_coils:
        raise ValueError(
            f"espirit: `n_maps` must be from 1 to the number of coils, {n_coils}, got {n_maps}. "
            "One set suits most scans, two a field of view smaller than the object."
        )
    for name, value in (("threshold", threshold), ("crop", crop)):
        if not 0 <= value < 1:
            raise ValueError(
                f"espirit: `{name}` must be at least 0 and below 1, got {value}. "
                "The defaults, threshold=0.02 and crop=0.8, suit most scans."
            )


def _sizes(name: str, value: int | tuple[int, ...], space: list[int]) -> tuple[int, ...]:
    """One size for each spatial axis, none larger than the axis."""
    values = (value,) * len(space) if isinstance(value, int) else tuple(value)
    if len(values) != len(space) or min(values) < 1:
        raise ValueError(
            f"espirit: `{name}` must be a positive integer, or one for each of {len(space)} "
            f"spatial axes, got {value}. Check `n_space` too."
        )
    return tuple(min(v, n) for v, n in zip(values, space, strict=True))


def crop_centre(a: Array, sizes: tuple[int, ...]) -> Array:
    """The centre of the last axes, the origin of each at n//2."""
    starts = [n // 2 - m // 2 for n, m in zip(a.shape[-len(sizes) :], sizes, strict=True)]
    return a[(..., *(slice(s, s + m) for s, m in zip(starts, sizes, strict=True)))]


def _centre_sizes(
    y: Array, n_calib: int | tuple[int, ...] | None, kernel: tuple[int, ...], space: list[int]
) -> tuple[int, ...]:
    """Side lengths of the calibration centre, checked to be sampled by every live coil."""
    xp = array_namespace(y)
    limit = _LARGEST_CENTRE if n_calib is None else max(_sizes("n_calib", n_calib, space))
    sampled = _sampled_by_all(crop_centre(y, _sizes("n_calib", limit, space)), len(space))
    cubes = (_sizes("n_calib", n, space) for n in range(limit, 0, -1))
    largest = next((c for c in cubes if xp.all(crop_centre(sampled, c))), (0,) * len(space))
    wanted = largest if n_calib is None else _sizes("n_calib", n_calib, space)
    if not xp.all(crop_centre(sampled, wanted)):
        raise ValueError(
            f"espirit: the {_times(wanted)} centre of `y` must be fully sampled, got "
            f"{_times(largest)}. Give a smaller `n_calib`, or None for the largest there is."
        )
    if any(c < k for c, k in zip(wanted, kernel, strict=True)):
        raise ValueError(
            f"espirit: the calibration centre must be at least the kernel, {_times(kernel)}, got "
            f"{_times(wanted)}. Give a smaller `kernel`, or measure a larger centre."
        )
    return wanted


def _times(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))


def _sampled_by_all(y: Array, n_space: int) -> Array:
    """Where every coil of every batch sample is non-zero, of those coils that have any signal."""
    xp = array_namespace(y)
    nonzero = xp.reshape(y != 0, (-1, *y.shape[-n_space:]))
    live = xp.any(nonzero, axis=tuple(range(1, n_space + 1)), keepdims=True)
    return xp.any(live) & xp.all(nonzero | ~live, axis=0)


def _normalised(calib: Array) -> Array:
    """Each sample of the batch divided by its largest magnitude, which keeps squares in range."""
    xp = array_namespace(calib)
    peak = xp.max(xp.abs(calib), axis=tuple(range(1, calib.ndim)), keepdims=True)
    if not (xp.all(peak > 0) and xp.all(xp.isfinite(peak))):
        raise ValueError(
            "espirit: the calibration centre of `y` must have signal in every batch sample and be "
            "finite, got zeros, NaN or Inf. Check the data, and where its k-space centre is."
        )
    return calib / peak


def _dagger(a: Array) -> Array:
    """Conjugate transpose of the last two axes."""
    xp = array_namespace(a)
    return xp.conj(xp.matrix_transpose(a))


def _signal_projector(calib: Array, kernel: tuple[int, ...], threshold: float) -> Array:
    """Projector `(batch, offset·coil, offset·coil)` on to the space that the patches span."""
    xp = array_namespace(calib)
    n_batch, n_coils, *centre = calib.shape
    counts = [c - k + 1 for c, k in zip(centre, kernel, strict=True)]
    offsets, corners = _positions(kernel, centre, calib), _positions(counts, centre, calib)
    index = xp.reshape(offsets[:, None] + corners[None, :], (-1,))
    patches = xp.take(xp.reshape(calib, (n_batch, n_coils, -1)), index, axis=2)
    patches = xp.reshape(patches, (n_batch, n_coils, math.prod(kernel), -1))
    patches = xp.permute_dims(patches, (0, 2, 1, 3))
    patches = xp.reshape(patches, (n_batch, math.prod(kernel) * n_coils, -1))
    values, vectors = xp.linalg.eigh(patches @ _dagger(patches))
    signal = values > threshold**2 * values[:, -1:]  # eigenvalues: squared singular values
    return (vectors * xp.astype(signal, calib.dtype)[:, None, :]) @ _dagger(vectors)


def _positions(box: Sequence[int], centre: Sequence[int], like: Array) -> Array:
    """Flat indices in an array of shape `centre` of the elements of its first corner `box`."""
    xp = array_namespace(like)
    index = xp.arange(1, device=device(like))
    for n, size in zip(box, centre, strict=True):
        along = xp.arange(n, device=device(like))
        index = xp.reshape(index[:, None] * size + along[None, :], (-1,))
    return index


def _lag_sums(projector: Array, kernel: tuple[int, ...], n_coils: int) -> Array:
    """Mean over patch offsets at each offset difference, `(batch, *lag, coil, coil)`.

    This is the Gram matrix of the kernels in k-space, for lags from `1 - kernel` to `kernel - 1`.
    """
    xp = array_namespace(projector)
    n = len(kernel)
    sums = xp.reshape(projector, (-1, *kernel, n_coils, *kernel, n_coils))
    pairs = itertools.chain.from_iterable((1 + i, 2 + n + i) for i in range(n))
    sums = xp.permute_dims(sums, (*pairs, 0, 1 + n, 2 + 2 * n))
    for k in kernel:  # sum the first pair of axes over its diagonals; the lag goes last
        flat = xp.reshape(sums, (k * k, -1))
        by_lag = xp.matrix_transpose(_diagonals(k, projector) @ flat)
        sums = xp.reshape(by_lag, (*sums.shape[2:], 2 * k - 1))
    return xp.permute_dims(sums, (0, *range(3, 3 + n), 1, 2)) / math.prod(kernel)


def _diagonals(k: int, like: Array) -> Array:
    """One row for each lag d, `(2k-1, k·k)`: 1 at the pairs (i, j) with i - j = d, else 0."""
    xp = array_namespace(like)
    i = xp.arange(k, device=device(like))
    lag = xp.reshape(i[:, None] - i[None, :], (1, k * k))
    lags = xp.arange(1 - k, k, device=device(like))
    return xp.astype(lag == lags[:, None], like.dtype)


def _phases(n: int, n_lags: int, like: Array) -> Array:
    """exp(2πi r d / n) for centred pixels r and lags d, `(n, n_lags)`."""
    xp = array_namespace(like)
    r = xp.arange(n, device=device(like)) - n // 2
    d = xp.arange(n_lags, device=device(like)) - n_lags // 2
    return xp.exp(xp.astype(r[:, None] * d[None, :], like.dtype) * (2j * math.pi / n))


def _line_phases(space: list[int], lags: Array) -> Array:
    """Phases of every line along the last spatial axis, `(line, product of the other lags)`."""
    xp = array_namespace(lags)
    phases = xp.ones((1, 1), dtype=lags.dtype, device=device(lags))
    for n, n_lags in zip(space[:-1], lags.shape[1:], strict=False):
        outer = phases[:, None, :, None] * _phases(n, n_lags, lags)[None, :, None, :]
        phases = xp.reshape(outer, (phases.shape[0] * n, -1))
    return phases


def _virtual_coil(calib: Array) -> Array:
    """First principal component over coils, `(batch, coil)`, its largest coefficient positive."""
    xp = array_namespace(calib)
    data = xp.reshape(calib, (*calib.shape[:2], -1))
    coil = xp.linalg.eigh(data @ _dagger(data))[1][:, :, -1]
    size = xp.abs(coil)
    largest = xp.astype(size == xp.max(size, axis=-1, keepdims=True), coil.dtype)
    return coil * xp.conj(_unit(xp.sum(coil * largest, axis=-1, keepdims=True)))


def _unit(a: Array) -> Array:
    """Phase factor a / |a|, and 1 where a is zero."""
    xp = array_namespace(a)
    size = xp.abs(a)
    return xp.where(size > 0, a / xp.where(size > 0, size, 1), 1)


def _eigenmaps(lags: Array, coil: Array, space: list[int], n_maps: int, crop: float) -> Array:
    """Leading eigenvectors of the Gram matrix at each pixel, `(batch, set, coil, line, n)`."""
    xp = array_namespace(lags)
    n_batch, n_coils = coil.shape
    n, n_lags = space[-1], lags.shape[-3]
    lines, columns = _line_phases(space, lags), _phases(n, n_lags, lags)
    lags = xp.reshape(lags, (n_batch, lines.shape[1], -1))
    step = max(1, _CHUNK // (n_batch * n * n_coils**2))
    chunks = []
    for start in range(0, lines.shape[0], step):
        part = lines[start : min(start + step, lines.shape[0]), :] @ lags
        part = xp.reshape(part, (n_batch, -1, n_lags, n_coils**2))
        gram = xp.reshape(columns @ part, (n_batch, -1, n, n_coils, n_coils))
        values, vectors = eigh(gram)
        maps = xp.flip(vectors, axis=-1)[..., :n_maps]
        inside = xp.astype(xp.flip(values, axis=-1)[..., None, :n_maps] > crop, maps.dtype)
        phase = xp.conj(coil)[:, None, None, None, :] @ maps
        chunks.append(maps * (inside * xp.conj(_unit(phase))))
    return xp.permute_dims(xp.concat(chunks, axis=1), (0, 4, 3, 1, 2))
