"""Is a configuration usable?  If not: which key, and what is wrong with it.

msgspec finds the fault; here it is put into the words that users of the reference server know from
their searches, with the key spelled out.
"""

import re
from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import fields, replace

from supervisor.layers import ConfigError, Table, dotted, over
from supervisor.toml import Toml

T = TypeVar("T")

BUILT_IN = ("openai", "ollama", "lmstudio")  # providers that every configuration has
WIRES = ("responses", "scripted")
CHAT = (
    'the chat wire is not spoken here; set `wire_api = "responses"`, '
    "or put a gateway that translates before the provider"
)


def typed(table: Table) -> Toml:
    """The table with every known key of the right type.  Raises ConfigError that names the key."""
    try:
        return msgspec.convert(table, Toml)
    except msgspec.ValidationError as error:
        raise _explained(str(error), table) from None


def verified(table: Table) -> Toml:
    """A whole configuration, profile applied, whose parts fit together.  Raises ConfigError."""
    toml = typed(table)
    _check_providers(toml)
    _check_servers(toml)
    toml = _with_profile(toml)
    known = toml.model_provider in (None, *BUILT_IN, *toml.model_providers)
    if not known:
        raise ConfigError(f"Model provider `{toml.model_provider}` not found")
    return toml


def _check_providers(toml: Toml) -> None:
    for id, provider in toml.model_providers.items():
        key = f"model_providers.{id}"
        if id in BUILT_IN:
            raise ConfigError(
                f"`{id}` is a built-in provider and cannot be redefined; "
                f"call yours otherwise, for example `{id}-custom`",
                key=key,
            )
        if not provider.name:
            raise ConfigError(f"{key}: provider name must not be empty", key="model_providers")
        if provider.wire_api not in WIRES:
            problem = _variant(provider.wire_api, ("responses",))
            raise ConfigError(
                CHAT if provider.wire_api == "chat" else problem, key=f"{key}.wire_api"
            )
        if provider.wire_api == "scripted" and not provider.script:
            raise ConfigError('`wire_api = "scripted"` needs `script`, the file to play', key=key)


def _check_servers(toml: Toml) -> None:
    for name, server in toml.mcp_servers.items():
        if ("command" in server) == ("url" in server):
            raise ConfigError("invalid transport", key=f"mcp_servers.{name}")


def _with_profile(toml: Toml) -> Toml:
    if toml.profile is None:
        return toml
    profile = toml.profiles.get(toml.profile)
    if profile is None:
        raise ConfigError(f"config profile `{toml.profile}` not found")
    set_ = {
        f.name: value
        for f in fields(profile)
        if f.name in Toml.__struct_fields__ and (value := getattr(profile, f.name)) is not None
    }
    if profile.features and toml.features:
        set_["features"] = over(toml.features, profile.features)
    return replace(toml, **set_)


def _explained(text: str, table: Table) -> ConfigError:
    problem, _, at = text.partition(" - at `$.")
    path = _path(table, at.rstrip("`"))
    value = _at(table, path)
    if problem.startswith("Invalid enum value"):
        problem = _variant(value, _choices(path))
    elif expected := re.match(r"Expected `([^`]+)`, got", problem):
        wanted = _WORDS.get(expected[1].split(" | ")[0], f"`{expected[1]}`")
        problem = f"invalid type: {_kind(value)}, expected {wanted}"
    return ConfigError(problem, key=dotted(path))


_WORDS = {
    "str": "a string",
    "bool": "a boolean",
    "int": "an integer",
    "float": "a number",
    "array": "a sequence",
    "object": "a table",
}


def _variant(value: Any, choices: tuple[str, ...]) -> str:
    some = ", ".join(f"`{choice}`" for choice in choices)
    return f"unknown variant `{value}`, expected {'one of ' * (len(choices) > 1)}{some}"


def _kind(value: Any) -> str:
    match value:
        case bool():
            return f"boolean `{str(value).lower()}`"
        case int():
            return f"integer `{value}`"
        case float():
            return f"floating point `{value}`"
        case str():
            return f'string "{value}"'
        case list():
            return "sequence"
        case dict():
            return "table"
        case _:
            return "null" if value is None else type(value).__name__


def _path(table: Table, at: str) -> list[str]:
    """The names along msgspec's path, which writes `[...]` where any key of a table may stand."""
    names: list[str] = []
    for step in re.findall(r"[^.\[\]]+|\[\.\.\.\]|\[\d+\]", at):
        names.append(_culprit(table, names) if step == "[...]" else step.strip("[]"))
    return names


def _culprit(table: Table, names: list[str]) -> str:
    """The first key of the table at `names` that is refused even when it stands alone."""
    inner = cast("Table", _at(table, names))
    for key, value in inner.items():
        alone: Any = {key: value}
        for name in reversed(names):
            alone = {name: alone}
        try:
            msgspec.convert(alone, Toml)
        except msgspec.ValidationError:
            return key
    return "..."


def _at(table: Any, path: list[str]) -> Any:
    for name in path:
        match table:
            case dict():
                table = cast("Table", table).get(name)
            case list() if name.isdecimal():
                table = cast("list[Any]", table)[int(name)]
            case _:
                return None
    return table


def _choices(path: list[str]) -> tuple[str, ...]:
    """What the key at `path` may say."""
    hint: Any = Toml
    for name in path:
        hint = next(_below(hint, name), Any)
    return tuple(dict.fromkeys(_literals(hint)))


def _below(hint: Any, name: str) -> Iterator[Any]:
    if isinstance(hint, type) and issubclass(hint, Struct) and name in hint.__struct_fields__:
        yield get_type_hints(hint)[name]
    elif get_origin(hint) is dict:
        yield get_args(hint)[1]
    elif get_origin(hint) in (Union, UnionType):
        for member in get_args(hint):
            yield from _below(member, name)


def _literals(hint: Any) -> Iterator[str]:
    if get_origin(hint) is Literal:
        yield from get_args(hint)
    for member in get_args(hint) if get_origin(hint) in (Union, UnionType) else ():
        yield from _literals(member)
        if isinstance(member, type) and issubclass(member, Struct):
            yield from member.__struct_fields__
