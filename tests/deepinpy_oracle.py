"""DeepInPy's mathematics in NumPy: data, forward model, networks and recons, from their formulas.

Written for the tests alone and without Reconic, so that both can only agree if both are right.
"""

import numpy as np


def fftmod(x):
    """Multiply by -(-1)^(i+j), which centres an FFT of even sizes."""
    i, j = np.ogrid[: x.shape[-2], : x.shape[-1]]
    return -((-1.0) ** (i + j)) * x


def fft2(x):
    return np.fft.fft2(x, norm="ortho")


def ifft2(x):
    return np.fft.ifft2(x, norm="ortho")


def examples(arrays, stdev=0.0, fully_sampled=False, inverse_crime=False):
    """Images, maps with signs, masks and measurements, batch axis first, as the recons get them."""
    imgs, maps, masks = (arrays[key].astype(complex) for key in ("imgs", "maps", "masks"))
    masks = np.ones(masks.shape) if fully_sampled else masks.real
    if inverse_crime:
        ksp = fftmod(fft2(fftmod(maps * imgs[:, None])))
    else:
        ksp = arrays["ksp"].astype(complex)
    noise = arrays.get("noise", 0)
    out = masks[:, None] * (ksp + stdev / np.sqrt(2) * noise)
    return imgs, fftmod(maps), masks, fftmod(out)


class Model:
    """A x = mask · FFT(maps · x), batch axis first and coils next."""

    def __init__(self, maps, masks):
        self.maps = maps
        self.masks = masks[:, None]

    def __call__(self, x):
        return self.masks * fft2(self.maps * x[:, None])

    def adjoint(self, y):
        return np.sum(np.conj(self.maps) * ifft2(self.masks * y), axis=1)


def norms(x):
    """Norm of each example, to broadcast against x."""
    return np.linalg.norm(x.reshape(len(x), -1), axis=1).reshape(-1, *[1] * (x.ndim - 1))


def conjugate_gradients(matvec, b, x, n_iter, eps=1e-13):
    """As long as the largest residual of the batch is above eps."""
    r = b - matvec(x)
    p = r
    for _ in range(n_iter):
        if norms(r).max() <= eps:
            break
        q = matvec(p)
        alpha = norms(r) ** 2 / np.maximum(norms_inner(p, q), 1e-300)
        x, before = x + alpha * p, norms(r) ** 2
        r = r - alpha * q
        p = r + norms(r) ** 2 / np.maximum(before, 1e-300) * p
    return x


def norms_inner(p, q):
    product = np.real(np.conj(p) * q).reshape(len(p), -1).sum(1)
    return product.reshape(-1, *[1] * (p.ndim - 1))


def cgsense(A, y, lam, n_iter):
    b = A.adjoint(y)
    return conjugate_gradients(lambda x: A.adjoint(A(x)) + lam * x, b, np.zeros_like(b), n_iter)


def modl(A, y, D, lam, n_unrolls, n_iter):
    b = x = A.adjoint(y)
    for _ in range(n_unrolls):
        r = D(x)
        x = conjugate_gradients(lambda v: A.adjoint(A(v)) + lam * v, b + lam * r, x, n_iter)
    return x


def dbp(A, y, D, lam, n_unrolls, n_admm, stdev, n_iter):
    n_samples = y.shape[1] * A.masks.reshape(len(y), -1).sum(1)
    eps = np.sqrt(n_samples) * stdev
    eps = eps.reshape(-1, *[1] * (y.ndim - 1))
    x = A.adjoint(y)
    z, u = A(x), np.zeros_like(y)
    for _ in range(n_unrolls):
        r = D(x)
        for _ in range(n_admm):
            b = lam * A.adjoint(z - u) + r
            x = conjugate_gradients(lambda v: lam * A.adjoint(A(v)) + v, b, x, n_iter)
            v = A(x) + u - y
            z = y + v * np.minimum(1, eps / np.maximum(norms(v), 1e-300))
            u = u + A(x) - z
    return x


