"""Rules on what may be done to a cell: budgets of stress, and what must not be done to a cell that was never formed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from labctl import plugins
from labctl.errors import LimitError
from labctl.ledger.use import Use
from labctl.quantities import show

#: what can have a budget -> unit. The first three are known before a test is sent; the others only once it was measured.
BUDGETS = {"pulses": "", "cycles": "", "touchdowns": "", "energy": "J", "compliance_time": "s"}
COUNTED = ("pulses", "cycles", "touchdowns")
AT_START = "use another cell, raise it in the station file, or go on with --override-rules REASON; nothing was sent"
UNDER_WAY = (
    "this stimulus was not sent; use another cell, or raise it in the station file and continue: labctl resume RUN, or with"
    " --override-rules REASON"
)


@dataclass(frozen=True)
class Budget:
    """The most a cell may have had of `quantity` (a name in `BUDGETS`); owner: who says so, "sample W12"."""

    quantity: str
    value: float
    owner: str

    def words(self) -> str:
        """The budget for people."""
        return f"the budget of {amount(self.quantity, self.value)} of {self.owner}"


@dataclass(frozen=True)
class Rules:
    """Rules that all hold. formed_first: (procedure, owner): it must not run on a cell that is not known to be formed."""

    budgets: tuple[Budget, ...] = ()
    formed_first: tuple[tuple[str, str], ...] = ()

    def __and__(self, other: Rules) -> Rules:
        return Rules(self.budgets + other.budgets, self.formed_first + other.formed_first)

    def __bool__(self) -> bool:
        return bool(self.budgets or self.formed_first)

    def check_start(self, cell: str, procedure: str, so_far: Use, plan: Use, also: Collection[str] = ()) -> None:
        """Raise LimitError unless `procedure` may be run on `cell` after `so_far`, and add what `plan` says.

        also: the plug-ins that it is, whatever its run is called.
        """
        called = {plugins.normal(name) for name in (procedure, *also)}
        for name, owner in self.formed_first:
            if plugins.normal(name) in called and not so_far.formed:
                raise LimitError(
                    f"{procedure} needs a formed cell (a rule of {owner}), and the ledger has no forming of {cell}: run forming"
                    " on it first, or go on with --override-rules REASON; nothing was sent"
                )
        for budget in self.budgets:
            _check(budget, cell, so_far, plan, "the run would add", AT_START)

    def check_stimulus(self, cell: str, so_far: Use, adds: Use) -> None:
        """Raise LimitError unless a stimulus that adds `adds` may be sent after `so_far`, which holds this run's part.

        One that adds nothing to a count, as a read, is not refused for it.
        """
        grown = so_far + adds
        for budget in self.budgets:
            name = budget.quantity
            if name not in COUNTED or getattr(grown, name) > getattr(so_far, name):
                _check(budget, cell, so_far, adds, "the next stimulus would add", UNDER_WAY)


def _check(budget: Budget, cell: str, so_far: Use, adds: Use, words: str, advice: str) -> None:
    """Hold a counted figure against its budget with what is added, a measured one by itself: it must have something left."""
    before = float(getattr(so_far, budget.quantity))
    after = float(getattr(so_far + adds, budget.quantity))
    counted = budget.quantity in COUNTED
    if (after <= budget.value) if counted else (before < budget.value):
        return
    name = budget.quantity.replace("_", " ")
    more = f" and {words} {amount(budget.quantity, after - before)}" if counted and after > before else ""
    raise LimitError(f"{name} of {cell}: {amount(budget.quantity, before)} so far{more}, {budget.words()}: {advice}")


def amount(quantity: str, value: float) -> str:
    """A figure with its unit; counts in full."""
    unit = BUDGETS[quantity]
    return show(value, unit) if unit else f"{value:.15g}"
