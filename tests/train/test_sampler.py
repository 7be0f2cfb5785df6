"""Order of batches, their shapes, and going on amid an epoch."""

import numpy as np
import pytest

from reconic.train.sampler import EpochSampler


def indices(sampler):
    return [[i for _, i in batch] for batch in sampler]


def flat(sampler):
    return [i for batch in indices(sampler) for i in batch]


def at_epoch(sampler, epoch):
    sampler.set_epoch(epoch)
    return sampler


def test_order_depends_on_seed_and_epoch():
    def order(seed, epoch):
        return list(at_epoch(EpochSampler(np.zeros(20), seed=seed), epoch))

    assert sorted(i for batch in order(0, 3) for _, i in batch) == list(range(20))
    assert {epoch for batch in order(0, 3) for epoch, _ in batch} == {3}
    assert order(0, 3) == order(0, 3)
    without_epoch = [[[i for _, i in b] for b in order(*a)] for a in [(0, 3), (0, 4), (1, 3)]]
    assert without_epoch[0] != without_epoch[1]
    assert without_epoch[0] != without_epoch[2]


def test_without_shuffling_the_order_is_that_of_the_files():
    assert indices(EpochSampler([0] * 5, 2, shuffle=False)) == [[0, 1], [2, 3], [4]]


def test_batches_that_are_not_full_are_left_out_on_request_only():
    assert indices(EpochSampler([0] * 5, 2, shuffle=False, drop_last=True)) == [[0, 1], [2, 3]]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("epoch", range(5))
def test_a_batch_has_one_shape_and_every_example_comes_once(epoch, drop_last):
    groups = [0, 1, 0, 2, 1, 0, 0, 1, 0, 2, 0]
    sampler = at_epoch(EpochSampler(groups, 3, drop_last=drop_last), epoch)
    batches = indices(sampler)
    assert all(len({groups[i] for i in batch}) == 1 for batch in batches)
    assert len(sampler) == len(batches) == (3 if drop_last else 4)  # of 6, 3 and 2 examples
    found = sorted(i for batch in batches for i in batch)
    assert len(set(found)) == len(found) == (9 if drop_last else 11)


@pytest.mark.parametrize("n_done", range(5))
def test_a_loaded_position_goes_on_with_the_next_batch(n_done):
    groups = [0, 1, 0, 1, 0, 0, 1]
    whole = EpochSampler(groups, 2, seed=4)
    epochs = [list(at_epoch(whole, epoch)) for epoch in (0, 1, 2)]
    whole = at_epoch(EpochSampler(groups, 2, seed=4), 1)
    for _ in range(n_done):
        whole.done()
    resumed = EpochSampler(groups, 2, seed=4)
    resumed.load_state_dict(whole.state_dict())
    rest = epochs[1][n_done:] or epochs[2]  # after a whole epoch the next one begins
    assert list(resumed) == rest
    resumed.set_epoch(1 if epochs[1][n_done:] else 2)
    assert list(resumed) == rest


def test_epochs_told_ahead_of_a_loaded_position_only_count_on():
    groups, seed = [0] * 6, 2
    epochs = [list(at_epoch(EpochSampler(groups, 2, seed=seed), e)) for e in range(4)]
    resumed = EpochSampler(groups, 2, seed=seed)
    resumed.load_state_dict({"epoch": 1, "n_done": 2})
    resumed.set_epoch(2)
    assert list(resumed) == epochs[1][2:]
    resumed.set_epoch(3)  # still nothing done
    assert list(resumed) == epochs[1][2:]
    resumed.done()
    resumed.set_epoch(4)
    assert list(resumed) == epochs[2]


def test_the_epoch_of_an_iteration_stays_when_another_is_told():
    sampler = EpochSampler([0] * 4, shuffle=False)
    iterator = iter(sampler)
    sampler.set_epoch(1)
    assert {epoch for batch in iterator for epoch, _ in batch} == {0}
