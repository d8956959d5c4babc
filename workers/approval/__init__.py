"""May I?  What the clients are asked before something is done, and what is remembered of it.

One `Approvals` per loaded thread.  The judgement comes first and is pure (`workers.judgement`);
here are the questions, their answers, and what an answer changes.
"""

from pathlib import Path

from protocol.settings import Settings
from workers.approval.command import CommandApprovals
from workers.approval.patch import PatchApprovals
from workers.approval.permission import Grants
from workers.rules import Rules
from workers.rulesfile import BadRules


class Approvals:
    def __init__(self, settings: Settings, rules: Rules | None = None) -> None:
        """`rules` instead of those that the settings lead to."""
        self.rules = rules or Rules(str(Path(settings.home, "rules")), settings.rules_folders)
        self.grants = Grants()
        self.commands = CommandApprovals(self.rules, self.grants)
        self.patches = PatchApprovals(self.grants)

    @property
    def problems(self) -> list[BadRules]:
        """The rules files that cannot be read."""
        return self.rules.problems
