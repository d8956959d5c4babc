"""Which commands are known to be harmless, and which are known to be dangerous.

Harmless means: it shows something and ends there.  A command that *can* run a program or write a
file through one of its options is harmless only while it is certain that no such option is given,
so a file-name pattern that may turn into an option is none either.  Everything else is unknown.
"""

import re
import shutil
from itertools import takewhile
from pathlib import PurePath

from workers.bash import Pattern, literal_commands, plain_commands

_SHELLS = {"bash", "sh", "zsh"}
_SYSTEM = {"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin"}

# No option of these runs or writes anything.
_READERS = {
    *("cat", "cd", "cut", "echo", "expr", "false", "grep", "head", "id", "ls", "nl", "numfmt"),
    *("paste", "pwd", "rev", "seq", "stat", "tac", "tail", "tr", "true", "uname", "wc", "which"),
    "whoami",
}
_FIND_ACTS = {
    *("-exec", "-execdir", "-ok", "-okdir", "-delete"),
    *("-fls", "-fprint", "-fprint0", "-fprintf"),
}
_RUNNERS = {
    *(
        "command",
        "doas",
        "env",
        "exec",
        "find",
        "nice",
        "nohup",
        "sudo",
        "time",
        "timeout",
        "xargs",
    ),
}
_GIT_READS = {"branch", "diff", "log", "show", "status"}
_GIT_ACTS = ("--output", "--ext-diff", "--show-signature", "--exec", "--paginate")
_GIT_BRANCH_SHOWS = {
    *("-a", "--all", "-r", "--remotes", "-v", "-vv", "--verbose", "--show-current"),
    *("-l", "--list", "--no-color", "--no-column"),
}
_GIT_BRANCH_FILTERS = ("--contains=", "--merged=", "--no-merged=", "--sort=", "--format=")
_SED_PRINT = re.compile(r"\d+(,\d+)?p")


def shell_script(argv: list[str]) -> str | None:
    """The script of `bash -lc script` and its like; None when a program is run directly.

    The shell must be one of the system: any file may call itself bash.
    """
    match argv:
        case [shell, "-lc" | "-c", script] if program(shell) in _SHELLS:
            return script
        case _:
            return None


def program(path: str) -> str | None:
    """The name by which a program is known, or None for a path that is not the system's own."""
    name = PurePath(path).name
    if name == path or is_system_path(path):
        return name
    return None


def is_system_path(path: str) -> bool:
    """Whether this absolute path is what the plain name would run too."""
    at = PurePath(path)
    if not at.is_absolute() or ".." in at.parts:
        return False
    return str(at.parent) in _SYSTEM or shutil.which(at.name) == path


def known_safe(argv: list[str]) -> bool:
    """Whether the command only shows something, whatever the files around it are."""
    script = shell_script(argv)
    if script is not None:
        commands = plain_commands(script)
        return commands is not None and all(known_safe(command) for command in commands)
    return _safe(argv)


def dangerous(argv: list[str]) -> bool:
    """Whether the command destroys without asking: a forced `rm`, by `sudo` or its like or not.

    Ours: wherever it stands in a script; the reference looks at plain lists of commands only.
    """
    script = shell_script(argv)
    if script is not None:
        return any(dangerous(command) for command in literal_commands(script))
    match argv:
        case [path, *words] if PurePath(path).name == "rm":
            return any(_forces(word) for word in takewhile(lambda word: word != "--", words))
        case [path, *words] if PurePath(path).name in _RUNNERS:
            return any(dangerous(words[at:]) for at in range(len(words)))
        case _:
            return False


def _forces(word: str) -> bool:
    if word.startswith("--"):
        return "--force".startswith(word)
    return word.startswith("-") and "f" in word


def _safe(argv: list[str]) -> bool:
    if not argv or isinstance(argv[0], Pattern):
        return False
    name, words = program(argv[0]), argv[1:]
    if name in _READERS:
        return True
    if any(_may_become_option(word) for word in words):
        return False
    match name:
        case "base64":
            return not any(word.startswith("-o") or _short_for(word, "--output") for word in words)
        case "find":
            return not any(word in _FIND_ACTS for word in words)
        case "git":
            return _safe_git(words)
        case "rg":
            return not any(_rg_acts(word) for word in words)
        case "sed":
            return _safe_sed(words)
        case "uniq":
            return _safe_uniq(words)
        case _:
            return False


def _may_become_option(word: str) -> bool:
    """A pattern that begins with a wildcard matches a file called `--pre=evil` as well."""
    return isinstance(word, Pattern) and word[0] in "*?["


def _short_for(word: str, option: str) -> bool:
    """Whether this is the long option, perhaps abbreviated, perhaps with its value."""
    name = word.split("=", 1)[0]
    return len(name) > 2 and option.startswith(name)


def _rg_acts(word: str) -> bool:
    if any(_short_for(word, option) for option in ("--pre", "--hostname-bin", "--search-zip")):
        return True
    return word.startswith("-") and not word.startswith("--") and "z" in word


def _safe_git(words: list[str]) -> bool:
    """Options before the subcommand can name programs to run: only `--no-pager` may stand there."""
    if words[:1] == ["--no-pager"]:
        words = words[1:]
    if not words or words[0] not in _GIT_READS:
        return False
    options = words[1:]
    if any(_short_for(word, option) for word in options for option in _GIT_ACTS):
        return False
    return words[0] != "branch" or _shows_branches(options)


def _shows_branches(options: list[str]) -> bool:
    lists = "-l" in options or "--list" in options
    return all(
        option in _GIT_BRANCH_SHOWS
        or option.startswith(_GIT_BRANCH_FILTERS)
        or (lists and not option.startswith("-"))
        for option in options
    )


def _safe_sed(words: list[str]) -> bool:
    match words:
        case ["-n", lines, *files] if _SED_PRINT.fullmatch(lines):
            return len(files) <= 1 and not any(file.startswith("-") for file in files)
        case _:
            return False


def _safe_uniq(words: list[str]) -> bool:
    """A second name would be the file to write."""
    names = [word for word in words if not word.startswith("-")]
    return len(names) <= 1 and not any(isinstance(word, Pattern) for word in words)
