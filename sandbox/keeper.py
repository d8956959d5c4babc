"""The process around a command at the reduced level: it starts it, confined, and ends what is left.

Without namespaces nobody ends what a command leaves behind, and the worker must run no code between
fork and exec.  So this small program stands between: `python -I -S -c START`, one for a command.
It gets its own code from a descriptor, since a file could be the command's to change, and imports
nothing of ours.  Whoever kills it takes the command along; asked by SIGTERM it passes that on, and
at SIGUSR1, or when the worker has died, it kills all that there is.
"""

import ctypes
import marshal
import os
import struct

TYPE_CHECKING = False  # typing itself would cost a fifth of the start
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn
else:
    import _signal as signal  # the public one makes enumerations: 3 ms

KILL = signal.SIGUSR1  # SIGKILL would end the keeper alone
FAILED = 1  # the command was not started; bubblewrap's code for it

_PDEATHSIG, _NO_NEW_PRIVS, _SUBREAPER = 1, 38, 36  # linux/prctl.h
_SECCOMP, _FILTER = 22, 2
_CAPBSET_DROP, _CAPABILITIES = 24, 64
_CAPSET = {"x86_64": 126, "aarch64": 91}
_VERSION_3 = 0x20080522  # of capset's header
_ADD_RULE, _RESTRICT_SELF = 445, 446
_USE, _IOCTL_DEV = 0b110, 1 << 15  # see `landlock`, which cannot be imported here
_TIOCSCTTY = 0x540E

_libc = ctypes.CDLL(None, use_errno=True)


def main(ruleset: int, data: bytes) -> "NoReturn":
    """`data` is what `order` made.  Ends as the command does: 128 and the signal, as shells say."""
    parent, argv, env, program = marshal.loads(data)  # noqa: S302 - by `order`
    signals = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, KILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    _prctl(_PDEATHSIG, KILL)
    if os.getppid() != parent:
        os._exit(FAILED)
    _prctl(_SUBREAPER, 1)
    keeper = os.getpid()
    command = os.fork()
    if command == 0:
        _become(argv, env, lambda: _prepare(keeper, ruleset, program, before))
    _let_go()
    told, status = _watch(command, signals)
    _end_children()
    _leave(told, status)


def order(argv: list[str], env: dict[str, str], program: bytes) -> bytes:
    """Raises ValueError for what no command can be started with."""
    if any("\0" in word for word in (*argv, *env, *env.values())):
        raise ValueError("embedded null byte")
    words = [os.fsencode(word) for word in argv]
    variables = {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
    return marshal.dumps((os.getpid(), words, variables, program))


# ---- the keeper


def _let_go() -> None:
    """Of the streams: whoever reads them waits for all that hold them."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _watch(command: int, signals: "Iterable[int]") -> tuple[int | None, int]:
    """Until it has ended, or all has to: the signal that was sent to it, and its status."""
    told = None
    while True:
        number = signal.sigwait(signals)
        if number == KILL:
            return signal.SIGKILL, signal.SIGKILL
        if number != signal.SIGCHLD:
            told = number
            _pass_on(command, number)
            continue
        while (found := _reaped(os.WNOHANG))[0]:
            if found[0] == command:
                return told, found[1]


def _pass_on(command: int, number: int) -> None:
    try:
        os.killpg(command, number)
    except ProcessLookupError:  # it leads no group yet
        os.kill(command, number)


def _reaped(options: int = 0) -> tuple[int, int]:
    try:
        return os.waitpid(-1, options)
    except ChildProcessError:
        return 0, 0


def _end_children() -> None:
    """They become ours as their parents die, until there are none."""
    children = f"/proc/self/task/{os.getpid()}/children"
    while True:
        with open(children, encoding="ascii") as file:  # noqa: PTH123 - pathlib costs 4 ms
            for pid in file.read().split():
                os.kill(int(pid), signal.SIGKILL)
        if not _reaped()[0]:
            return


def _leave(told: int | None, status: int) -> "NoReturn":
    """Whoever ended the command is told that it was so."""
    if not os.WIFSIGNALED(status):
        os._exit(os.WEXITSTATUS(status))
    if told is None:
        os._exit(128 + os.WTERMSIG(status))
    os.kill(os.getpid(), told)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os._exit(128 + told)


# ---- the command


def _become(
    argv: list[bytes], env: dict[bytes, bytes], prepare: "Callable[[], None]"
) -> "NoReturn":
    try:
        prepare()
        os.execvpe(argv[0], argv, env)  # noqa: S606 - the command itself
    except OSError as error:
        name = os.fsdecode(argv[0])
        os.write(2, os.fsencode(f"atrio: cannot start {name}: {error.strerror}\n"))
    finally:
        os._exit(FAILED)


def _prepare(keeper: int, ruleset: int, program: bytes, mask: "Iterable[int]") -> None:
    os.setsid()
    _take_terminal(ruleset)
    _prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(FAILED)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python
        signal.signal(ignored, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    confine(ruleset, program)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _take_terminal(ruleset: int) -> None:
    """Lead it, if it is nobody's, and be allowed to open it by its name, as /dev/stderr does."""
    if not os.isatty(0):
        return
    _libc.ioctl(0, ctypes.c_ulong(_TIOCSCTTY), 0)  # refused where `atrio sandbox` has a leader
    for rights in (_USE | _IOCTL_DEV, _USE):  # the second where ioctl is no right
        if _libc.syscall(_ADD_RULE, ruleset, 1, struct.pack("=Qi", rights, 0), 0) == 0:
            return


def confine(ruleset: int, program: bytes) -> None:
    """Give up every privilege, for good; then the kernel's rules, then the filter.  Raises OSError.

    Without capabilities root may still do what root's files allow, hence the rules.
    """
    _drop_capabilities()
    _prctl(_NO_NEW_PRIVS, 1)
    _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    code = ctypes.create_string_buffer(program, len(program))
    filters = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    _prctl(_SECCOMP, _FILTER, ctypes.c_char_p(filters))


def _drop_capabilities() -> None:
    for capability in range(_CAPABILITIES):  # the bounding set: exec gives them back to root
        _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)
    header = struct.pack("=Ii", _VERSION_3, 0)
    number = _CAPSET[os.uname().machine]
    _checked(_libc.syscall(number, header, bytes(24)), "capset")


def _prctl(option: int, value: int, more: "Any" = 0) -> None:
    _checked(_libc.prctl(option, value, more, 0, 0), "prctl")


def _checked(result: int, what: str) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
