"""Connectors carry constraints in and telemetry out."""

from __future__ import annotations

from cascade_nb.connectors.local import InProcessConnector

__all__ = ["InProcessConnector"]
