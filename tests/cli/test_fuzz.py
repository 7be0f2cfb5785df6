"""Configurations changed at random: an answer or a message, never a crash, hang or traceback."""

import copy
import json
import os
import random
import signal

import pytest

from reconic.cli.train import BASES
from reconic.train.config import train_parser

N = int(os.environ.get("RECONIC_FUZZ", 500))  # `make fuzz` tries 10,000
SECONDS = 60  # for one configuration
VALUES = [
    None, True, False, 0, 1, -1, 2**70, 1.5, float("nan"), float("inf"), "", "x", "null", "psnr",
    "a.b", "../..", "\x00", "é\U0001f9e0", [], [0], [[]], [None, "x"], {}, {"": 1}, {"a": {"b": 0}},
    {"class_path": "CNN"}, {"class_path": ""}, {"class_path": None}, {"class_path": "os.system"},
    {"class_path": "MoDL", "init_args": None}, {"class_path": "MoDL", "init_args": {"netwrk": 1}},
    {"init_args": {}}, "99:99:99:99", "1e400", "${oc.env:HOME}", "!!python/name:os.system",
]  # fmt: skip


def spots(value, path=()):
    """Paths of all values inside a configuration."""
    if path:
        yield path
    items = dict(enumerate(value)) if isinstance(value, list) else value
    for key, inner in items.items() if isinstance(items, dict) else ():
        yield from spots(inner, (*path, key))


def mutate(config, rng):
    """A copy with one to three values replaced, removed, renamed or added."""
    config = copy.deepcopy(config)
    for _ in range(rng.randint(1, 3)):
        *home, key = rng.choice(list(spots(config)) or [("new",)])
        place = config
        for step in home:
            place = place[step]
        change = rng.choice(["replace", "remove", "rename", "add"])
        if change == "replace" or not isinstance(place, dict):
            place[key] = copy.deepcopy(rng.choice(VALUES))
        elif change == "remove":
            del place[key]
        elif change == "rename":
            place[str(key)[::-1]] = place.pop(key)
        else:
            place[rng.choice(["seed", "x", "init_args", "class_path", ""])] = copy.deepcopy(
                rng.choice(VALUES)
            )
    return config


def broken_text(text, rng):
    """The text with some characters lost or doubled."""
    for _ in range(rng.randint(1, 3)):
        i = rng.randrange(len(text) or 1)
        text = rng.choice([text[:i], text[:i] + text[i + 1 :], text[: i + 1] + text[i:]])
    return text


def too_long(signum, frame):
    raise AssertionError(f"longer than {SECONDS} s")


# jsonargparse warns of paths such as os.system, before it refuses them for their kind
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.slow
def test_fuzzed_configurations(home, tmp_path):
    import argparse

    from reconic.cli.spelling import parse

    rng = random.Random(0)
    config = json.loads((home / "config.json").read_text())
    parser, path = train_parser(), tmp_path / "fuzzed.json"
    signal.signal(signal.SIGALRM, too_long)
    messages = []
    for i in range(N):
        fuzzed = json.dumps(mutate(config, rng))
        path.write_text(fuzzed if i % 5 else broken_text(fuzzed, rng), encoding="utf-8")
        signal.alarm(SECONDS)
        try:
            parse(parser, ["--config", str(path)], BASES)
        except argparse.ArgumentError as error:
            messages.append(str(error))
        finally:
            signal.alarm(0)
    assert all(0 < len(message) < 2000 and "Traceback" not in message for message in messages)
    n_refused = len(messages)
    assert N / 2 < n_refused < N  # it does refuse, and not all
