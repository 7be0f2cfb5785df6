"""Forward models: what a System is, and the algebra of linear ones."""

from reconic.operator.derived import (
    Adjoint,
    Composed,
    Derived,
    Identity,
    Normal,
    SameSamples,
    Scaled,
    Stack,
    Sum,
    Weighted,
    stack,
)
from reconic.operator.linear import LinearSystem
from reconic.operator.system import System, static, system

__all__ = [
    "Adjoint",
    "Composed",
    "Derived",
    "Identity",
    "LinearSystem",
    "Normal",
    "SameSamples",
    "Scaled",
    "Stack",
    "Sum",
    "System",
    "Weighted",
    "stack",
    "static",
    "system",
]
