"""Engines and brokers that are given time on a busy machine."""

from __future__ import annotations

from typing import Final

import pytest

from cascade_nb.connectors.mqtt.controller import MqttController
from cascade_nb.engine.runs import connector_supervisor, ending, lifecycle
from cascade_nb.testing import MqttControllerApp

#: How long a run waits for its connection, and for its telemetry to be sent, before any test.
WAITS: Final = connector_supervisor.PATIENCE, connector_supervisor.FLUSH


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has a run wait for its connection for as long as that takes here: else it begins without."""
    monkeypatch.setattr(connector_supervisor, "PATIENCE", 60.0)
    monkeypatch.setattr(connector_supervisor, "FLUSH", 20.0)
    monkeypatch.setattr(ending, "CLOSING", 120.0)
    monkeypatch.setattr(ending, "LEAST", 120.0)
    monkeypatch.setattr(lifecycle, "CLOSING", 120.0)
    monkeypatch.setattr(lifecycle, "LEAST", 120.0)
    for controller in (MqttController, MqttControllerApp):  # which waits for answers
        defaults = controller.__init__.__kwdefaults__
        assert defaults is not None
        monkeypatch.setitem(defaults, "patience", 60.0)


@pytest.fixture
def impatient(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has it wait no longer than it does for its users."""
    monkeypatch.setattr(connector_supervisor, "PATIENCE", WAITS[0])
    monkeypatch.setattr(connector_supervisor, "FLUSH", WAITS[1])
