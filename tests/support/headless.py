"""Runs whole notebooks with nobody at them, by nbclient, and loses nothing of what they say."""

from __future__ import annotations

from typing import Any, Final

from nbclient import NotebookClient
from nbformat import NotebookNode

#: By itself nbclient waits for four seconds for what a cell said and has not been heard yet, and
#: goes on without it; and what one print wrote may stay in pieces.
PATIENT: Final = {"iopub_timeout": 90, "startup_timeout": 180, "coalesce_streams": True}


def execute(notebook: NotebookNode, **options: Any) -> None:
    """Run a notebook from top to bottom; its outputs are in it then.

    Args:
        notebook: which.
        options: of nbclient, besides those that make it patient.
    """
    given = {"timeout": 300, "kernel_name": "python3", **PATIENT, **options}
    NotebookClient(notebook, **given).execute()
