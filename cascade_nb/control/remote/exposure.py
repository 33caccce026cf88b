"""Refuses connections to other machines that are not encrypted or not authenticated."""

from __future__ import annotations

import ipaddress

from cascade_nb.errors import UsageError


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address; no name is looked up."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def refuse_exposed(what: str, host: str, *, tls: bool, credentials: bool, advice: str) -> None:
    """See that another machine is spoken to over TLS, and told who speaks.

    Args:
        what: what is at the other end, as in "the broker".
        host: where.
        tls: whether the connection is encrypted, and the other end checked.
        credentials: whether there is a password or a certificate of this end.
        advice: what to write instead.

    Raises:
        UsageError: the host is another machine, and one of the two is missing.
    """
    if is_loopback(host) or (tls and credentials):
        return
    wanting = ["TLS"] * (not tls) + ["a password or a client's certificate"] * (not credentials)
    raise UsageError(
        f"{what} at {host} is another machine, and would be spoken to without "
        f"{' and without '.join(wanting)}: whoever is between could read and send what they like. "
        f"Write {advice}, or say insecure=True"
    )
