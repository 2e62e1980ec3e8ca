"""Hold measurements against the paper: each check passes or fails, a row passes if all of its checks do."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from labctl.contracts import Extracted
from labctl.paper.results import NAN, Count, Measurement, Quantity, Steps
from labctl.paper.targets import Check, Target
from labctl.quantities import show
from labctl.report import text

Outcome = Literal["pass", "fail", "not measured"]
RESOLVED = (
    2.0  #: combined standard errors between two steps from which on their order counts as resolved: the usual 2 sigma
)


@dataclass(frozen=True)
class Finding:
    """What became of one check. measured, asked: in words; deviation: relative to the paper's value, NaN where it gives none.

    unsure: why the outcome could be chance, "" where nothing speaks for that; of: what the uncertainty is of; nominal: what the
    nominal cell gives, "" where it has no such number.
    """

    outcome: Outcome
    measured: str
    asked: str
    deviation: float = NAN
    unsure: str = ""
    of: str = ""
    nominal: str = ""


@dataclass(frozen=True)
class Verdict:
    """What became of a row."""

    target: Target
    measurement: Measurement
    findings: tuple[Finding, ...]

    @property
    def outcome(self) -> Outcome:
        """A row passes if all of its checks do; one that was not measured has neither passed nor failed."""
        outcomes = {item.outcome for item in self.findings}
        if "fail" in outcomes:
            return "fail"
        return "pass" if outcomes == {"pass"} else "not measured"

    @property
    def beside(self) -> tuple[Finding, ...]:
        """What was measured and no check asks for."""
        return tuple(_beside(self.target, self.measurement))


def judge(target: Target, measurement: Measurement) -> Verdict:
    """Hold a measurement against a row; what was not measured says so, with the reason."""
    if measurement.problem:
        why = f"not measured: {measurement.problem}"
        return Verdict(target, measurement, (Finding("not measured", why, target.paper),))
    return Verdict(target, measurement, tuple(_finding(check, measurement) for check in target.checks))


def doubted(verdict: Verdict, changed: Collection[str]) -> Verdict:
    """The same, failing if one of the run files it is made of is among `changed`: those that are not the ones recorded."""
    mine = [file for file in verdict.measurement.files if file in changed]
    if not mine:
        return verdict
    words = f"{len(mine)} of its run files differ from the record: {', '.join(mine[:3])}{' ...' if mine[3:] else ''}"
    return replace(verdict, findings=(*verdict.findings, Finding("fail", words, "run files as recorded (SHA-256)")))


def _beside(target: Target, found: Measurement) -> Iterator[Finding]:
    numbers, steps, shares = (
        {getattr(check, kind) for check in target.checks} for kind in ("number", "steps", "share")
    )
    for name, quantity in found.quantities.items():
        if name not in numbers:
            yield Finding("pass", f"{name}{_said(quantity)}", "", of=quantity.of, nominal=_nominal(quantity))
    for name, order in found.steps.items():
        if name not in steps:
            yield Finding("pass", _in_order(name, order), "", of=_same({step: item.of for step, item in order}))
    for name, count in found.counts.items():
        if name not in shares:
            yield Finding("pass", f"{name}: {count.hits} of {count.total} {count.of}", "")


def _finding(check: Check, measurement: Measurement) -> Finding:
    name = check.number or check.steps or check.share
    where = measurement.quantities if check.number else measurement.steps if check.steps else measurement.counts
    if name not in where:
        return Finding("fail", f"{name}: not measured", _asked(check, ""))
    if check.number:
        return _number(check, measurement.quantities[name])
    return _steps(check, measurement.steps[name]) if check.steps else _share(check, measurement.counts[name])


# -- numbers ------------------------------------------------------------------------------------------------------------
def bounds(check: Check) -> tuple[float, float]:
    """Between which numbers a value passes."""
    low, high = -math.inf, math.inf
    if check.value is not None and check.tolerance is not None:
        ends = check.value * (1 - check.tolerance), check.value * (1 + check.tolerance)
        low, high = min(ends), max(ends)
    if check.value is not None and check.factor is not None:
        ends = check.value / check.factor, check.value * check.factor
        low, high = min(ends), max(ends)
    low = low if check.above is None else max(low, check.above)
    return low, high if check.below is None else min(high, check.below)


def _number(check: Check, found: Quantity) -> Finding:
    low, high = bounds(check)
    strict = check.value is None  # a bound itself is not above or below it
    inside = low < found.value < high if strict else low <= found.value <= high  # False for NaN
    deviation = found.value / check.value - 1 if check.value else NAN
    return Finding(
        "pass" if inside else "fail",
        f"{check.number}{_said(found)}",
        _asked(check, found.unit),
        deviation,
        _near(found, low, high, inside),
        found.of,
        _nominal(found),
    )


def _said(found: Quantity) -> str:
    """A quantity after its name: whose it is, the number, and how many cells have one where not all do."""
    whose = f", {found.cell}" if found.cell else ""
    return f"{whose} {written(found)}{_used(found)}"


def _used(found: Quantity) -> str:
    """ " (4 of 8 cells)", "" where every cell has a value or none is drawn."""
    return f" ({found.found} of {len(found.each)} cells)" if found.found < len(found.each) and not found.cell else ""


def _in_order(name: str, steps: Steps) -> str:
    whose = next((f" ({quantity.cell})" for _, quantity in steps if quantity.cell), "")
    return f"{name}{whose}: " + ", ".join(f"{step} {written(item)}{_used(item)}" for step, item in steps)


def _nominal(found: Quantity) -> str:
    return show(found.nominal, found.unit, 3) if math.isfinite(found.nominal) else ""


def _near(found: Quantity, low: float, high: float, inside: bool) -> str:
    """Whether the 95 % interval lies on the other side of a bound, too."""
    first, last = found.interval
    if not (math.isfinite(first) and math.isfinite(last)):
        return ""
    if inside and (first < low or last > high):
        return "the 95 % interval reaches beyond what passes"
    return "the 95 % interval reaches into what passes" if not inside and first <= high and last >= low else ""


def written(found: Quantity) -> str:
    """A quantity with its standard uncertainty, "29.8 ± 1.4 uA"."""
    if not math.isfinite(found.value):
        return "no number"
    if found.uncertainty == 0:  # all cells alike
        return show(found.value, found.unit, 4)
    return text.value(Extracted("", found.value, found.unit, found.uncertainty, ""))


# -- steps and shares -----------------------------------------------------------------------------------------------------
def _steps(check: Check, steps: Steps) -> Finding:
    values = [quantity.value for _, quantity in steps]
    signs = [math.copysign(1.0, after - before) if after != before else 0.0 for before, after in pairwise(values)]
    wanted = {"up": {1.0}, "down": {-1.0}, "one way": set(signs[:1]) - {0.0}}[check.go or "one way"]
    right = len(steps) > 1 and all(math.isfinite(value) for value in values) and set(signs) == wanted
    words = _in_order(check.steps, steps)
    of = _same({name: quantity.of for name, quantity in steps})
    nominal = ", ".join(filter(None, (_nominal(quantity) for _, quantity in steps)))
    unsure = _unresolved(steps)
    return Finding("pass" if right else "fail", words, _asked(check, ""), unsure=unsure, of=of, nominal=nominal)


def _same(texts: dict[str, str]) -> str:
    """What all of some texts say, or each with its name where they differ."""
    if len(set(texts.values())) <= 1:
        return next(iter(texts.values()), "")
    return ", ".join(f"{name}: {text}" for name, text in texts.items() if text)


def _unresolved(steps: Steps) -> str:
    for (name, before), (other, after) in pairwise(steps):
        error = math.hypot(before.uncertainty, after.uncertainty)
        if math.isfinite(error) and abs(after.value - before.value) < RESOLVED * error:
            return f"{name} and {other} differ by less than two standard errors"
    return ""


def _share(check: Check, found: Count) -> Finding:
    inside = found.total > 0
    if check.at_least is not None:  # a half is not most
        inside &= found.share >= check.at_least if check.at_least > 0.5 else found.share > check.at_least
    if check.at_most is not None:
        inside &= found.share <= check.at_most if check.at_most < 0.5 else found.share < check.at_most
    words = f"{check.share}: {found.hits} of {found.total} {found.of}"
    return Finding("pass" if inside else "fail", words, _asked(check, ""))


def _asked(check: Check, unit: str) -> str:
    """What a check asks for, in words."""
    if check.steps:
        return {"up": "rises", "down": "falls", "one way": "goes one way"}[check.go or "one way"]
    parts = []
    if check.value is not None:
        within = f"within {check.tolerance:.0%}" if check.tolerance is not None else f"within a factor {check.factor:g}"
        parts.append(f"{show(check.value, unit, 4)} {within}")
    parts += [f"above {show(check.above, unit, 4)}"] if check.above is not None else []
    parts += [f"below {show(check.below, unit, 4)}"] if check.below is not None else []
    parts += [_share_words(check.at_least, "all", "most", "at least")] if check.at_least is not None else []
    parts += [_share_words(check.at_most, "none", "few", "at most")] if check.at_most is not None else []
    return ", ".join(parts)


def _share_words(share: float, whole: str, half: str, words: str) -> str:
    return whole if share in (0, 1) else half if share == 0.5 else f"{words} {share:.0%}"
