"""The section `search` of a configuration, checked before anything runs."""

from __future__ import annotations

import dataclasses
import json
from argparse import ArgumentError
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

from reconic.cli.console import suggest
from reconic.cli.objectives import METRICS, objective
from reconic.cli.spelling import make_parser, parsed, passing_file, usage_error
from reconic.search import Plan, Space

__all__ = ["read_plan"]


def read_plan(
    content: Mapping[str, Any], changed: Mapping[str, Any] | None = None
) -> tuple[Plan, dict[str, Any]]:
    """Plan, and configuration to search around, checked before anything runs.

    Args:
        content: What a file holds: a configuration with a section `search`.
        changed: Values of the section that have the last word.
    """
    config = dict(content)
    section = config.pop("search", None)
    if not isinstance(section, Mapping):
        usage_error(
            "--config: the file must have a section `search` with a `space`, got none. "
            'Such as "search": {"space": {"optimizer.init_args.lr": {"low": 1e-4, "high": 1e-2}}}.'
        )
    plan = _measured(_parsed({**section, **(changed or {})}))
    _check_space(plan, config)
    return plan, config


def _parsed(section: dict[str, Any]) -> Plan:
    """Plan whose values are of the kinds that it wants."""
    space = section.pop("space", {})
    if not isinstance(space, Mapping):
        usage_error(f"search.space: expected keys and values, got {space!r}.")
    parser = make_parser("search", "")
    parser.add_class_arguments(Plan, "search", skip={"space"})
    with passing_file({"search": section}) as file:
        given = parsed(parser, file).config.search
    kinds = get_type_hints(Plan)
    for key, value in section.items():
        if value is None and type(None) not in get_args(kinds[key]):
            usage_error(f"search.{key}: must have a value, got null. Leave it out for the default.")
    return Plan(space=dict(space), **vars(given))


def _measured(plan: Plan) -> Plan:
    """Plan with a metric, which is one of its command."""
    metrics = METRICS[plan.command]
    if plan.metric is not None and plan.metric not in metrics:
        usage_error(
            f"search.metric: expected one of {', '.join(metrics)}, got {plan.metric!r}."
            f"{suggest(plan.metric, metrics)}"
        )
    return dataclasses.replace(plan, metric=plan.metric or metrics[0])


def _check_space(plan: Plan, config: Mapping[str, Any]) -> None:
    """Parse the configurations at the ends of each dimension."""
    command = objective(plan.command)
    for path, value, corner in Space(plan.space).corners(config):
        try:
            with passing_file(corner) as file:
                command.read(file, plan.metric)
        except ArgumentError as error:
            usage_error(f"search.space: {path} = {json.dumps(value)}: {error}")
