"""Iterative solvers, written once against the array standard."""

from reconic.solvers.admm import admm
from reconic.solvers.cg import Solution, cg
from reconic.solvers.fista import fista
from reconic.solvers.fixed_point import fixed_point
from reconic.solvers.pdhg import pdhg
from reconic.solvers.power import operator_norm

__all__ = ["Solution", "admm", "cg", "fista", "fixed_point", "operator_norm", "pdhg"]
