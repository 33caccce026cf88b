"""Draws the outlines of boxes as SVG paths: their shape says what they stand for, not a colour."""

from __future__ import annotations

from typing import Final

from cascade_nb.view.picture.picture import Box, Shape

_ROUND: Final = 7.0
_SLANT: Final = 9.0
_POINT: Final = 10.0
_BADGE: Final = {Shape.TASK: 4.0, Shape.PARAM: 1.0, Shape.ROUTER: 11.0, Shape.CONDITION: 11.0}


def path_of(box: Box, x: float, y: float, wider: float = 0.0) -> str:
    """The path of a card of `box`, whose room begins at (x, y), `wider` points larger on each side.

    Every shape touches the middles of all four sides of its room, where lines begin and end.
    """
    left, upper = x - wider, y - wider
    right, lower = x + box.width + wider, y + box.height + wider
    middle = (upper + lower) / 2
    if box.shape is Shape.TASK:
        return _rounded(left, upper, right, lower, _ROUND + wider)
    half = _SLANT / 2
    corners = {
        Shape.PARAM: (
            (left + half, upper),
            (right + half, upper),
            (right - half, lower),
            (left - half, lower),
        ),
        Shape.ROUTER: (
            (left, upper),
            (right - _POINT, upper),
            (right, middle),
            (right - _POINT, lower),
            (left, lower),
        ),
        Shape.CONDITION: (
            (left + _POINT, upper),
            (right - _POINT, upper),
            (right, middle),
            (right - _POINT, lower),
            (left + _POINT, lower),
            (left, middle),
        ),
    }[box.shape]
    return "M" + "L".join(f"{a:.5g} {b:.5g}" for a, b in corners) + "Z"


def badge_place(box: Box) -> float:
    """How far right of a card's left end its badge is, on its upper edge."""
    return box.width - _BADGE[box.shape]


def _rounded(left: float, upper: float, right: float, lower: float, radius: float) -> str:
    arc = f"a{radius:.5g} {radius:.5g} 0 0 1"
    return (
        f"M{left + radius:.6g} {upper:.6g}H{right - radius:.6g}{arc} {radius:.5g} {radius:.5g}"
        f"V{lower - radius:.6g}{arc} {-radius:.5g} {radius:.5g}"
        f"H{left + radius:.6g}{arc} {-radius:.5g} {-radius:.5g}"
        f"V{upper + radius:.6g}{arc} {radius:.5g} {-radius:.5g}Z"
    )
