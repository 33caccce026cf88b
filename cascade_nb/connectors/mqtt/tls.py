"""Checks who a broker is, and says why it cannot be reached or is refused."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

from cascade_nb.connectors.mqtt.address import BrokerAddress
from cascade_nb.errors import UsageError


@contextlib.contextmanager
def trust(address: BrokerAddress) -> Iterator[ssl.SSLContext | None]:
    """What the certificate of a broker is checked with, its host's name included; None where there
    is no TLS. The sockets of what comes to nothing in the block are closed, which paho does not do.

    Raises:
        UsageError: a file cannot be read, or is no certificate.
    """
    if not address.tls:
        yield None
        return
    context = _context(address)
    made: list[ssl.SSLSocket] = []
    wrap = context.wrap_socket

    def wrapped(*args: Any, **kwargs: Any) -> ssl.SSLSocket:
        made.append(wrap(*args, **kwargs))
        return made[-1]

    context.wrap_socket = wrapped  # type: ignore[method-assign]
    try:
        yield context
    except BaseException:
        for connection in made:
            connection.close()
        raise


def why_not(address: BrokerAddress, error: OSError) -> ConnectionError:
    """What to say when a broker could not be connected to."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message or error.reason
        return ConnectionError(f"{address} is refused: its certificate is not trusted ({reason})")
    hint = "; is that its port for TLS?" if address.tls else ""
    if isinstance(error, ssl.SSLError):
        return ConnectionError(f"{address} does not speak TLS as we do ({error.reason}){hint}")
    if not isinstance(error, ConnectionResetError) or isinstance(error, socket.gaierror):
        hint = ""
    return ConnectionError(f"{address} cannot be reached: {error.strerror or error}{hint}")


def _context(address: BrokerAddress) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=address.ca)
        if address.certificate is not None:
            # Without a password: it would be asked for on a terminal that nobody looks at.
            context.load_cert_chain(address.certificate, address.key, password=_no_password)
    except (OSError, ValueError) as error:
        named = " and ".join(filter(None, (address.ca, address.certificate, address.key)))
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"the certificates in {named} cannot be used: {reason}") from None
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted, and nobody is asked for its password")
