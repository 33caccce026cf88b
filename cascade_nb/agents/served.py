"""Offers the tools of an agent over the standard streams, as the Model Context Protocol has it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any, Final

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from cascade_nb.agents.tools import called, hold, plan, release, run, runs, status, why
from cascade_nb.errors import CascadeError

_LOOKING: Final = (runs, status, why, plan)
_ABOUT: Final = (
    "Looks at, holds and starts workflow runs of Jupyter notebooks and scripts on this machine. "
    "Ask `runs` first. A run goes on by itself: start it, then ask `status` now and then. What a "
    "person holds only a person lifts; say so rather than look for a way around it."
)
Tool = Callable[..., Awaitable[dict[str, Any]]]


def serve() -> None:
    """Answer an agent on standard input and output until it goes."""
    made_server().run("stdio")


def made_server() -> MCPServer:
    """A server with the seven tools."""
    server = MCPServer(
        "cascade-nb", instructions=_ABOUT, version=version("cascade-nb"), log_level="WARNING"
    )
    for tool in (*_LOOKING, hold, release, run):
        server.add_tool(
            _told(tool),
            name=tool.__name__,
            description=inspect.getdoc(tool),
            annotations=ToolAnnotations(
                read_only_hint=tool in _LOOKING,
                destructive_hint=False,
                idempotent_hint=tool is not run,
                open_world_hint=False,
            ),
            structured_output=True,
        )
    return server


def _told(tool: Tool) -> Tool:
    """A tool that knows which agent asks, and whose refusals are told in their own words."""

    @functools.wraps(tool)
    async def told(*args: Any, context: Context[Any, Any], **given: Any) -> dict[str, Any]:
        params = context.session.client_params
        try:
            with called("" if params is None else params.client_info.name):
                return await tool(*args, **given)
        except CascadeError as error:
            raise ToolError(str(error)) from error

    signature = inspect.signature(tool, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    extra = inspect.Parameter("context", kind, annotation=Context)
    parameters = [*signature.parameters.values(), extra]
    told.__dict__["__signature__"] = signature.replace(parameters=parameters)
    told.__annotations__ = {one.name: one.annotation for one in parameters}
    told.__annotations__["return"] = signature.return_annotation
    del told.__dict__["__wrapped__"]
    return told
