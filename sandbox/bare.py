"""No sandbox of ours: full access, or one that somebody else has put around the server."""

from protocol.policy import ExternalPermissions, PermissionProfile

# Programs that know the sandbox look for this name before they try the network.
NETWORK_DISABLED = "CODEX_SANDBOX_NETWORK_DISABLED"


def marked(profile: PermissionProfile, env: dict[str, str]) -> dict[str, str]:
    """The environment, with a mark where the outer sandbox is said to close the network.

    The mark is all that the reference server does there, too (observed): nothing is enforced.
    """
    match profile:
        case ExternalPermissions(network=network) if not network.enabled:
            return {**env, NETWORK_DISABLED: "1"}
        case _:
            return dict(env)
