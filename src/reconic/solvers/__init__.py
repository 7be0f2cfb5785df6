"""Iterative solvers, written once against the array standard."""

from reconic.solvers.cg import Solution, cg
from reconic.solvers.power import operator_norm

__all__ = ["Solution", "cg", "operator_norm"]
