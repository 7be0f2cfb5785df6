"""Every public forward model under the same checks: library, precision, batch.

A new forward model needs one line in CASES.
"""

import numpy as np
import pytest
from libraries import LIBRARIES, dense, example_array

import reconic.systems
from reconic import stack
from reconic._array import from_numpy, to_numpy
from reconic.operator import Identity, LinearSystem, Scaled
from reconic.systems import (
    AngularSpectrum,
    CartesianMRI,
    Convolution,
    NonCartesianMRI,
    OffResonanceMRI,
    SubspaceMRI,
)
from reconic.testing import check_system, random_like


def one(rng, like):
    return CartesianMRI.example(rng, like)


def mri(maps_shape, mask_shape, **settings):
    def make(rng, like):
        maps = random_like(like, maps_shape, rng)
        mask = from_numpy((rng.random(mask_shape) > 0.4).astype(maps_dtype(maps)), like)
        return CartesianMRI(maps, mask, **settings)

    return make


def nonuniform(maps_shape, traj_shape, dcf_shape=None, **settings):
    def make(rng, like):
        maps = random_like(like, maps_shape, rng)
        traj = from_numpy(rng.uniform(-np.pi, np.pi, traj_shape), like)
        dcf = None if dcf_shape is None else from_numpy(rng.random(dcf_shape), like)
        return NonCartesianMRI(maps, traj, dcf, **settings, tol=1e-12)

    return make


def maps_dtype(maps):
    return np.float64 if "complex128" in str(maps.dtype) else np.float32


CASES = {
    # name: (maker, batch axes that its arrays carry)
    "CartesianMRI": (CartesianMRI.example, ()),
    "CartesianMRI-odd": (mri((3, 7, 5), (7, 5)), ()),
    "CartesianMRI-single-coil": (mri((1, 6, 5), (6, 5)), ()),
    "CartesianMRI-3d": (mri((2, 4, 5, 6), (4, 5, 6), n_space=3), ()),
    "CartesianMRI-sets": (mri((2, 3, 6, 5), (6, 5), sets=True), ()),
    "CartesianMRI-frames": (mri((3, 1, 6, 5), (4, 6, 5), n_frame_axes=1), ()),
    "CartesianMRI-sets-frames-3d": (
        mri((2, 3, 1, 4, 3, 5), (2, 4, 3, 5), n_space=3, n_frame_axes=1, sets=True),
        (),
    ),
    "CartesianMRI-lines": (mri((3, 6, 5), (1, 5)), ()),
    "CartesianMRI-columns": (mri((3, 7, 4), (7, 1)), ()),
    "CartesianMRI-batched": (mri((2, 3, 6, 5), (2, 6, 5)), (2,)),
    "CartesianMRI-batched-mask": (mri((3, 6, 5), (2, 6, 5)), (2,)),
    "NonCartesianMRI": (NonCartesianMRI.example, ()),
    "NonCartesianMRI-dcf": (nonuniform((3, 6, 5), (21, 2), (21,)), ()),
    "NonCartesianMRI-spokes": (nonuniform((3, 6, 5), (4, 7, 2), (4, 1), n_sample_axes=2), ()),
    "NonCartesianMRI-sets": (nonuniform((2, 3, 7, 4), (20, 2), sets=True), ()),
    "NonCartesianMRI-3d": (nonuniform((2, 4, 5, 6), (30, 3), n_space=3), ()),
    "NonCartesianMRI-frames": (
        nonuniform((3, 1, 6, 5), (4, 15, 2), (4, 15), n_frame_axes=1),
        (),
    ),
    "NonCartesianMRI-frames-of-maps": (
        nonuniform((3, 2, 6, 5), (1, 15, 2), (1, 15), n_frame_axes=1),
        (),
    ),
    "NonCartesianMRI-stack": (nonuniform((3, 3, 6, 5), (20, 2), (20,), n_space=3), ()),
    "NonCartesianMRI-sets-frames-stack": (
        nonuniform(
            (2, 3, 1, 4, 6, 5),
            (2, 3, 7, 2),
            (2, 3, 7),
            n_space=3,
            n_frame_axes=1,
            n_sample_axes=2,
            sets=True,
        ),
        (),
    ),
    "NonCartesianMRI-batched": (nonuniform((2, 3, 6, 5), (2, 20, 2), (2, 20)), (2,)),
    "NonCartesianMRI-batched-traj": (nonuniform((3, 6, 5), (2, 20, 2)), (2,)),
    "OffResonanceMRI": (OffResonanceMRI.example, ()),
    "SubspaceMRI": (SubspaceMRI.example, ()),
    "Convolution": (Convolution.example, ()),
    "AngularSpectrum": (AngularSpectrum.example, ()),
    "Identity": (lambda rng, like: Scaled(random_like(like, (), rng), Identity((4, 3))), ()),
    "adjoint": (lambda rng, like: one(rng, like).H, ()),
    "normal": (lambda rng, like: one(rng, like).N, ()),
    "scaled": (lambda rng, like: (2 - 1j) * one(rng, like), ()),
    "scaled-per-sample": (lambda rng, like: one(rng, like) * random_like(like, (2,), rng), (2,)),
    "sum": (lambda rng, like: one(rng, like) - one(rng, like), ()),
    "composed": (lambda rng, like: one(rng, like).H @ one(rng, like), ()),
    "stack": (lambda rng, like: stack([one(rng, like), -one(rng, like)]), ()),
}


SETTINGS = {"one-complex128": ((), "complex128"), "batch-complex64": ((3,), "complex64")}
RUNS = [
    (case, library, setting)
    for case in CASES
    for library in LIBRARIES
    for setting in SETTINGS
    # JAX compiles each for seconds: variants of a system, after its name, in one setting only
    if not (library == "jax" and "-" in case and setting == "one-complex128")
]


@pytest.mark.parametrize(("case", "library", "setting"), RUNS)
def test_contract(case, library, setting):
    extra, precision = SETTINGS[setting]
    make, batch = CASES[case]
    like = example_array(library)
    like = from_numpy(np.zeros(1, dtype=precision), like)
    A = make(np.random.default_rng(1), like)
    if precision == "complex64":
        A = A.map(lambda a: from_numpy(to_single(a), like))
    bad = [c for c in check_system(A, batch=(*extra, *batch)) if not c.ok]
    assert not bad


def to_single(a):
    a = to_numpy(a)
    return a.astype(np.complex64 if a.dtype.kind == "c" else np.float32)


def test_every_public_system_has_a_case():
    public = [getattr(reconic.systems, name) for name in reconic.systems.__all__]
    systems = {c.__name__ for c in public if issubclass(c, LinearSystem)}
    assert systems <= set(CASES)


@pytest.mark.parametrize("case", [c for c in CASES if "batched" not in c and "per-sample" not in c])
def test_adjoint_is_the_conjugate_transpose_of_the_dense_matrix(case):
    like = np.zeros(1, dtype=np.complex128)
    A = CASES[case][0](np.random.default_rng(2), like)
    matrix = dense(A)
    y = random_like(like, A.out_shape, np.random.default_rng(3))
    np.testing.assert_allclose(A.adjoint(y).ravel(), matrix.conj().T @ y.ravel(), atol=1e-12)
    x = random_like(like, A.in_shape, np.random.default_rng(4))
    want = matrix.conj().T @ (matrix @ x.ravel())
    np.testing.assert_allclose(A.normal(x).ravel(), want, atol=1e-11)
