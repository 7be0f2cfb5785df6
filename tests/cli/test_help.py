"""Help that is read from the source says what the parsers themselves know."""

import re
import resource
import subprocess
import sys

import pytest

from reconic.cli.help import command_help
from reconic.cli.main import COMMANDS
from reconic.cli.source import Parameter, load, parameters

CODE = """
import sys
from reconic.cli import main
assert main(["{}", "--help"]) == 0
loaded = {{"torch", "jax", "lightning", "numpy", "jsonargparse"}} & set(sys.modules)
assert not loaded, loaded
"""


def options(text):
    return set(re.findall(r"^  --([\w.]+)", text, re.MULTILINE))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_loads_no_engine(command):
    subprocess.run([sys.executable, "-c", CODE.format(command)], check=True, capture_output=True)


@pytest.mark.parametrize(("argv", "limit"), [(["--help"], 0.3), (["train", "--help"], 1.0)])
def test_help_is_quick(argv, limit):
    """By the processor's time, to which a busy machine adds little."""
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "reconic", *argv], check=True, capture_output=True)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime < limit


def test_help_of_training_has_every_key_of_the_parser_and_no_other():
    from reconic.train.config import train_parser

    keys = {a.dest for a in train_parser()._actions if any(o[:2] == "--" for o in a.option_strings)}
    keys = {key for key in keys if not key.endswith("help") and key != "print_config"}
    groups = {key for key in keys if any(other.startswith(f"{key}.") for other in keys)}
    assert options(command_help("train")) - {"help"} == keys - groups


def test_help_explains_every_option():
    for command in COMMANDS:
        text = command_help(command)
        assert f"usage: reconic {command}" in text
        for name, words in re.findall(r"^  --([\w.]+)(.*(?:\n {10,}.*)*)", text, re.MULTILINE):
            assert len(words.split()) > 2, f"{command} --{name}"


def test_defaults_and_choices_are_those_of_the_code():
    text = " ".join(command_help("train").split())
    assert "--lr_interval {step,epoch} Whether" in text
    assert "--recon Recon What is trained" in text
    assert "(default: MoDL)" in text
    assert "--trainer.max_epochs int Stop training once this number of epochs is reached. " in text
    assert "Number of examples of a training batch, of all devices together; validation" in text
    assert "to find any bugs (ie: a sort of unit test). (default: False)" in text
    for command, found in {
        "recon": "--traj_unit {rad/voxel,cycles/voxel,1/fov} ",
        "view": "--kind {volume,complex,kspace,maps,trajectory} ",
        "simulate": "examples. (default: 4.0)",
    }.items():
        assert found in " ".join(command_help(command).split())


SOURCE = '''
from dataclasses import dataclass
import json as j
from reconic.cli.console import say as speak

LIMIT = 3
Kind = Literal["one", "two"]

@dataclass
class Options:
    """Some.

    Args:
        deep: How deep,
            in metres.
    """
    deep: float = 1.5

def work(a: int, *, b: str = "x", options: Options = Options(), c=None, d: Kind | None = LIMIT):
    """Work.

    Args:
        a: First.
        b (str): Second: with a colon.

    Returns:
        Nothing.
    """
'''


@pytest.fixture
def source(tmp_path, monkeypatch):
    (tmp_path / "some_source.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    return load("some_source")


def test_parameters_of_a_function(source):
    assert list(parameters(*source.find("work"))) == [
        Parameter("a", "int", None, "First."),
        Parameter("b", "str", "'x'", "Second: with a colon."),
        Parameter("options.deep", "float", "1.5", "How deep, in metres."),
        Parameter("c", "", "None", ""),
        Parameter("d", "Literal['one', 'two'] | None", "3", ""),
    ]


def test_names_are_followed_to_where_they_are_defined(source):
    home, node = source.find("speak")
    assert (home.name, node.name) == ("reconic.cli.console", "say")
    assert source.find("j.dumps")[1].name == "dumps"
    assert source.find("nothing") is None
    assert source.literal(source.find("LIMIT")[1]) == 3
