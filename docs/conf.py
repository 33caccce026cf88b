"""How Sphinx makes the pages: `make docs`. Its source folder is the project's root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from cascade_nb.grammar.arguments import Arguments
from cascade_nb.notebook.magics.commands import COMMANDS
from cascade_nb.terminal.commands import COMMANDS as OF_TERMINAL

project = "Cascade for notebooks"
author = "The developers of Cascade for notebooks"
root_doc = "docs/index"
include_patterns = ["docs/**", "notebooks/*.ipynb", "CHANGELOG.md"]
# Sphinx walks through all that is not named here, environments with tens of thousands of files too.
exclude_patterns = ["**/.ipynb_checkpoints", ".git", ".venvs", ".hypothesis", "build", "dist"]

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_nb",
]

html_theme = "furo"
html_title = project
html_show_copyright = False
html_copy_source = False

# What the notebooks show is made when they are run in CI; here they are read.
nb_execution_mode = "off"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# A name in single backticks is code, as in the project's docstrings.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # else an attribute is described twice


class Help(SphinxDirective):
    """Shows the help of each magic, or of each command of the terminal, as `-h` gives it."""

    required_arguments: Final = 1

    def run(self) -> list[nodes.Node]:
        """The sections, in the order of the table of commands."""
        return [self._section(name, takes) for name, takes in _commands(self.arguments[0]).items()]

    def _section(self, name: str, takes: Arguments) -> nodes.section:
        section = nodes.section(ids=[nodes.make_id(f"{self.arguments[0]}-{name}")])
        section += nodes.title(text=name)
        text = takes.format_help()
        section += nodes.literal_block(text, text, language="none")
        return section


def _commands(which: str) -> Mapping[str, Arguments]:
    tables: dict[str, Mapping[str, Any]] = {"magics": COMMANDS, "terminal": OF_TERMINAL}
    return {name: command.takes for name, command in tables[which].items()}


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("command-help", Help)
    return {"parallel_read_safe": True}
