"""Why the proxy does not let something through, in words that say what to do about it."""

from typing import Literal

from workers.proxy.target import Target

Reason = Literal[
    "denied", "not_allowed", "not_allowed_local", "method_not_allowed", "mitm_required"
]

# The reference server's values of `x-proxy-error` (observed).
ERRORS: dict[Reason, str] = {
    "denied": "blocked-by-denylist",
    "not_allowed": "blocked-by-allowlist",
    "not_allowed_local": "blocked-by-allowlist",
    "method_not_allowed": "blocked-by-method-policy",
    "mitm_required": "blocked-by-mitm-required",
}
_WHY: dict[Reason, str] = {
    "denied": "it is denied by the permission profile or by a rule of the user. Do without it.",
    "not_allowed": "it is not among the domains of the permission profile, and the user has not "
    "allowed it. Do without it, or ask the user to allow it.",
    "not_allowed_local": "it is an address of this machine or of a private network. To allow it, "
    "the user can name the address under `domains` of the profile, or set `allow_local_binding`.",
    "method_not_allowed": "in the network mode `limited` only GET, HEAD and OPTIONS are allowed.",
    "mitm_required": "in the network mode `limited` nothing can be tunnelled, since nobody could "
    "see whether it only reads. Plain http works; for https the user can set the mode `full`.",
}


class Blocked(Exception):
    """It may not be reached."""

    def __init__(self, reason: Reason, target: Target) -> None:
        self.reason = reason
        self.error = ERRORS[reason]
        self.message = f"Atrio blocked {target}: {_WHY[reason]}"
        super().__init__(self.message)


class Unreachable(Exception):
    """It may be reached, but it cannot; the text is for the client."""
