"""Settings that the reference server has given up: what a user is told to write instead.

A thread tells whoever starts it, once; most of them still hold.
"""

from protocol.config import DeprecationNoticeNotification as Notice
from supervisor.features import ALIASES, OLD_KEYS
from supervisor.toml import Toml

WEB_SEARCH = ("web_search", "web_search_cached", "web_search_request")
EXTENDED_HISTORY = Notice(
    "persistExtendedHistory is deprecated and ignored",
    "Leave it out. What a thread shows is always kept.",
)


def notices(toml: Toml, *, extended: bool) -> list[Notice]:
    """One for each setting that has had its time; `extended` is one of the request's."""
    given = toml.features or {}
    renamed = [(old, ALIASES[old]) for old in given if old in ALIASES]
    renamed += [(key, name) for name, key in OLD_KEYS.items() if getattr(toml, key) is not None]
    found = [EXTENDED_HISTORY] if extended else []
    found += [_renamed(old, name) for old, name in sorted(renamed)]
    if "use_legacy_landlock" in given:
        summary = "`[features].use_legacy_landlock` is deprecated and will be removed soon."
        found.append(Notice(summary, "Remove it. Commands are confined by bubblewrap."))
    found += [_web_search(name) for name in WEB_SEARCH if name in given]
    if toml.experimental_instructions_file is not None:
        found.append(_INSTRUCTIONS_FILE)
    return found


def _renamed(old: str, name: str) -> Notice:
    return Notice(
        f"`[features].{old}` is deprecated. Use `[features].{name}` instead.",
        f"Set `{name}` below `[features]` in config.toml, or start with `--enable {name}`.",
    )


def _web_search(name: str) -> Notice:
    return Notice(
        f"`[features].{name}` is deprecated because web search is enabled by default.",
        'Set `web_search = "live"`, `"cached"` or `"disabled"` in config.toml to choose.',
    )


_INSTRUCTIONS_FILE = Notice(
    "`experimental_instructions_file` is deprecated and ignored. "
    "Use `model_instructions_file` instead.",
    "Rename it in config.toml to have its text used.",
)
