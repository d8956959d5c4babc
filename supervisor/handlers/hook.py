"""hooks/list: what `supervisor.hooks` finds, for each folder that a client asks about."""

from pathlib import Path

from protocol.hook import HookErrorInfo, HooksListEntry, HooksListParams, HooksListResponse
from protocol.methods import HOOKS_LIST
from protocol.overrides import absolute
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.handlers.skill import cwds
from supervisor.hooks import discover
from supervisor.host import Host
from supervisor.layers import ConfigError


@serves(HOOKS_LIST)
def hooks_list(host: Host, _client: Connection, params: HooksListParams) -> HooksListResponse:
    """Hooks are listed so that users can judge them; this release runs none."""
    return HooksListResponse([_entry(host, cwd) for cwd in cwds(params.cwds)])


def _entry(host: Host, cwd: str) -> HooksListEntry:
    try:
        found = discover(host.config, absolute(cwd, str(Path.cwd())))
    except ConfigError as error:
        path = str(error.file or host.config.file)
        return HooksListEntry(cwd, [HookErrorInfo(str(error), path)], [], [])
    return HooksListEntry(cwd, [], found.hooks, found.warnings)
