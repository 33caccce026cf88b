"""Tells a user what Redis cannot do, and what to do about it."""

from __future__ import annotations

import re
from typing import Final

from cascade_nb.errors import StateError

UNREACHABLE: Final = "UNREACHABLE"
SILENT: Final = "SILENT"
STRANGE: Final = "STRANGE"

_ADVICE: Final = {
    UNREACHABLE: "cannot be reached; see that it runs and that this is its address",
    SILENT: "does not answer; see whether it is stopped, overloaded or cut off",
    STRANGE: "does not answer as Redis does; is this its address, and is it redis:// or rediss://?",
    "CERTIFICATE_VERIFY_FAILED": "has a certificate nobody here trusts; say who signed it by "
    "?ssl_ca_certs=FILE at the end of the URL",
    "NOAUTH": "wants a password; put it into the URL: redis://:password@host",
    "WRONGPASS": "refused the user name or password that the URL has; put the right ones there",
    "NOPERM": "does not let this user do what is needed; it must be allowed to run scripts, and to "
    "read and write the keys that begin with the prefix",
    "OOM": "has no memory left; raise its maxmemory or free some keys",
    "READONLY": "is a replica, which can only be read; use the address of the primary",
    "MASTERDOWN": "is a replica that has lost its primary; use the address of the primary",
    "MISCONF": "cannot write to its own disk and takes nothing more; see its log",
    "NOREPLICAS": "has too few replicas to take anything; see that they run",
    "LOADING": "is still loading its data; wait a moment",
    "BUSY": "is busy with somebody's script; wait for it or end it",
    "MAXCLIENTS": "has as many clients as it takes; raise its maxclients or close some",
    "WRONGTYPE": "has something else under these keys; choose another prefix",
    "MOVED": "is part of a cluster, which cannot be used; use a single server",
    "CROSSSLOT": "is part of a cluster, which cannot be used; use a single server",
    "CLUSTERDOWN": "is part of a cluster, which cannot be used; use a single server",
}

# Inside what a script tells of an error the word stands anywhere: "Error running script: -OOM …".
_CODE: Final = re.compile(rf"\b(?:{'|'.join(_ADVICE)})\b")
_FULL: Final = "max number of clients"


def code_in(text: str) -> str:
    """The word in an error's text that says which kind of trouble it is, empty where none does."""
    found = _CODE.search(text)
    return found.group() if found else "MAXCLIENTS" if _FULL in text else ""


def trouble(where: str, code: str, text: str) -> StateError:
    """The error for an answer of the server, or for the lack of one.

    Args:
        where: the server, as its user knows it, without a password.
        code: the word that says which kind of trouble it is, where known.
        text: what the server or the system said.
    """
    code = code or code_in(text)
    advice = _ADVICE.get(code)
    said = f" ({text})" if text and code not in {SILENT, "NOAUTH", "WRONGPASS"} else ""
    if advice is None:
        return StateError(f"Redis at {where} refused: {text}")
    return StateError(f"Redis at {where} {advice}{said}")
