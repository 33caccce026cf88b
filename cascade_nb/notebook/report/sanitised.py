"""Lets of anybody's HTML through what only shows something: tables, lists, emphasis.

What is not named here does not come through: its text does, escaped, but for what holds code or
loads something. Tags are written anew, so that nothing of what was given is taken as it was.
"""

from __future__ import annotations

import html
from html.parser import HTMLParser
from typing import Final

from cascade_nb.text import readable

_TO_SHOW: Final = (
    "table caption colgroup thead tbody tfoot tr th td div span p pre code samp kbd b i u s em "
    "strong small sub sup ul ol li dl dt dd h1 h2 h3 h4 h5 h6 blockquote details summary"
)
#: Nothing in these is shown.
_TO_HIDE: Final = (
    "script style iframe object embed template noscript noembed noframes svg math head title "
    "textarea select option video audio canvas applet frameset xmp plaintext"
)
_SHOWING: Final = frozenset(_TO_SHOW.split())
_NOTHING: Final = frozenset(_TO_HIDE.split())
#: Those of them that have no end, so that what follows is not in them.
_ENDLESS: Final = frozenset({"embed"})
_ALONE: Final = frozenset({"br", "hr"})
_NUMBERS: Final = ("colspan", "rowspan")
_DEEPEST: Final = 200


def sanitised(given: str) -> str:
    """What of some HTML shows something, with every tag that it opens closed; empty where no text
    of it would be seen.
    """
    reader = _Reader()
    reader.feed(given)
    reader.close()
    return reader.finished()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._made: list[str] = []
        self._open: list[str] = []
        self._silent: list[str] = []
        self._has_text = False

    def finished(self) -> str:
        if not self._has_text:
            return ""
        return "".join([*self._made, *(f"</{tag}>" for tag in reversed(self._open))])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body" and self._silent == ["head"]:  # which need not be closed
            self._silent.clear()
        elif tag in _NOTHING:
            self._silent += [] if tag in _ENDLESS else [tag]
        elif self._silent:
            return
        elif tag in _ALONE:
            self._made.append(f"<{tag}>")
        elif tag in _SHOWING and len(self._open) < _DEEPEST:
            numbers = [
                f' {name}="{int(value)}"'
                for name, value in attrs
                if name in _NUMBERS and value is not None and value.isdecimal() and len(value) < 4
            ]
            self._made.append(f"<{tag}{''.join(numbers)}>")
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ALONE:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            if tag in self._silent:  # an <option> in it need not be closed
                while self._silent.pop() != tag:
                    pass
        elif tag in self._open:
            while (last := self._open.pop()) != tag:
                self._made.append(f"</{last}>")
            self._made.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._has_text = self._has_text or bool(data.strip())
            self._made.append(html.escape(readable(data), quote=True))
