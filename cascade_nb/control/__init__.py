"""Constraints: what is not allowed now, and the manager that says whether a node may start."""

from __future__ import annotations

from cascade_nb.control.constraint import Constraint, Scope, parse_scope
from cascade_nb.control.constraint_numbers import parse_rate
from cascade_nb.control.manager import ConstraintManager

__all__ = ["Constraint", "ConstraintManager", "Scope", "parse_rate", "parse_scope"]
