"""`app-server generate-json-schema` and `generate-ts`: the protocol's shapes as files."""

from pathlib import Path
from typing import Literal

import msgspec

from protocol import schema, typescript
from supervisor.options import Refused

BUNDLE = "codex_app_server_protocol.schemas.json"  # the reference server's name for it


def write(what: Literal["json-schema", "ts"], out: str, *, experimental: bool) -> int:
    """Return the exit status.  Raises Refused when the folder cannot be written."""
    shapes = schema.definitions(experimental=experimental)
    files = _json(shapes) if what == "json-schema" else _typescript(shapes)
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_bytes(text)
    except OSError as error:
        raise Refused(f"cannot write to {out} ({error.strerror}); choose another --out") from None
    return 0


def _json(shapes: dict[str, schema.Schema]) -> dict[str, bytes]:
    documents = {f"{name}.json": schema.alone(name, shapes) for name in shapes}
    documents[BUNDLE] = schema.together(shapes)
    return {
        name: msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
        for name, document in documents.items()
    }


def _typescript(shapes: dict[str, schema.Schema]) -> dict[str, bytes]:
    texts = {f"{name}.ts": typescript.file(name, shapes[name]) for name in shapes}
    texts["index.ts"] = typescript.index(shapes)
    return {name: text.encode() for name, text in texts.items()}
