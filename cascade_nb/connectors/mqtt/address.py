"""Reads the URL of a broker."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from cascade_nb.control.remote.exposure import refuse_exposed
from cascade_nb.errors import UsageError, nearest

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_LIKE: Final = "it looks like mqtt://localhost or mqtts://user:password@broker:8883"
_ASKED: Final = ("ca", "certificate", "key", "insecure")


@dataclasses.dataclass(frozen=True)
class BrokerAddress:
    """Where a broker is and how to speak to it.

    Attributes:
        host, port: where.
        tls: whether over TLS.
        user, password: who speaks; empty for nobody.
        ca: a file of the certificates that may have signed the broker's; None for the system's.
        certificate, key: files of this end's own certificate and its key.
    """

    host: str
    port: int
    tls: bool = False
    user: str = ""
    password: str = dataclasses.field(default="", repr=False)
    ca: str | None = None
    certificate: str | None = None
    key: str | None = dataclasses.field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user else ""
        return f"{'mqtts' if self.tls else 'mqtt'}://{user}{host}:{self.port}"


def read_address(
    url: str,
    *,
    ca: str | Path | None = None,
    certificate: str | Path | None = None,
    key: str | Path | None = None,
    insecure: bool = False,
) -> BrokerAddress:
    """The broker of a URL.

    Args:
        url: `mqtt://` or, over TLS, `mqtts://`, then `user:password@host:port`; behind a '?' it may
            say `ca=…`, `certificate=…`, `key=…` and `insecure=true`, too.
        ca, certificate, key: see `BrokerAddress`.
        insecure: whether another machine may be spoken to without TLS or without a password.

    Raises:
        UsageError: this is no URL of a broker, or the broker is another machine, and would be
            spoken to without TLS or without a password. The message never has the password.
    """
    if not isinstance(url, str):
        raise UsageError(f"a broker is given as a URL, not as {type(url).__name__}; {_LIKE}")
    before, at, _ = url.rpartition("@")
    if at and set(before.partition("://")[2]) & set("/?#"):
        raise UsageError("a '/', '?' or '#' in the password of a URL is written %2F, %3F or %23")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError(f"this cannot be read as the URL of a broker; {_LIKE}") from None
    if parts.scheme not in PORTS:
        hint = nearest(parts.scheme, PORTS) if parts.scheme and "@" not in parts.scheme else ""
        raise UsageError(f"the URL of a broker begins with mqtt:// or mqtts://{hint}; {_LIKE}")
    if not host or parts.path.strip("/") or parts.fragment or port == 0:
        raise UsageError(f"the URL of a broker names a host and a port, and no more; {_LIKE}")
    asked = _asked(parts.query)
    tls = parts.scheme == "mqtts"
    address = BrokerAddress(
        host=host,
        port=port or PORTS[parts.scheme],
        tls=tls,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        ca=_path(ca, asked.get("ca")),
        certificate=_path(certificate, asked.get("certificate")),
        key=_path(key, asked.get("key")),
    )
    if address.password and not address.user:
        raise UsageError(f"a password needs a user; {_LIKE}")
    if not tls and (address.ca or address.certificate or address.key):
        raise UsageError(
            "a certificate is for TLS: the URL of the broker begins with mqtts:// then"
        )
    if address.key and not address.certificate:
        raise UsageError("a key is that of a certificate: name its file, too")
    if not (insecure or asked.get("insecure") == "true"):
        refuse_exposed(
            "the broker",
            host,
            tls=tls,
            credentials=bool(address.password or address.certificate),
            advice="mqtts:// with user and password",
        )
    return address


def _asked(query: str) -> dict[str, str]:
    asked = dict(parse_qsl(query, keep_blank_values=True))
    for name in asked:
        if name not in _ASKED:
            raise UsageError(f"the URL of a broker takes no {name!r}{nearest(name, _ASKED)}")
    if asked.get("insecure", "true") not in ("true", "false"):
        raise UsageError("insecure in the URL of a broker is true or false")
    return asked


def _path(given: str | Path | None, asked: str | None) -> str | None:
    found: Any = given if given is not None else asked
    return None if not found else str(Path(found).expanduser())