def convolve(x, weight, bias=None):
    """Correlation of (batch, channels, ny, nx) continued by reflection."""
    side = weight.shape[-1] // 2
    padded = np.pad(x, [(0, 0), (0, 0), (side, side), (side, side)], mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[-2:], axis=(2, 3))
    result = np.einsum("bcyxij,ocij->boyx", windows, weight, optimize=True)
    return result if bias is None else result + bias[:, None, None]


def normalise(x, state, name):
    """Batch normalisation in evaluation mode, where there is one."""
    if f"{name}.weight" not in state:
        return x
    gain, bias, mean, var = (
        state[f"{name}.{key}"][:, None, None]
        for key in ("weight", "bias", "running_mean", "running_var")
    )
    return gain * (x - mean) / np.sqrt(var + 1e-5) + bias


def resnet(real, state):
    x, n_blocks = real, 1 + max(int(key.split(".")[1]) for key in state)
    for i in range(n_blocks):
        name = f"ResNetBlocks.{i}"
        h = np.maximum(normalise(x, state, f"{name}.bn1"), 0)
        h = normalise(convolve(h, state[f"{name}.conv1.net.1.weight"]), state, f"{name}.bn2")
        h = np.maximum(h, 0) if i < n_blocks - 1 else h
        h = convolve(h, state[f"{name}.conv2.net.1.weight"])
        skip = state.get(f"{name}.conv0.net.1.weight")
        x = h + (x if skip is None else convolve(x, skip))
    return real + x


def resnet5block(real, state):
    layers = sorted({int(key.split(".")[1]) for key in state})
    x = real
    for n, i in enumerate(layers):
        if f"model.{i}.net.1.weight" in state:
            x = np.maximum(x, 0) if n else x  # the ReLU before it
            x = convolve(x, state[f"model.{i}.net.1.weight"], state[f"model.{i}.net.1.bias"])
        else:
            x = normalise(x, state, f"model.{i}")
    return real + x


def denoiser(network, state):
    """D of complex images (batch, ..., ny, nx), its channels all real, then all imaginary parts."""

    def apply(x):
        flat = x.reshape(len(x), -1, *x.shape[-2:])
        real = network(np.concatenate([flat.real, flat.imag], axis=1), state)
        n = flat.shape[1]
        return (real[:, :n] + 1j * real[:, n:]).reshape(x.shape)

    return apply


def resnet_state(rng, channels, width, n_blocks, batch_norm=False, size=0.05):
    """Random weights under DeepInPy's names."""
    ends = [2 * channels, *[width] * (n_blocks - 1), 2 * channels]
    state = {}
    for i in range(n_blocks):
        n_in, n_out, name = ends[i], ends[i + 1], f"ResNetBlocks.{i}"
        state[f"{name}.conv1.net.1.weight"] = size * rng.standard_normal((width, n_in, 7, 7))
        state[f"{name}.conv2.net.1.weight"] = size * rng.standard_normal((n_out, width, 7, 7))
        if n_in != n_out:
            state[f"{name}.conv0.net.1.weight"] = size * rng.standard_normal((n_out, n_in, 1, 1))
        if batch_norm:
            state |= norm_state(rng, f"{name}.bn1", n_in) | norm_state(rng, f"{name}.bn2", width)
    return state


def resnet5block_state(rng, channels, width, batch_norm=False, size=0.05):
    widths = [2 * channels, *[width] * 5, 2 * channels]
    state = {}
    for n in range(6):
        i = n * (3 if batch_norm else 2)
        shape = (widths[n + 1], widths[n], 7, 7)
        state[f"model.{i}.net.1.weight"] = size * rng.standard_normal(shape)
        state[f"model.{i}.net.1.bias"] = size * rng.standard_normal(shape[0])
        if batch_norm and n < 5:
            state |= norm_state(rng, f"model.{i + 1}", width)
    return state


def norm_state(rng, name, width):
    return {
        f"{name}.weight": rng.uniform(0.5, 1.5, width),
        f"{name}.bias": rng.uniform(-0.1, 0.1, width),
        f"{name}.running_mean": rng.uniform(-0.1, 0.1, width),
        f"{name}.running_var": rng.uniform(0.5, 1.5, width),
        f"{name}.num_batches_tracked": np.array(3),
    }
