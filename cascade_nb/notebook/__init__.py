"""The notebook extension: `%load_ext cascade_nb`."""

from __future__ import annotations

from cascade_nb.notebook.extension import load_ipython_extension, unload_ipython_extension

__all__ = ["load_ipython_extension", "unload_ipython_extension"]
