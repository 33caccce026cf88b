"""What the user wrote: tasks, lazy values, parameters, routes, resources, policies."""

from __future__ import annotations

from cascade_nb.model.lazy import Lazy, LazyResult, MappedLazyResult
from cascade_nb.model.operations import operation
from cascade_nb.model.operators import unpacked, use_operations
from cascade_nb.model.packing import packed
from cascade_nb.model.param import Param
from cascade_nb.model.partial import PartialTask
from cascade_nb.model.policy import Options, Retry
from cascade_nb.model.resources import Resource, inject, resource
from cascade_nb.model.routing import Router, pipeline, sequence
from cascade_nb.model.task import Task, task
from cascade_nb.model.travel import use_packing

__all__ = [
    "Lazy",
    "LazyResult",
    "MappedLazyResult",
    "Options",
    "Param",
    "PartialTask",
    "Resource",
    "Retry",
    "Router",
    "Task",
    "inject",
    "pipeline",
    "resource",
    "sequence",
    "task",
    "unpacked",
]

use_operations(operation)
use_packing(packed)
