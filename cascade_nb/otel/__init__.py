"""What runs do, for OpenTelemetry; it needs the extra `otel`."""

from __future__ import annotations

from cascade_nb.otel.tracing import OpenTelemetry

__all__ = ["OpenTelemetry"]
