"""May I?  What the clients are asked before something is done, and what is remembered of it.

One `Approvals` per loaded thread.  The judgement comes first and is pure (`workers.judgement`);
here are the questions, their answers, and what an answer changes.
"""

from pathlib import Path

from workers.approval.command import CommandApprovals
from workers.approval.patch import PatchApprovals
from workers.approval.permission import Grants
from workers.rules import BadRules, Rules


class Approvals:
    def __init__(self, home: str) -> None:
        self._rules = Rules(str(Path(home, "rules")))
        self.grants = Grants()
        self.commands = CommandApprovals(self._rules, self.grants)
        self.patches = PatchApprovals(self.grants)

    @property
    def problems(self) -> list[BadRules]:
        """The rules files that cannot be read."""
        return self._rules.problems
