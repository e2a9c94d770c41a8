"""What must hold in an example, what speaks against it, and the verdict."""

from __future__ import annotations

from ble_cli.programs.outcome import Outcome, failure, success
from ble_cli.programs.reporter import Reporter


class Checks:
    """A list of sentences, each of which holds until something speaks against it.

    Args:
        what: the sentences, in the order in which they are told.

    Attributes:
        against: what speaks against each.
    """

    def __init__(self, *what: str) -> None:
        self.against: dict[str, list[str]] = {one: [] for one in what}

    def require(self, what: str, holds: bool, otherwise: str) -> None:
        """Note `otherwise` against a sentence, unless it holds."""
        if not holds:
            self.against[what].append(otherwise)

    def verdict(self, reporter: Reporter, reason: str, **details: object) -> Outcome:
        """Tell of each sentence whether it holds; return a success, with this reason, if all do."""
        for what, against in self.against.items():
            text = f"DOES NOT HOLD: {what}: {'; '.join(against)}" if against else f"holds: {what}"
            reporter.report("verified", text, what=what, ok=not against, against=against)
        broken = [what for what, against in self.against.items() if against]
        if broken:
            return failure(f"what does not hold: {'; '.join(broken)}", **details)
        return success(reason, **details)
