"""Copies figures of Matplotlib, and finds in a copy what belongs to the original.

A figure is made anew of what it pickles itself as, without its place in pyplot's list of figures: a
copy is nobody's current figure, and is not shown a second time.
"""

from __future__ import annotations

import io
import pickle
import sys
from typing import Any, Final

_OF_PYPLOT: Final = "_restore_to_pylab"


def is_drawn(cls: type) -> bool:
    """Whether `cls` is a figure or something on one."""
    artist = sys.modules.get("matplotlib.artist")
    return artist is not None and issubclass(cls, artist.Artist)


def figure_of(artist: Any) -> Any:
    """The whole figure on which something is; None for what is on none."""
    figure = artist.figure
    while figure is not None and figure.figure not in (None, figure):
        figure = figure.figure
    return figure


def figure_copy(figure: Any) -> Any:
    """A figure like another; that one itself where something on it cannot be pickled."""
    written = io.BytesIO()
    try:
        _Writer(written, pickle.HIGHEST_PROTOCOL).dump(figure)
        return pickle.loads(written.getvalue())  # noqa: S301 - written a line above
    except Exception:  # a function of the user's on it, say: everybody is given the same one
        return figure


def same_in(copy: Any, figure: Any, artist: Any) -> Any:
    """What is in a copy of a figure where `artist` is in the figure; None for other than axes."""
    if artist in figure.axes:
        return copy.axes[figure.axes.index(artist)]
    return None


class _Writer(pickle.Pickler):
    """Leaves out where a figure stands in pyplot's list."""

    def reducer_override(self, value: Any) -> Any:
        """What a figure is made of; anything else as usual."""
        if not (is_drawn(type(value)) and hasattr(value, "canvas")):
            return NotImplemented
        maker, arguments, state, *rest = value.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        if isinstance(state, dict):
            state = {name: held for name, held in state.items() if name != _OF_PYPLOT}
        return (maker, arguments, state, *rest)
