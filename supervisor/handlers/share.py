"""plugin/share/*, plugin/skill/read: plugins that people share through ChatGPT's backend."""

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import trio

from protocol.errors import INTERNAL_ERROR, RpcError, invalid
from protocol.methods import (
    PLUGIN_SHARE_DELETE,
    PLUGIN_SHARE_LIST,
    PLUGIN_SHARE_SAVE,
    PLUGIN_SHARE_UPDATE_TARGETS,
    PLUGIN_SKILL_READ,
)
from protocol.overrides import RELATIVE
from protocol.plugin import (
    PluginShareDeleteParams,
    PluginShareDeleteResponse,
    PluginShareListItem,
    PluginShareListParams,
    PluginShareListResponse,
    PluginSharePrincipal,
    PluginShareSaveParams,
    PluginShareSaveResponse,
    PluginShareTarget,
    PluginShareUpdateTargetsParams,
    PluginShareUpdateTargetsResponse,
    PluginSkillReadParams,
    PluginSkillReadResponse,
)
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host
from supervisor.manifest import Broken, read_plugin
from supervisor.shared_plugins import BUNDLE_BYTES, Catalogue, catalogue

FOLDER = "/public/plugins/workspace"


@serves(PLUGIN_SKILL_READ)
async def plugin_skill_read(
    host: Host, client: Connection, params: PluginSkillReadParams
) -> PluginSkillReadResponse:
    shared = await catalogue(host, client, "read remote plugin skill details")
    _check(params.remote_plugin_id)
    if not Catalogue.is_id(params.skill_name):
        raise invalid(f"invalid skill name: {params.skill_name}")
    return PluginSkillReadResponse(await shared.skill(params.remote_plugin_id, params.skill_name))


@serves(PLUGIN_SHARE_LIST)
async def plugin_share_list(
    host: Host, client: Connection, _params: PluginShareListParams
) -> PluginShareListResponse:
    shared = await catalogue(host, client, "list remote plugin shares")
    items = await shared.pages("/ps/plugins/workspace/created")
    return PluginShareListResponse(
        [
            PluginShareListItem(shared.summary(item, item.enabled), item.share_url or "")
            for item in items
        ]
    )


@serves(PLUGIN_SHARE_SAVE)
async def plugin_share_save(
    host: Host, client: Connection, params: PluginShareSaveParams
) -> PluginShareSaveResponse:
    """Upload the folder as an archive, then say who may have it."""
    if not os.path.isabs(params.plugin_path):  # noqa: PTH117
        raise invalid(RELATIVE)
    shared = await catalogue(host, client, "save remote plugin share")
    if params.remote_plugin_id is not None:
        _check(params.remote_plugin_id)
    bundle = await trio.to_thread.run_sync(_bundle, Path(params.plugin_path))
    place = await _json(
        shared,
        "POST",
        f"{FOLDER}/upload-url",
        json={
            "filename": f"{Path(params.plugin_path).name}.tar.gz",
            "mime_type": "application/gzip",
            "size_bytes": len(bundle),
            "plugin_id": params.remote_plugin_id,
        },
    )
    upload = str(place.get("upload_url"))
    headers = {"x-ms-blob-type": "BlockBlob", "content-type": "application/gzip"}
    await shared.put(upload, bundle, headers)
    at = f"{FOLDER}/{params.remote_plugin_id}" if params.remote_plugin_id else FOLDER
    told = {
        "file_id": place.get("file_id"),
        "etag": place.get("etag"),
        "discoverability": params.discoverability,
        "share_targets": _targets(params.share_targets),
    }
    known = {key: value for key, value in told.items() if value is not None}
    saved = await _json(shared, "POST", at, json=known)
    id = str(saved.get("plugin_id") or saved.get("id") or params.remote_plugin_id or "")
    return PluginShareSaveResponse(id, str(saved.get("share_url") or ""))


def _bundle(folder: Path) -> bytes:
    """Raises RpcError.  Links stay out: they would bring what is not the plugin's."""
    try:
        plugin = read_plugin(folder)
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as archive:
            archive.add(plugin.root, arcname=plugin.name, filter=_own)
    except Broken as error:
        raise invalid(str(error)) from None
    except OSError as error:
        raise RpcError(INTERNAL_ERROR, f"{folder} cannot be read: {error}") from None
    if data.tell() > BUNDLE_BYTES:
        raise invalid(f"the plugin is larger than {BUNDLE_BYTES >> 20} MiB")
    return data.getvalue()


def _own(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    git = ".git" in Path(member.name).parts
    return member if (member.isfile() or member.isdir()) and not git else None


@serves(PLUGIN_SHARE_UPDATE_TARGETS)
async def plugin_share_update_targets(
    host: Host, client: Connection, params: PluginShareUpdateTargetsParams
) -> PluginShareUpdateTargetsResponse:
    shared = await catalogue(host, client, "update remote plugin share targets")
    _check(params.remote_plugin_id)
    told = await _json(
        shared,
        "PUT",
        f"/ps/plugins/{params.remote_plugin_id}/shares",
        json={
            "discoverability": params.discoverability,
            "targets": _targets(params.share_targets),
        },
    )
    principals = [
        PluginSharePrincipal(one["name"], one["principal_id"], one["principal_type"])
        for one in told.get("principals") or ()
    ]
    kind = told.get("discoverability") or params.discoverability
    answer = PluginShareUpdateTargetsResponse(kind, principals)
    return msgspec.convert(msgspec.to_builtins(answer), PluginShareUpdateTargetsResponse)


@serves(PLUGIN_SHARE_DELETE)
async def plugin_share_delete(
    host: Host, client: Connection, params: PluginShareDeleteParams
) -> PluginShareDeleteResponse:
    shared = await catalogue(host, client, "delete remote plugin share")
    _check(params.remote_plugin_id)
    await shared.send("DELETE", f"{FOLDER}/{params.remote_plugin_id}")
    return PluginShareDeleteResponse()


def _check(id: str) -> None:
    if not Catalogue.is_id(id):
        raise invalid("invalid remote plugin id")


def _targets(targets: list[PluginShareTarget] | None) -> list[dict[str, str]] | None:
    if targets is None:
        return None
    return [
        {"principal_type": one.principal_type, "principal_id": one.principal_id, "role": "reader"}
        for one in targets
    ]


async def _json(shared: Catalogue, method: str, path: str, **body: Any) -> dict[str, Any]:
    answer = await shared.send(method, path, **body)
    try:
        return msgspec.json.decode(answer.content, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise RpcError(INTERNAL_ERROR, f"malformed answer of {path}: {error}") from None
