"""Compare our protocol with the reference server's: methods, fields, types, null, enum values.

    scripts/compare_schema DIR

DIR holds what `codex app-server generate-json-schema --out DIR` writes, with or without
`--experimental`, or `methods.json` and `schemas.json` as ../shared/contract has them.
scripts/schema_differences.toml lists the differences that are meant, each with its reason.
Exit status: 0 when there is no other, 1 when there is, 2 when DIR holds no bundle.
"""

import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
from likeness import PREFIX, Bundle, Comparison

from protocol.methods import NOTIFICATIONS, QUESTIONS, REQUESTS
from protocol.row import Method, Notification
from protocol.schema import definitions
from protocol.wire import Nothing

BUNDLE = "codex_app_server_protocol.schemas.json"
MEANT = Path(__file__).with_name("schema_differences.toml")
UNIONS = {
    "ClientRequest": REQUESTS,
    "ServerRequest": QUESTIONS,
    "ServerNotification": NOTIFICATIONS,
}


Row = Method[Any, Any] | Notification[Any]
Named = dict[str, str | None]
"""The name of each shape of one method: `params`, and `result` where it is known."""


def main(folder: Path) -> int:
    try:
        theirs, rows = _read(folder)
    except (OSError, KeyError, msgspec.DecodeError) as error:
        print(
            f"compare_schema: {folder} holds no bundle of the reference server ({error!r}); "
            f"make one with: codex app-server generate-json-schema --experimental --out {folder}",
            file=sys.stderr,
        )
        return 2
    meant: dict[str, str] = tomllib.loads(MEANT.read_text())["meant"]
    found = list(_differences(theirs, rows))
    news = [one for one in found if not any(fnmatchcase(one[0], pattern) for pattern in meant)]
    for path, what in news:
        print(f"{path}: {what}")
    count = sum(map(len, rows.values()))
    print(f"{count} methods, {len(news)} differences, {len(found) - len(news)} more that are meant")
    return 1 if news else 0


def _read(folder: Path) -> tuple[Bundle, dict[str, dict[str, Named]]]:
    """The definitions, and per union the methods with the names of their shapes."""
    if (folder / "methods.json").exists():
        rows = msgspec.json.decode((folder / "methods.json").read_bytes())
        definitions = msgspec.json.decode((folder / "schemas.json").read_bytes())["definitions"]
        return Bundle(definitions), {union: rows[union] for union in UNIONS}
    definitions = msgspec.json.decode((folder / BUNDLE).read_bytes())["definitions"]
    return Bundle(definitions), {
        union: dict(map(_named, definitions[union]["oneOf"])) for union in UNIONS
    }


def _named(envelope: dict[str, Any]) -> tuple[str, Named]:
    members = envelope["properties"]
    ref = members.get("params", {}).get("$ref")
    name = ref and ref.removeprefix(PREFIX).removeprefix("v2/")
    return members["method"]["enum"][0], {"params": name}


def _differences(theirs: Bundle, rows: dict[str, dict[str, Named]]) -> Iterator[tuple[str, str]]:
    everything = any(
        row.experimental for name, row in REQUESTS.items() if name in rows["ClientRequest"]
    )
    comparison = Comparison(theirs, Bundle(definitions(experimental=everything)))
    for union, table in UNIONS.items():
        ours = {
            name: row
            for name, row in table.items()
            if everything or not getattr(row, "experimental", False)
        }
        for name in sorted(rows[union].keys() ^ ours.keys()):
            yield name, f"only {'the reference' if name in rows[union] else 'Atrio'} has it"
        for name in sorted(rows[union].keys() & ours.keys()):
            yield from _of_method(comparison, ours[name], rows[union][name])


def _of_method(comparison: Comparison, row: Row, named: Named) -> Iterator[tuple[str, str]]:
    if isinstance(row, Method) and named.get("experimental", row.experimental) != row.experimental:
        yield row.name, f"experimental: {row.experimental} here"
    params_name = None if row.params is Nothing else row.params_name
    yield from _of_shape(comparison, f"{row.name} params", named["params"], params_name)
    if isinstance(row, Method):
        named_result = named.get("result", row.result_name)
        yield from _of_shape(comparison, f"{row.name} result", named_result, row.result_name)


def _of_shape(
    comparison: Comparison, path: str, name: str | None, own: str | None
) -> Iterator[tuple[str, str]]:
    if name is None or own is None:
        if name != own:
            yield path, f"only {'the reference' if name else 'Atrio'} has any"
        return
    if name != own:
        yield path, f"called {name} there, {own} here"
    try:
        theirs = comparison.theirs.either(name)
    except KeyError:
        yield path, f"{name} is not in the bundle"
        return
    yield from comparison.differences(name, theirs, comparison.ours.at(own))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    sys.exit(main(Path(sys.argv[1])))
