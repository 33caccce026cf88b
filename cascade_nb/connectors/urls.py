"""Makes a connector of a URL."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from cascade_nb.errors import UsageError, nearest
from cascade_nb.protocols.connector import Connector

SCHEMES: Final = ("mqtt", "mqtts")


def connector_from(url: str) -> Connector:
    """The connector of a URL.

    Args:
        url: `mqtt://localhost`, or over TLS `mqtts://user:password@host`; see `MqttConnector`.

    Raises:
        UsageError: nobody can read it, what it takes is not installed, or it would speak to another
            machine without TLS or without a password.
    """
    scheme = url.partition(":")[0]
    if scheme not in SCHEMES:
        hint = nearest(scheme, SCHEMES) if scheme and urlsplit(url).scheme else ""
        raise UsageError(
            f"a connector is given as mqtt://localhost or mqtts://user:password@host{hint}"
        )
    made: Connector = mqtt_connector(url)
    return made


def mqtt_connector(url: str, **options: Any) -> Any:
    """A `MqttConnector`, which needs an extra; the arguments are its own.

    Raises:
        UsageError: paho-mqtt is not installed, or the connector refuses the arguments.
    """
    try:
        from cascade_nb.connectors.mqtt.connector import MqttConnector  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise without_paho(error) from None
    return MqttConnector(url, **options)


def mqtt_controller(url: str, **options: Any) -> Any:
    """An `MqttController`, likewise.

    Raises:
        UsageError: paho-mqtt is not installed, or the controller refuses the arguments.
    """
    try:
        from cascade_nb.connectors.mqtt.controller import MqttController  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise without_paho(error) from None
    return MqttController(url, **options)


def without_paho(error: ModuleNotFoundError) -> Exception:
    """What to say where paho-mqtt is not installed; the error itself where it is another's."""
    if error.name is None or error.name.partition(".")[0] != "paho":
        return error
    return UsageError('mqtt:// needs paho-mqtt; install it with pip install "cascade-nb[mqtt]"')
