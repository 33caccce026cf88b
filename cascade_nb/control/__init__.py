"""What is allowed now: constraints, and the manager that asks them."""

from __future__ import annotations

from cascade_nb.control.constraint import Constraint, Scope, parse_rate, parse_scope
from cascade_nb.control.manager import ConstraintManager

__all__ = ["Constraint", "ConstraintManager", "Scope", "parse_rate", "parse_scope"]
