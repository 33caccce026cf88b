"""The protocols of an engine's parts; any object of these shapes fits."""

from __future__ import annotations

from cascade_nb.protocols.connector import Callback, Connector, Payload
from cascade_nb.protocols.execution import Clock, Executor, Job, Solver
from cascade_nb.protocols.journal import Journal, Lease, RunRecord
from cascade_nb.protocols.state_backend import Entry, Known, SaveCallback, StateBackend

__all__ = [
    "Callback",
    "Clock",
    "Connector",
    "Entry",
    "Executor",
    "Job",
    "Journal",
    "Known",
    "Lease",
    "Payload",
    "RunRecord",
    "SaveCallback",
    "Solver",
    "StateBackend",
]
