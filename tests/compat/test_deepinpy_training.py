"""Training from DeepInPy's configurations: the same steps of the same loss, on the command line."""

import logging
import re

import deepinpy_oracle as oracle
import numpy as np
import pytest
import torch
from tiny import tiny_arrays

from reconic.cli import main
from reconic.train import load_run

RATE = 1e-3
QUICK = ["--trainer.enable_progress_bar", "false", "--data.num_workers", "0"]


def network(x, weights):
    """DeepInPy's ResNet of two blocks in torch, on complex images (batch, ny, nx)."""

    def conv(x, name):
        weight = weights[f"ResNetBlocks.{name}.net.1.weight"]
        side = weight.shape[-1] // 2
        padded = torch.nn.functional.pad(x, (side,) * 4, mode="reflect") if side else x
        return torch.nn.functional.conv2d(padded, weight)

    real = torch.stack([x.real, x.imag], dim=1)
    h = conv(torch.relu(conv(torch.relu(real), "0.conv1")), "0.conv2") + conv(real, "0.conv0")
    h = conv(conv(torch.relu(h), "1.conv1"), "1.conv2") + conv(h, "1.conv0")
    return torch.complex(*(real + h).unbind(1))


LOSSES = {
    "L2": ({}, lambda x_hat, x, residual: (x_hat - x).abs().square().sum((1, 2))),
    "abs": (
        {"abs_loss": True},
        lambda x_hat, x, residual: (x_hat.abs() - x.abs()).square().sum((1, 2)),
    ),
    "L1": (
        {"loss_function": "L1"},
        lambda x_hat, x, residual: (x_hat - x).abs().sum((1, 2)),
    ),
    "self-supervised": (
        {"self_supervised": True},
        lambda x_hat, x, residual: residual.abs().square().sum((1, 2, 3)),
    ),
}


def trained_by_hand(arrays, weights, loss, n_epochs, batch_size, clip, accumulate):
    """Weights after SGD of which the rate is halved after each epoch."""
    imgs, maps, masks, y = (torch.as_tensor(np.asarray(a)) for a in oracle.examples(arrays))
    weights = {key: torch.tensor(value, requires_grad=True) for key, value in weights.items()}
    n_batches = len(y) // batch_size
    for epoch in range(n_epochs):
        total = 0
        for i in range(n_batches):
            s = slice(i * batch_size, (i + 1) * batch_size)
            x_in = (maps[s].conj() * torch.fft.ifft2(masks[s, None] * y[s], norm="ortho")).sum(1)
            x_hat = network(x_in, weights)
            k = masks[s, None] * torch.fft.fft2(maps[s] * x_hat[:, None], norm="ortho")
            total = total + loss(x_hat, imgs[s], k - y[s]).mean() / accumulate
            if (i + 1) % accumulate == 0:
                grads = torch.autograd.grad(total, list(weights.values()))
                norm = torch.sqrt(sum(g.square().sum() for g in grads))
                scale = min(1.0, clip / float(norm)) if clip else 1.0
                with torch.no_grad():
                    for weight, grad in zip(weights.values(), grads, strict=True):
                        weight -= RATE * 0.5**epoch * scale * grad
                total = 0
    return {key: value.detach() for key, value in weights.items()}


@pytest.mark.parametrize(
    ("kind", "clip", "accumulate"),
    [*((kind, 0.0, 1) for kind in LOSSES), ("L2", 0.2, 1), ("L2", 0.0, 2)],
)
def test_weights_after_training(old, tmp_path, rng, kind, clip, accumulate):
    keys, loss = LOSSES[kind]
    data = tiny_arrays(4, seed=3, shape=(16, 12), centre=4)
    weights = oracle.resnet_state(rng, 1, 3, 2)
    path = old(
        {f"network.{key}": value for key, value in weights.items()},
        data,
        recon="resnet",
        latent_channels=3,
        num_blocks=2,
        solver="sgd",
        step=RATE,
        lr_scheduler=[1, 0.5],
        num_epochs=3,
        batch_size=2,
        clip_grads=clip,
        num_accumulate=accumulate,
        **keys,
    )
    expected = trained_by_hand(data, weights, loss, 3, 2, clip, accumulate)
    assert main(["train", "--config", str(path), "--baselines", "[]", *QUICK]) == 0
    found = load_run(tmp_path / "logs" / "old" / "version_0", "last").state_dict()
    for key, value in expected.items():
        name = "network." + key.replace("ResNetBlocks", "blocks").replace(".net.1", "")
        moved = (value - torch.tensor(weights[key])).norm()
        # single precision resolves the change of a weight to about 1e-7 of the weight
        error = (found[name].double() - value).norm()
        assert error < 1e-3 * moved + 1e-6 * value.norm()
        assert moved > 1e-4 * value.norm()


@pytest.mark.parametrize(
    ("recon", "net"),
    [("cgsense", "ResNet"), ("resnet", "ResNet5Block"), ("modl", "ResNet"), ("dbp", "ResNet")],
)
def test_train_runs_the_configuration_unchanged(old, tmp_path, capsys, caplog, recon, net):
    keys = {"num_epochs": 2, "latent_channels": 4, "num_blocks": 2, "num_unrolls": 1}
    path = old(
        recon=recon, network=net, shuffle=True, stdev=0.01, save_all_checkpoints=True, **keys
    )
    with caplog.at_level(logging.WARNING, "reconic.compat"):
        status = main(["train", "--config", str(path), *QUICK])
    assert status == 0
    folder = tmp_path / "logs" / "old" / "version_0"
    assert capsys.readouterr().out.splitlines()[-1] == str(folder)
    assert {p.name for p in folder.glob("checkpoints/*")} >= {
        "best.ckpt", "last.ckpt", "epoch_1.ckpt", "epoch_2.ckpt",
    }  # fmt: skip
    warnings = [r.message for r in caplog.records if r.name == "reconic.compat"]
    assert len(warnings) == 1
    named = re.findall(r"^  (\w+):", warnings[0], flags=re.MULTILINE)
    assert named == ["batch_size", "data_file", "save_all_checkpoints", "stdev"]


@pytest.mark.slow
def test_the_run_needs_no_configuration_of_deepinpy_any_more(old, tmp_path):
    assert main(["train", "--config", str(old(recon="cgsense", num_epochs=1)), *QUICK]) == 0
    folder = tmp_path / "logs" / "old" / "version_0"
    (tmp_path / "old.json").unlink()
    assert main(["train", "--config", str(folder / "config.yaml"), *QUICK]) == 0
    assert main(["test", str(folder), "--data.num_workers", "0"]) == 0
