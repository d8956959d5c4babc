"""MCP servers for tests, built with the official SDK; run as a program of its own.

python tests/mcp_server.py              on stdio
python tests/mcp_server.py http PORT    at http://127.0.0.1:PORT/mcp
"""

import os
import sys
from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

READS = ToolAnnotations(read_only_hint=True)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=True)

server = MCPServer("lab", instructions="Use with care.")


class Name(BaseModel):
    name: Annotated[str, Field(title="Name")]


@server.tool(annotations=READS, structured_output=False)
def spell(word: str) -> str:
    """Spells a word."""
    return "-".join(word)


@server.tool(annotations=WRITES, structured_output=False)
def write(path: str, text: str) -> str:
    """Writes a file."""
    with open(path, "w") as file:  # noqa: PTH123 - a test's server
        file.write(text)
    return "written"


@server.tool(annotations=READS, structured_output=False)
async def climb(context: Context) -> str:
    """Says how far it is."""
    for step in (1, 2):
        await context.report_progress(step, 2, f"step {step}")
    return "up"


@server.tool(annotations=READS, structured_output=False)
async def greet(context: Context) -> str:
    """Asks for a name."""
    answer = await context.elicit("Your name?", Name)
    return f"Hello {answer.data.name}" if answer.action == "accept" else answer.action


@server.tool(annotations=READS, structured_output=False)
def die() -> str:
    """Ends the server."""
    os._exit(3)


@server.tool(annotations=READS, structured_output=False)
def environment() -> list[str]:
    """What it sees."""
    return sorted(os.environ)


@server.resource("lab://note", mime_type="text/plain")
def note() -> str:
    return "remember the milk"


if __name__ == "__main__":
    if sys.argv[1:2] == ["http"]:
        server.run("streamable-http", port=int(sys.argv[2]))
    else:
        server.run("stdio")
