"""Forward models: what a System is, and the algebra of linear ones."""

from reconic.operator.derived import (
    Adjoint,
    Composed,
    Derived,
    Identity,
    Normal,
    SameSamples,
    Scaled,
    SelfAdjoint,
    Stack,
    Sum,
    Weighted,
    stack,
)
from reconic.operator.linear import LinearSystem
from reconic.operator.spread import Peers, SpreadCoils, coil_axes
from reconic.operator.system import System, static, system

__all__ = [
    "Adjoint",
    "Composed",
    "Derived",
    "Identity",
    "LinearSystem",
    "Normal",
    "Peers",
    "SameSamples",
    "Scaled",
    "SelfAdjoint",
    "SpreadCoils",
    "Stack",
    "Sum",
    "System",
    "Weighted",
    "coil_axes",
    "stack",
    "static",
    "system",
]
