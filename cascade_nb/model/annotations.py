"""Reads annotations and signatures, whatever their names mean by now.

Since Python 3.14 an annotation is worked out when it is asked for, and a name in it that means
nothing then, such as one that is imported for type checkers alone, would raise.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Any

if sys.version_info >= (3, 14):
    from annotationlib import Format, get_annotations


def annotations_of(thing: Any) -> Mapping[str, Any]:
    """What a function or class annotates itself: types, or texts where they stand as text; what
    means nothing by now is there as a forward reference. Empty for what has no annotations.
    """
    if sys.version_info >= (3, 14):
        try:
            return get_annotations(thing, format=Format.FORWARDREF)
        except TypeError:  # it is nothing that could have any
            return {}
        except Exception:  # an annotation is the user's code, and may do anything
            return get_annotations(thing, format=Format.STRING)
    own = vars(thing) if isinstance(thing, type) else None
    found = getattr(thing, "__annotations__", None) if own is None else own.get("__annotations__")
    return found if isinstance(found, dict) else {}


def signature_of(fn: Any) -> inspect.Signature:
    """How `fn` is called.

    Raises:
        TypeError, ValueError: Python cannot tell.
    """
    if sys.version_info >= (3, 14):
        return inspect.signature(fn, annotation_format=Format.FORWARDREF)
    return inspect.signature(fn)
