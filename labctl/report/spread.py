"""How the quantities of a run are spread over its cycles, one column each: median, sigma/mu, fitted distributions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labctl.analysis.statistics import distributions
from labctl.contracts import Extracted, Series
from labctl.report import numbers, text
from labctl.report.document import Table

LEAST = 3  #: values that are known; fewer are no distribution
#: head of each column, and the method of what stands in it
COLUMNS = (
    ("median", "median/order-statistics"),
    ("sigma/mu", "relative spread/bootstrap-t"),
    ("normal: mean, sigma", "normal/censored-likelihood"),
    ("lognormal: median, sigma of ln", "lognormal/censored-likelihood"),
    ("Weibull: scale, shape", "weibull/censored-likelihood"),
    ("lag-1 correlation", "lag-1 correlation/product-moment"),
)
ABREAST = 4  #: quantities side by side
CAPTION = "Fits by maximum likelihood, values that are only bounds taken as bounds; 95 % intervals in brackets."
BEST = "best distribution/aicc"


def statistics(series: Sequence[Series]) -> list[Extracted]:
    """Everything that is said of the distributions of some quantities over cycles."""
    samples = [distributions.of_series(item) for item in series]
    return [item for found in samples if found.events >= LEAST for item in distributions.describe(found)]


def tables(series: Sequence[Series]) -> list[Table]:
    """A column a quantity, a few quantities a table, 95 % intervals in brackets; [] where no quantity has enough values."""
    columns = [column for item in series if (column := _column(item)) is not None]
    names = ["method", "values", *(name for name, _ in COLUMNS), "fits best"]
    parts = [columns[at : at + ABREAST] for at in range(0, len(columns), ABREAST)]
    return [
        Table(
            ["over the cycles", *(head for head, _ in part)],
            list(zip(names, *(cells for _, cells in part), strict=True)),
            CAPTION,
        )
        for part in parts
    ]


def _column(series: Series) -> tuple[str, list[str]] | None:
    """Name of a quantity, and what is said of it from top to bottom."""
    found = statistics([series])
    if not found:
        return None
    known = np.isfinite(series.values)
    bounds = int(np.count_nonzero(series.censored & known))
    count = f"{np.count_nonzero(known)}" + (f", {bounds} only bounds" if bounds else "")
    cells = ["; ".join(_short(item) for item in found if _rule(item) == rule) or "-" for _, rule in COLUMNS]
    return series.name, [series.method, count, *cells, _best([item for item in found if _rule(item) == BEST])]


def _short(item: Extracted) -> str:
    within = numbers.interval(item)
    return f"{text.value(item)} [{within}]" if within else text.value(item)


def _best(weights: Sequence[Extracted]) -> str:
    """The distributions that can't be told apart by AICc, the best first, with their Akaike weights."""
    names = [
        f"{item.name.rpartition(' ')[2]} ({item.value:.2f})"
        for item in weights
        if item.value >= 0.25 * weights[0].value
    ]
    rejected = "; each rejected at 5 %" if weights and all("rejected" in item.definition for item in weights) else ""
    return " or ".join(names) + rejected if names else "-"


def _rule(item: Extracted) -> str:
    return item.method.partition("@")[0]
