"""Parts of runs of several ranks, each by itself: shares, draws, meeting, settings, writers."""

import json
import os
import re
import socket
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.fabric.plugins.environments import (
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from several_ranks import free_port, ranks
from torch.distributed import HashStore, TCPStore

from reconic.recons.draws import normal_like, rows, uniform
from reconic.train import ReconData, meet, processes, trainer
from reconic.train.data import Dealt
from reconic.train.interrupt import Interrupted
from reconic.train.launch import _environment_kept, check_count, joined
from reconic.train.sampler import EpochSampler, Share
from reconic.train.trainer import checked
from reconic.train.watch import Watch


@pytest.mark.parametrize("n_ranks", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [1, 2, 4, 7])
def test_shares_make_up_a_batch_and_its_mean(n_ranks, size):
    values = np.random.default_rng(0).random(size)
    shares = [Share.of(size, rank, n_ranks) for rank in range(n_ranks)]
    held = [row for share in shares if share.weight for row in share.rows]
    assert held == list(range(size))
    assert all(len(share.rows) >= 1 for share in shares)
    assert max(len(s.rows) for s in shares) - min(len(s.rows) * (s.weight > 0) for s in shares) <= 1
    mean = np.mean([share.weight * values[share.rows].mean() for share in shares])
    np.testing.assert_allclose(mean, values.mean(), rtol=1e-12)


@pytest.mark.parametrize("n_ranks", [2, 3])
def test_ranks_share_the_batches_that_one_has_also_from_the_middle_on(n_ranks):
    groups = [0, 1, 0, 2, 1, 0, 0, 1, 0, 2, 0]
    whole = EpochSampler(groups, 3, seed=2)
    ranks = [EpochSampler(groups, 3, seed=2, rank=r, n_ranks=n_ranks) for r in range(n_ranks)]
    for sampler in (whole, *ranks):
        sampler.load_state_dict({"epoch": 1, "n_done": 2})
    parts = [list(sampler) for sampler in ranks]
    assert len(list(whole)) == len(ranks[0]) - 2 == len(parts[0])
    for i, batch in enumerate(whole):
        found = []
        for sampler, part in zip(ranks, parts, strict=True):
            share = sampler.share()
            found += part[i] if share.weight else []
            assert part[i] == [batch[row] for row in share.rows]
            sampler.done()
        assert found == batch


@pytest.mark.parametrize("n_ranks", [2, 3, 4])
def test_examples_that_are_dealt_out_count_once(n_ranks):
    examples = [{"index": i} for i in range(5)]
    shares = [Dealt(examples, rank, n_ranks) for rank in range(n_ranks)]
    assert len({len(share) for share in shares}) == 1
    items = [share[i] for share in shares for i in range(len(share))]
    assert sorted(item["index"] for item in items if item["rank_weight"]) == list(range(5))


def test_an_example_draws_the_same_in_any_share():
    a = torch.zeros(5, 3, 7, dtype=torch.complex64)

    def draw(numbers):
        torch.manual_seed(0)
        with rows(numbers):
            part = a[list(numbers)]
            drawn = normal_like(part), uniform((len(part), 4))
        return *drawn, torch.rand(2)  # what belongs to the whole batch

    whole, part = draw(range(5)), draw([3, 1])
    for x, y in zip(whole[:2], part[:2], strict=True):
        torch.testing.assert_close(x[[3, 1]], y, rtol=0, atol=0)
    torch.testing.assert_close(whole[2], part[2], rtol=0, atol=0)
    assert whole[0].dtype == a.dtype
    flat = torch.view_as_real(whole[0]).flatten(1)
    assert len({tuple(row) for row in flat.tolist()}) == 5
    torch.manual_seed(0)
    with rows(range(1000)):
        many = normal_like(torch.zeros(1000, 20))
    # mean and variance of 20 000 numbers: standard errors 0.007 and 0.01
    assert abs(float(many.mean())) < 0.03
    assert abs(float(many.var()) - 1) < 0.04


def test_outside_of_training_the_global_generator_draws():
    torch.manual_seed(0)
    found = normal_like(torch.zeros(4)), uniform((2, 3))
    torch.manual_seed(0)
    expected = torch.randn(4), torch.rand(2, 3)
    for x, y in zip(found, expected, strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=0)


def strategy(devices, num_nodes=1):
    found = DDPStrategy(parallel_devices=[torch.device("cpu")] * devices)
    found.num_nodes = num_nodes
    return found


def test_a_batch_must_have_an_example_for_each_device():
    check_count(strategy(2), 2, {})
    check_count(SingleDeviceStrategy("cpu"), 1, {})
    with pytest.raises(ValueError, match=r"`batch_size` must be at least 8, .* got 2\. Set it to"):
        check_count(strategy(4, num_nodes=2), 2, {})


@pytest.mark.parametrize(("starter", "environment"), [
    ("torchrun", {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "4"}),
    ("srun", {"SLURM_STEP_NUM_TASKS": "4"}),
])  # fmt: skip
def test_processes_that_others_started_must_be_asked_for(starter, environment):
    check_count(strategy(2, 2), 4, environment)
    says = f"of processes that {starter} started, 4, got"
    with pytest.raises(ValueError, match=says):
        check_count(strategy(2), 4, environment)
    with pytest.warns(UserWarning, match=f"{says} 1.* Each trains alone"):
        check_count(SingleDeviceStrategy("cpu"), 4, environment)


def test_processes_may_be_started_from_a_shell_that_srun_gave():
    """Or by torchrun in a step of srun: who starts them is whom Lightning goes by."""
    two, environment = strategy(2), {"SLURM_STEP_NUM_TASKS": "1"}
    for starter in (LightningEnvironment(), TorchElasticEnvironment()):
        two.cluster_environment = starter
        check_count(two, 4, environment)
    two.cluster_environment = SLURMEnvironment()
    with pytest.raises(ValueError, match="processes that srun started, 1, got 2"):
        check_count(two, 4, environment)


@pytest.mark.parametrize(("settings", "says"), [
    ({"strategy": "ddp_spawn", "devices": 2}, "`strategy` must be auto, ddp or .* got ddp_spawn"),
    ({"strategy": "ddp_fork", "devices": 2}, "got ddp_fork"),
    ({"strategy": "fsdp", "devices": 2}, "trainer: .*fsdp"),
    ({"devices": 0}, "trainer: "),
    ({"devices": 2, "accelerator": "gpu"}, "`devices` must be among the 0 GPUs of this host, got"),
    ({"devices": [0, 3], "accelerator": "cuda"}, r"among the 0 GPUs of this host, got \[0, 3\]"),
])  # fmt: skip
def test_settings_that_cannot_work_are_named(settings, says):
    if settings.get("accelerator") and torch.cuda.is_available():
        pytest.skip("there are GPUs")
    with pytest.raises(ValueError, match=says):
        checked({"accelerator": "cpu", **settings})


@pytest.mark.parametrize("devices", [3, "3", [0, 2]])
def test_gpus_that_are_not_there_are_named(devices, monkeypatch):
    monkeypatch.setattr(trainer.torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match="`devices` must be among the 2 GPUs of this host, got"):
        checked({"devices": devices, "accelerator": "gpu"})


def test_a_port_in_use_is_named(monkeypatch):
    before = dict(os.environ)
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("MASTER_PORT", str(port))
        with (
            pytest.raises(ValueError, match=f"the port {port} .* must be free, .* MASTER_PORT="),
            joined(_of_two()),
        ):
            pass
    monkeypatch.delenv("MASTER_PORT")
    assert dict(os.environ) == before


def test_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.setenv("NODE_RANK", "3")
    before = dict(os.environ)
    with _environment_kept():
        os.environ |= {"NODE_RANK": "4", "OF_THIS_RUN": "1"}
    assert dict(os.environ) == before


def _of_two(num_nodes=1):
    return trainer.strategy_of(
        {"accelerator": "cpu", "devices": 2, "num_nodes": num_nodes, "strategy": "ddp"}
    )


def test_hosts_must_be_told_where_to_meet():
    with pytest.raises(ValueError, match=r"`num_nodes` 2 each host must be told .* MASTER_ADDR"):
        joined(_of_two(num_nodes=2)).__enter__()


def test_a_first_rank_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(meet, "JOIN", 0.3)
    port = free_port()
    with pytest.raises(ConnectionError, match=f"rank 0 must answer at 127.0.0.1:{port} within"):
        meet.make_store("127.0.0.1", port, serve=False)


@pytest.mark.slow
def test_a_rank_that_ends_at_once_is_named():
    says = "rank 1 must start, got its end with status 2"
    with pytest.raises(ConnectionError, match=says), joined(_of_two(), "nonsense: 1"):
        pass


def test_ranks_that_do_not_start_are_named(monkeypatch):
    monkeypatch.setattr(meet, "JOIN", 0.3)
    with pytest.raises(ConnectionError, match=r"must start .* got none of the numbers 1, 2\."):
        meet.meet(HashStore(), "127.0.0.1", 0, 3)


def test_waiting_ends_where_another_rank_cannot_come():
    def check():
        raise ConnectionError("rank 1 must start")

    with pytest.raises(ConnectionError, match="rank 1 must start"):
        meet.meet(HashStore(), "127.0.0.1", 0, 2, check)


def both(store):
    """Watches of two ranks, both in this process."""
    found = {}
    threads = [
        threading.Thread(target=lambda r=r: found.update({r: meet.meet(store, "127.0.0.1", r, 2)}))
        for r in (1, 0)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found[0], found[1]


@pytest.mark.parametrize("words", [
    b'{"rank": 1, "name": "me", "token": "guess"}\n', b"1\n", b"[" * 4096, b"GET / HTTP/1.1\r\n",
])  # fmt: skip
def test_a_stranger_is_not_taken_for_a_rank(words):
    store = HashStore()

    def intrude():
        while not store.check(["reconic/watch"]):
            pass
        _, port, _ = json.loads(store.get("reconic/watch"))
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(words)
            assert stranger.recv(1) == b""

    thread = threading.Thread(target=intrude)
    thread.start()
    first, second = both(store)
    thread.join()
    assert first.lost is second.lost is None
    for watch in (first, second):  # who is silent is asked, else a host could be gone unseen
        (peer,) = watch._peers.values()
        assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert peer.gettimeout() is None
    second.close()
    first.close()
    assert first.lost is second.lost is None  # who takes leave is not lost


def test_a_rank_that_fails_right_after_its_greeting_is_heard():
    store, found = HashStore(), []
    thread = threading.Thread(target=lambda: found.append(meet.meet(store, "127.0.0.1", 0, 2)))
    thread.start()
    store.wait(["reconic/watch"])
    _, port, token = json.loads(store.get("reconic/watch"))
    with socket.create_connection(("127.0.0.1", port)) as peer:
        hello = {"rank": 1, "name": "process 7", "token": token}
        peer.sendall(f'{json.dumps(hello)}\n{{"lost": "rank 1 failed: no"}}\n'.encode())
        thread.join(5)
        assert found[0].learn(5)
        assert found[0].lost == "rank 1 failed: no"
        found[0].close()


def test_a_worker_of_a_killed_rank_does_not_keep_its_connection_open():
    here, there = socket.socketpair()
    if (rank := os.fork()) == 0:
        Watch(1, {0: there}, {0: "rank 0"})
        if os.fork() == 0:
            time.sleep(3)  # as a worker of a data loader that has not yet looked for its rank
        os._exit(0)
    there.close()
    os.waitpid(rank, 0)
    here.settimeout(2)
    assert here.recv(1) == b""
    here.close()


def of_torchrun(rank, port, attempt):
    """What torchrun tells one of two processes."""
    return {
        "TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": str(attempt), "MASTER_PORT": str(port),
        "RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0", "WORLD_SIZE": "2",
    }  # fmt: skip


def test_ranks_that_torchrun_starts_again_do_not_look_for_those_before(tmp_path):
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)

    def gathered(rank):
        time.sleep(0.3 * (rank == 0))  # the other one looks first
        with joined(_of_two()):
            return processes.gather(rank)

    for attempt in range(2):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        found = ranks(folder, 2, gathered, lambda r, n=attempt: of_torchrun(r, store.port, n))
        assert found == [[0, 1], [0, 1]]


def test_a_rank_that_fails_tells_before_it_leaves_its_group(tmp_path):
    """To destroy a group may mean to wait for those that do not know of the failure."""

    def run(rank):
        if rank:  # of a process that ends after this
            torch.distributed.destroy_process_group = lambda: time.sleep(5)
        with joined(_of_two()) as watch:
            if rank:
                raise ValueError("the disk is full")
            raise RuntimeError if watch.learn(2) else TimeoutError

    first, second = ranks(tmp_path, 2, run)
    assert isinstance(first, ConnectionError)
    assert "rank 1 failed: ValueError: the disk is full" in str(first)
    assert isinstance(second, SystemExit)


def test_news_of_a_failure_reach_the_other_rank():
    first, second = both(HashStore())
    first.tell("ValueError: no")
    assert second.learn(5)
    assert second.message() == (
        "train: rank 0 failed: ValueError: no. No checkpoint was saved before; start all ranks "
        "anew."
    )
    assert not second.speaks
    second.close()
    first.close()


def test_an_interruption_can_be_pickled():
    import pickle

    stop = pickle.loads(pickle.dumps(Interrupted(10, "stopped", saved=True)))
    assert (str(stop), stop.status, stop.saved) == ("stopped", 138, True)


def test_alone_nothing_is_exchanged():
    assert (processes.count(), processes.rank(), processes.is_first()) == (1, 0, True)
    assert processes.gather("a") == ["a"]
    assert processes.dealt([3, 4]) == [3, 4]
    assert processes.broadcast("a") == "a"
    assert processes.largest(1, 2.5) == [1, 2.5]
    terms = {"a": torch.tensor(2.0)}
    assert processes.average(terms, torch.tensor(1.0)) == terms


def told(rank, folder):
    """What one of two ranks hears of the other."""
    torch.distributed.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=2)
    processes.begin(torch.distributed.group.WORLD)
    found = {
        "place": (processes.count(), processes.rank(), processes.is_first()),
        "gather": processes.gather(f"of {rank}"),
        "dealt": processes.dealt([[0, 2, 4], [1, 3]][rank]),
        "broadcast": processes.broadcast(f"of {rank}"),
        "largest": processes.largest(rank, -rank),
        # of a batch of five: means 2 of three examples and 7 of two
        "average": float(
            processes.average({"a": torch.tensor([2.0, 7.0][rank])},
                              torch.tensor([3 * 2 / 5, 2 * 2 / 5][rank]))["a"]
        ),
    }  # fmt: skip
    processes.end()
    return {**found, "after": (processes.count(), processes.is_first())}


