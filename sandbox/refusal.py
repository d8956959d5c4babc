"""What is raised instead of a sandbox that would be weaker than its policy."""


class Unenforceable(Exception):
    """The policy cannot be kept; `reason` names it, what is missing, and what to do."""

    def __init__(self, policy: str, because: str, cure: str | None = None) -> None:
        self.reason = (
            f"Atrio cannot enforce the sandbox policy {policy} on this host, so the command was "
            f"not run: {because}. " + (cure or _CURE)
        )
        super().__init__(self.reason)


_CURE = (
    "Mend that, or choose danger-full-access, or externalSandbox if Atrio itself runs inside a "
    "container that confines it."
)
