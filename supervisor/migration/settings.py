"""Settings, MCP servers and hooks of Claude Code, as the configuration has them."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from protocol.external import HookMigration, McpServerMigration, MigrationDetails
from supervisor.hooks import EVENTS, UNMATCHED
from supervisor.layers import Table
from supervisor.migration.place import (
    Place,
    Unreadable,
    is_empty,
    read_json,
    read_text,
    table,
    tables,
    text,
    texts,
    write,
)

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_BEARER = re.compile(r"Bearer \$\{(\w+)\}")


def _there(file: Path) -> Table:
    """Raises Unreadable."""
    try:
        return tomllib.loads(read_text(file))
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(f"{file} is no TOML: {error}") from None


def _missing(wanted: Table, there: Table) -> Table:
    """What of `wanted` the tables do not say yet."""
    found: Table = {}
    for key, value in wanted.items():
        if key not in there:
            found[key] = value
        elif inner := _missing(table(value), table(there[key])):
            found[key] = inner
    return found


def _add(file: Path, wanted: Table) -> None:
    """Raises Unreadable, and OSError."""
    from supervisor.edit import edited  # noqa: PLC0415 - tomlkit costs 15 ms

    edits = [([key], value) for key, value in _missing(wanted, _there(file)).items()]
    write(file, edited(read_text(file), edits, merge=True))


# ---- settings


def config(place: Place) -> Table:
    """Raises Unreadable."""
    told = place.settings()
    found: Table = {}
    if table(told.get("sandbox")).get("enabled") is True:
        found["sandbox_mode"] = "workspace-write"
    variables = {
        k: word for k, v in table(told.get("env")).items() if (word := text(v)) is not None
    }
    if variables:
        found["shell_environment_policy"] = {"inherit": "core", "set": variables}
    return _missing(found, _there(place.config))


def import_config(place: Place) -> None:
    """Raises Unreadable, and OSError."""
    _add(place.config, config(place))


# ---- MCP servers


def servers(place: Place) -> Table:
    """Those of the place that the configuration does not have.  Raises Unreadable."""
    told = _told(place)
    settings = place.settings()
    off, on = (texts(settings.get(f"{what}abledMcpjsonServers")) for what in ("dis", "en"))
    known = table(_there(place.config).get("mcp_servers"))
    return {
        name: server
        for name in sorted(told)
        if name not in known and name not in off and (not on or name in on)
        if (server := _server(table(told[name]))) is not None
    }


def _told(place: Place) -> Table:
    """The user's own file knows servers by project too."""
    users = read_json(Path.home() / ".claude.json")
    if place.is_home:
        return table(users.get("mcpServers"))
    project = table(table(users.get("projects")).get(str(place.root)))
    return table(project.get("mcpServers")) | table(
        read_json(place.root / ".mcp.json").get("mcpServers")
    )


def _server(told: Table) -> Table | None:
    """None for one that cannot be said here: another transport, or variables amid a text."""
    kind, command, url = told.get("type"), told.get("command"), told.get("url")
    if told.get("disabled") is True or told.get("enabled") is False:
        return None
    if isinstance(command, str) and kind in (None, "stdio"):
        args, more = texts(told.get("args")), _variables(table(told.get("env")))
        if more is None or any("${" in word for word in (command, *args)):
            return None
        return {"command": command, **({"args": args} if args else {}), **more}
    if isinstance(url, str) and kind in (None, "http", "streamable_http") and "${" not in url:
        more = _headers(table(told.get("headers")))
        return None if more is None else {"url": url, **more}
    return None


def _variables(env: Table) -> Table | None:
    found: Table = {}
    for name, value in env.items():
        word = text(value)
        if word is None or ("${" in word and word != f"${{{name}}}"):
            return None
        if "${" in word:
            found.setdefault("env_vars", []).append(name)
        else:
            found.setdefault("env", {})[name] = word
    return found


def _headers(headers: Table) -> Table | None:
    found: Table = {}
    for name, value in headers.items():
        word = text(value) or ""
        if name.lower() == "authorization" and (bearer := _BEARER.fullmatch(word)):
            found["bearer_token_env_var"] = bearer[1]
        elif variable := _VARIABLE.fullmatch(word):
            found.setdefault("env_http_headers", {})[name] = variable[1]
        elif "${" in word:
            return None
        else:
            found.setdefault("http_headers", {})[name] = word
    return found


def servers_details(place: Place) -> MigrationDetails | None:
    found = [McpServerMigration(name) for name in servers(place)]
    return MigrationDetails(mcp_servers=found) if found else None


def import_servers(place: Place) -> None:
    """Raises Unreadable, and OSError."""
    _add(place.config, {"mcp_servers": servers(place)})


# ---- hooks


def hooks(place: Place) -> dict[str, list[Table]]:
    """The programs it runs at events that there are here too; none where hooks are written already.

    Raises Unreadable.
    """
    settings = place.settings()
    if settings.get("disableAllHooks") is True or not is_empty(place.target / "hooks.json"):
        return {}
    told = table(settings.get("hooks"))
    found = {event: _groups(event, tables(told.get(event))) for event in EVENTS}
    return {event: groups for event, groups in found.items() if groups}


def _groups(event: str, told: list[Table]) -> list[Table]:
    groups: list[Table] = []
    for group in told:
        programs = [_program(one) for one in tables(group.get("hooks"))]
        kept = [one for one in programs if one is not None]
        matcher = group.get("matcher")
        named = {"matcher": matcher} if isinstance(matcher, str) and event not in UNMATCHED else {}
        if kept:
            groups.append({**named, "hooks": kept})
    return groups


def _program(told: Table) -> Table | None:
    command: Any = told.get("command")
    if told.get("type") != "command" or not isinstance(command, str) or not command.strip():
        return None
    more = {key: told[key] for key in ("timeout", "statusMessage") if key in told}
    return {"type": "command", "command": command, **more}


def hooks_details(place: Place) -> MigrationDetails | None:
    found = [HookMigration(event) for event in hooks(place)]
    return MigrationDetails(hooks=found) if found else None


def import_hooks(place: Place) -> None:
    """Raises Unreadable, and OSError.  They run once the user trusts them."""
    content = json.dumps({"hooks": hooks(place)}, indent=2, ensure_ascii=False)
    write(place.target / "hooks.json", content + "\n")
