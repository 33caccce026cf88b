"""How constraints come in and telemetry goes out."""

from __future__ import annotations

from cascade_nb.connectors.local import InProcessConnector

__all__ = ["InProcessConnector"]
