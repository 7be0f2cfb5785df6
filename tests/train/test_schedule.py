"""Learning rates against their definitions, over real optimizer steps."""

import math

import pytest
import torch

from reconic.train import WarmCosine
from reconic.train.schedule import factor_and_epochs, make_scheduler


@pytest.mark.parametrize("pair", [[0.5, 10], [10, 0.5], (10.0, 0.5), [0.5, 10.0]])
def test_pair_in_either_order(pair):
    assert factor_and_epochs(pair) == (0.5, 10)


@pytest.mark.parametrize(
    "pair",
    [[1, 1], [0.5, 0.1], [2, 3], [0.5], [0.5, 10, 1], [0.5, 2.5], [0, 10], [-0.5, 3], [1.5, 5]],
)
def test_unclear_pair_says_what_to_write(pair):
    with pytest.raises(ValueError, match=r"lr_scheduler: .*Write \[0\.5, 10\]"):
        factor_and_epochs(pair)


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def rates(choice, n, interval="epoch", progress=lambda: 0.0):
    sgd = optimizer()
    made = make_scheduler(choice, sgd, interval, "val/psnr", progress)
    found = []
    for _ in range(n):
        found.append(sgd.param_groups[0]["lr"])
        sgd.step()
        made["scheduler"].step()
    return made, found


def test_pair_multiplies_at_every_multiple():
    made, found = rates([0.5, 3], 8)
    assert made["interval"] == "epoch"
    assert found == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]  # at epochs 3 and 6


def test_torch_schedulers_keep_their_interval():
    made, found = rates(lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.1), 3, "step")
    assert made["interval"] == "step"
    assert made["monitor"] == "val/psnr"
    assert found == pytest.approx([1, 0.1, 0.01])


def test_warm_cosine():
    schedule = WarmCosine(warmup=0.2, final=0.1)
    assert schedule(0.0) == 0
    assert schedule(0.1) == pytest.approx(0.5)
    assert schedule(0.2) == pytest.approx(1.0)
    assert schedule(0.6) == pytest.approx(0.1 + 0.9 * 0.5)  # half of the cosine
    assert schedule(1.0) == schedule(2.0) == pytest.approx(0.1)
    assert WarmCosine(0.0, 0.0)(0.5) == pytest.approx(0.5 * (1 + math.cos(math.pi / 2)))


def test_schedule_follows_progress_and_not_steps():
    progress = iter([0.0, 0.5, 0.5, 1.0])
    made, found = rates(WarmCosine(0.0, 0.0), 3, progress=lambda: next(progress))
    assert made["interval"] == "step"
    assert found == pytest.approx([1.0, 0.5, 0.5])


@pytest.mark.parametrize("wrong", [{"warmup": 1.0}, {"warmup": -0.1}, {"final": 1.1}])
def test_fractions_out_of_range(wrong):
    with pytest.raises(ValueError, match="WarmCosine"):
        WarmCosine(**wrong)
