"""`request_permissions`: the model asks for a wider sandbox, ahead of the commands that need it."""

import msgspec
from msgspec import Struct

from protocol.grant import Grant, split
from protocol.permission import AdditionalNetworkPermissions, PermissionGrantScope
from workers.approval.permission import Answer
from workers.tools import Call, Content, Tool, ToolFailure, Turn
from workers.tools.arguments import arguments
from workers.tools.beyond import PROFILE
from workers.tools.wish import FileSystemArguments, PermissionArguments, asked


class _Arguments(Struct):
    permissions: PermissionArguments
    reason: str | None = None


class _Told(Struct, omit_defaults=True):
    permissions: PermissionArguments
    scope: PermissionGrantScope
    strict_auto_review: bool = False


async def _serve(turn: Turn, call: Call) -> Content:
    given = arguments(_Arguments, call.arguments)
    wanted = asked(given.permissions, turn.settings.cwd)
    if not wanted:
        raise ToolFailure("request_permissions requires at least one permission")
    return _told(await turn.approvals.grants.request(turn, call.id, wanted, given.reason))


def _told(answer: Answer) -> str:
    told = _Told(_profile(answer.granted), answer.scope, answer.strict)
    return msgspec.json.encode(told).decode()


def _profile(grant: Grant) -> PermissionArguments:
    """As the model could have asked for it: two lists, unless they cannot say it (observed)."""
    lists = split(grant)
    if lists is None:
        files = FileSystemArguments(entries=grant.entries, glob_scan_max_depth=grant.depth)
    else:
        files = FileSystemArguments(*lists)
    network = None if grant.network is None else AdditionalNetworkPermissions(grant.network)
    return PermissionArguments(network, files if grant.entries else None)


REQUEST_PERMISSIONS = Tool(
    {
        "type": "function",
        "name": "request_permissions",
        "description": "Asks the user to let commands read or write further places, or reach the "
        "network.  The user may grant a part of it; commands after that have what was granted.",
        "strict": False,
        "parameters": {
            "type": "object",
            "properties": {
                "reason": {"type": "string", "description": "What for, in one sentence."},
                "permissions": PROFILE,
            },
            "required": ["permissions"],
            "additionalProperties": False,
        },
    },
    _serve,
    known=False,
)
