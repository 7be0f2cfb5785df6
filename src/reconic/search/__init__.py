"""Hyper-parameter search over any configuration, shared by any number of processes and machines."""

try:
    import optuna as _optuna  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"reconic.search needs {error.name}: install it by `pip install 'reconic[search]'`."
    ) from error

from reconic.search.plan import Plan
from reconic.search.report import write_best, write_report
from reconic.search.space import Dimension, Space
from reconic.search.study import open_study
from reconic.search.trials import Pruned, Report, is_finished, run_trials

__all__ = [
    "Dimension",
    "Plan",
    "Pruned",
    "Report",
    "Space",
    "is_finished",
    "open_study",
    "run_trials",
    "write_best",
    "write_report",
]
