"""The sandbox of Linux: bubblewrap's options for what a command may reach.

bubblewrap makes the namespaces and mounts; nothing of ours runs inside.  Its options travel by a
descriptor, so that the command cannot read from a process list what it is kept from.  The order of
the mounts is their depth: a writable root inside of a read-only folder comes behind it.
"""

import os
import shutil
from pathlib import Path, PurePath

from sandbox import placeholder, roots, seccomp
from sandbox.launch import Fence, Mount
from sandbox.netns import Namespace
from sandbox.probe import Bubblewrap
from sandbox.reach import Reach
from sandbox.refusal import Unenforceable

# Servers that do anything for whoever can connect; where the network is open, so are sockets.
_SOCKETS = (
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/podman/podman.sock",
    "/run/snapd.socket",
    "/run/dbus/system_bus_socket",
    "/run/systemd/private",
)
_USER_SOCKETS = ("bus", "podman/podman.sock", "docker.sock", "systemd/private")
SECRETS = ("auth.json",)  # of CODEX_HOME: the credentials of the server
_CONTROL = "app-server-control"  # of CODEX_HOME: the sockets that the server listens on
_EMPTY_FILES = 200  # a descriptor each; of more, reading is an error


def fence(
    reach: Reach,
    host: Bubblewrap,
    home: str,
    cwd: str,
    name: str,
    *,
    namespace: Namespace | None = None,
) -> Fence:
    """In `namespace`, if there is one, else in a network of its own where `reach` closes it.

    Raises Unenforceable when a place is not as the policy takes it to be.
    """
    for link in reach.links:
        cure = "Replace the link by what it points to."
        raise Unenforceable(name, f"{link} is a link, and a link cannot be kept as it is", cure)
    reach = roots.standing(reach, name)
    roots.refuse_hidden_cwd(reach, cwd, name)
    if roots.changeable(host.path, reach):
        why = f"a command under it could change {host.path}, which makes the sandbox"
        raise Unenforceable(name, why, "Install bubblewrap outside of the writable roots.")
    roots.remember(reach)
    covers, placeholders = _covers(reach, name)
    masks = _masks(reach, home)
    return Fence(
        name,
        host.path,
        options(reach.network or namespace is not None),
        (*_base(reach), *covers, *masks),
        tuple(_closing(reach)),
        placeholders,
        seccomp.program("inet+unix" if reach.network else "inet"),
        host.binds_descriptors,
        _session(),
        namespace.entry() if namespace else (),
    )


def _session() -> tuple[str, ...]:
    """The first process has a session already, without a terminal; a command needs its own, or it
    has no job control.  Typing into somebody else's terminal is what the filter forbids."""
    setsid = shutil.which("setsid", path="/usr/bin:/bin")
    return (setsid, "-c") if setsid else ()


def options(network: bool) -> tuple[str, ...]:
    """The namespaces, the end of the sandbox, and the loss of every privilege."""
    return (
        *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-cgroup-try"),
        *(() if network else ("--unshare-net",)),
        *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--disable-userns"),
    )


def _base(reach: Reach) -> list[Mount]:
    match reach.rules.get("/", "none"):
        case "write":
            mounts = [Mount("--bind", "/", "/")]
        case "read":
            mounts = [Mount("--ro-bind", "/", "/")]
        case "none":
            mounts = [Mount("--tmpfs", "/")]
            for way in reach.ways:  # such as /bin, which is /usr/bin
                mounts.append(Mount("--symlink", way, os.path.realpath(way)))
    return [*mounts, Mount("--dev", "/dev"), Mount("--proc", "/proc")]


def _covers(reach: Reach, name: str) -> tuple[list[Mount], tuple[str, ...]]:
    """What differs from the folder around it, from the outside in."""
    mounts: list[Mount] = []
    placeholders: list[str] = []
    for path in sorted(reach.rules, key=lambda path: len(PurePath(path).parts)):
        access = reach.rules[path]
        around = reach.access(str(PurePath(path).parent))
        if path == "/" or access == around:
            continue
        if not placeholder.stands_for_nothing(path):
            mounts += _cover(path, access, reach)
        elif around == "write":  # elsewhere nobody can make it
            if not Path(path).parent.is_dir():
                why = f"{path} must stay unwritable, but the folder that it is in does not exist"
                raise Unenforceable(name, why, "Make it.")
            placeholders.append(path)
            mounts.append(Mount("--ro-bind", path, path))
    return mounts, tuple(placeholders)


def _cover(path: str, access: str, reach: Reach) -> list[Mount]:
    if access == "write":
        return [Mount("--bind", path, path)]
    if access == "read":
        return [Mount("--ro-bind", path, path)]
    if not Path(path).is_dir():
        empty = Mount("--ro-bind-data", path)  # what is read is empty, as it is there (observed)
        return [empty if len(reach.rules) < _EMPTY_FILES else _nothing(path)]
    inner = any(
        access != "none" and PurePath(place).is_relative_to(path)
        for place, access in reach.rules.items()
    )
    return [Mount("--perms", "0111" if inner else "0000"), Mount("--tmpfs", path)]


def _nothing(path: str) -> Mount:
    """A device on a mount without devices: who opens it is told that access is denied."""
    return Mount("--ro-bind", path, "/dev/null")


def _masks(reach: Reach, home: str) -> list[Mount]:
    hidden = [os.path.realpath(Path(home, name)) for name in SECRETS]
    control = Path(home, _CONTROL)
    if reach.network:
        runtime = f"/run/user/{os.getuid()}"
        hidden += [str(path) for path in control.glob("*")]
        hidden += [os.path.realpath(path) for path in _SOCKETS]
        hidden += [os.path.realpath(Path(runtime, name)) for name in _USER_SOCKETS]
    return [
        _nothing(path)
        for path in dict.fromkeys(hidden)
        if Path(path).exists() and reach.access(path) != "none"
    ]


def _closing(reach: Reach) -> list[str]:
    """What is filled during the set-up is closed behind it."""
    closed = [p for p, access in reach.rules.items() if access == "none" and Path(p).is_dir()]
    if reach.rules.get("/", "none") == "none":
        closed.append("/")
    if os.geteuid() == 0:
        closed.append("/proc")  # the kernel's settings ask for the user id only
    return [word for path in closed for word in ("--remount-ro", path)]
