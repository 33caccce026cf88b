"""What the user writes: tasks, lazy values, parameters, routers, resources, options."""

from __future__ import annotations

from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.lazy.lazy import Lazy, Options
from cascade_nb.model.lazy.operators import unpacked, use_operations
from cascade_nb.model.lazy_pickling import packed
from cascade_nb.model.options.retry import Retry
from cascade_nb.model.params.param import Param
from cascade_nb.model.pickling import use_packing
from cascade_nb.model.resources import Resource, inject, resource
from cascade_nb.model.routing import Router, pipeline, sequence
from cascade_nb.model.tasks.decorator import task
from cascade_nb.model.tasks.operations import operation
from cascade_nb.model.tasks.partial import PartialTask
from cascade_nb.model.tasks.task import Task

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