def test_what_two_ranks_tell_each_other(tmp_path):
    found = ranks(tmp_path, 2, lambda rank: told(rank, tmp_path))
    for rank, own in enumerate(found):
        assert own.pop("place") == (2, rank, rank == 0)
        assert own.pop("after") == (1, rank == 0)  # who writes and prints stays so
        assert own == {
            "gather": ["of 0", "of 1"], "dealt": [0, 1, 2, 3, 4], "broadcast": "of 0",
            "largest": [1, 0], "average": pytest.approx((3 * 2 + 2 * 7) / 5),
        }  # fmt: skip


def test_limits_hold_for_the_examples_of_all_ranks(splits):
    data = ReconData(**splits, num_workers=0)
    assert len(data.share("test")) == len(data.test_dataloader()) == len(data.dataset("test"))


def test_the_job_script_of_the_docs_queues_itself_again_and_resumes(tmp_path):
    page = Path(__file__).parents[2] / "docs" / "scaling.md"
    (script,) = re.findall(r"```sh\n(#!/bin/bash\n.*?)```", page.read_text(), re.DOTALL)
    programs = {
        "srun": 'echo "$@" >> calls; mkdir -p "$RUN/checkpoints"\n'
        'touch "$RUN/checkpoints/last.ckpt"; exit $STATUS',
        "scontrol": 'echo "scontrol $@" >> calls',
    }
    for name, code in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{code}\n")
        (tmp_path / name).chmod(0o755)

    def submit(run, status):
        environment = {
            **os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7",
            "RUN": f"logs/many-7/{run}", "STATUS": str(status),
        }  # fmt: skip
        command = ["bash", "-u", "-c", script]
        done = subprocess.run(command, cwd=tmp_path, env=environment, check=False)
        (tmp_path / "calls").rename(tmp_path / f"calls_{run}")
        return done.returncode, (tmp_path / f"calls_{run}").read_text().splitlines()

    status, calls = submit("version_0", 138)
    assert status == 138
    assert "--resume" not in calls[0]
    assert calls[1] == "scontrol requeue 7"
    status, calls = submit("version_1", 0)
    assert status == 0
    assert calls[0].endswith("--resume logs/many-7/version_0/checkpoints/last.ckpt")
    assert len(calls) == 1
