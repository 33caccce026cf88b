"""Makes the elements of an SVG document; every text is the text of one, or an attribute's value."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement


def add(parent: Element, tag: str, text: str | None = None, /, **attributes: str) -> Element:
    """A new element inside another."""
    element = SubElement(parent, tag, attributes)
    element.text = text
    return element


def tenth(number: float) -> str:
    """A number to a tenth of a point."""
    return f"{number:.1f}".removesuffix(".0")
