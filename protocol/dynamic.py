"""Dynamic tools: functions that a client lends to the model of one thread.

What is wrong with them is said when the thread starts: the provider would refuse every request.
"""

import re
from typing import Any

import msgspec
from msgspec import Struct

from protocol.errors import DECODE_ERRORS, RpcError, invalid
from protocol.item import DynamicToolContent
from protocol.thread import DynamicToolSpec
from protocol.wire import Wire

# The Responses API's bounds and names, as the reference server has them (observed).
MAX_NAME = 128
MAX_NAMESPACE = 64
_IDENTIFIER = re.compile(r"[a-zA-Z0-9_-]+")
_TAKEN_NAMESPACES = frozenset(
    (
        *("api_tool", "browser", "computer", "container", "file_search", "functions", "image_gen"),
        *("multi_tool_use", "python", "python_user_visible", "submodel_delegator", "terminal"),
        *("tool_search", "web"),
    )
)


class DynamicToolCallParams(Wire):
    """`item/tool/call`: the client is to do it."""

    arguments: Any
    call_id: str
    thread_id: str
    tool: str
    turn_id: str
    namespace: str | None = None


class DynamicToolCallResponse(Wire):
    content_items: list[DynamicToolContent]
    success: bool


class _Schema(Struct, rename="camel"):
    """The members of a JSON Schema whose form a provider insists on."""

    description: str | None = None
    items: "_Schema | bool | None" = None
    properties: "dict[str, _Schema | bool] | None" = None
    required: list[str] | None = None
    additional_properties: "_Schema | bool | None" = None
    any_of: "list[_Schema | bool] | None" = None


def check(specs: list[DynamicToolSpec]) -> None:
    """Raises RpcError in the reference server's words."""
    seen: set[tuple[str | None, str]] = set()
    for spec in specs:
        _check_name(spec.name)
        if spec.namespace is not None:
            _check_namespace(spec.name, spec.namespace)
        if (spec.namespace, spec.name) in seen:
            where = f" in namespace {spec.namespace}" if spec.namespace else ""
            raise invalid(f"duplicate dynamic tool name{where}: {spec.name}")
        seen.add((spec.namespace, spec.name))
        if spec.defer_loading is True and spec.namespace is None:
            raise invalid(f"deferred dynamic tool must include a namespace: {spec.name}")
        _check_schema(spec.name, spec.input_schema)


def _check_name(name: str) -> None:
    if not name.strip():
        raise invalid("dynamic tool name must not be empty")
    if name != name.strip():
        raise invalid(f"dynamic tool name has leading/trailing whitespace: {name}")
    _check_identifier("name", name, MAX_NAME)
    if _is_mcp(name):
        raise invalid(f"dynamic tool name is reserved: {name}")


def _check_namespace(tool: str, namespace: str) -> None:
    if not namespace.strip():
        raise invalid(f"dynamic tool namespace must not be empty for {tool}")
    if namespace != namespace.strip():
        raise _bad_namespace("has leading/trailing whitespace", tool, namespace)
    _check_identifier("namespace", namespace, MAX_NAMESPACE)
    if _is_mcp(namespace):
        raise _bad_namespace("is reserved", tool, namespace)
    if namespace in _TAKEN_NAMESPACES:
        raise _bad_namespace("collides with a reserved Responses API namespace", tool, namespace)


def _bad_namespace(what: str, tool: str, namespace: str) -> RpcError:
    return invalid(f"dynamic tool namespace {what} for {tool}: {namespace.strip()}")


def _check_identifier(what: str, text: str, most: int) -> None:
    if not _IDENTIFIER.fullmatch(text):
        pattern = f"^{_IDENTIFIER.pattern}$"
        raise invalid(f"dynamic tool {what} must match {pattern} to match Responses API: {text}")
    if len(text) > most:
        raise invalid(
            f"dynamic tool {what} must be at most {most} characters to match Responses API: {text}"
        )


def _is_mcp(name: str) -> bool:
    """MCP servers' tools are named so, and must not be mistaken for a client's."""
    return name == "mcp" or name.startswith("mcp__")


def _check_schema(tool: str, schema: object) -> None:
    about = f"dynamic tool input schema is not supported for {tool}"
    try:
        msgspec.convert(schema, _Schema | bool)
    except DECODE_ERRORS as error:
        raise invalid(f"{about}: {error}") from None
    if isinstance(schema, dict) and schema.get("type") in ("null", ["null"]):  # pyright: ignore[reportUnknownMemberType] - JSON
        raise invalid(f"{about}: tool input schema must not be a singleton null type")
