"""Certificates of an authority that is the tests' alone, for brokers that are not to be trusted."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import trustme


class Certificates:
    """An authority, and what it has signed, as files in a folder.

    Args:
        folder: where the files are.

    Attributes:
        ca: the file of the authority's own certificate.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA()
        self.ca = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca))

    def server(
        self,
        name: str,
        host: str,
        *,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
    ) -> list[str]:
        """The lines of a broker's configuration that use a certificate for `host`."""
        made = self._ca.issue_cert(host, not_before=since, not_after=until)
        key, chain = self._folder / f"{name}.key", self._folder / f"{name}.pem"
        made.private_key_pem.write_to_path(str(key))
        made.cert_chain_pems[0].write_to_path(str(chain))
        return [f"certfile {chain}", f"keyfile {key}"]

    def client(self, name: str) -> tuple[Path, Path]:
        """The files of a client's certificate and its key."""
        made = self._ca.issue_cert(f"{name}.client")
        key, chain = self._folder / f"{name}.key", self._folder / f"{name}.pem"
        made.private_key_pem.write_to_path(str(key))
        made.cert_chain_pems[0].write_to_path(str(chain))
        return chain, key
