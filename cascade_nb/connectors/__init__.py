"""Connectors carry constraints in and telemetry out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cascade_nb.connectors.local import InProcessConnector
from cascade_nb.connectors.urls import without_paho

if TYPE_CHECKING:
    from cascade_nb.connectors.mqtt.connector import MqttConnector

__all__ = ["InProcessConnector", "MqttConnector"]


def __getattr__(name: str) -> Any:
    """What needs an extra is imported when somebody names it."""
    if name == "MqttConnector":
        try:
            from cascade_nb.connectors.mqtt.connector import MqttConnector  # noqa: PLC0415 - as above
        except ModuleNotFoundError as error:
            raise without_paho(error) from None
        return MqttConnector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
