"""The paper's numbers, read from ``data/paper``. Only what judges and shows reads them, never what measures."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from labctl import plugins, yaml
from labctl.errors import UsageError

NAME = "kim2022.yaml"


class Check(BaseModel):
    """One thing asked of a measurement: a number, an order of steps, or a share of counted things, by its name there."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    number: str = ""
    value: float | None = None
    tolerance: float | None = None  #: relative
    factor: float | None = None
    above: float | None = None
    below: float | None = None
    steps: str = ""
    go: Literal["up", "down", "one way"] | None = None
    share: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Check:
        """Refuse a check that asks for nothing, or for several things."""
        if sum(map(bool, (self.number, self.steps, self.share))) != 1:
            raise ValueError("a check is of a number, of steps or of a share, one of them")
        asked = {
            "number": self.above is not None or self.below is not None or (
                self.value is not None and (self.tolerance is None) != (self.factor is None)
            ),
            "steps": self.go is not None,
            "share": self.at_least is not None or self.at_most is not None,
        }  # fmt: skip
        kind = next(name for name in asked if getattr(self, name))
        if not asked[kind]:
            raise ValueError(f"nothing is asked of {kind} {getattr(self, kind)!r}")
        return self


class Target(BaseModel):
    """One row: what the paper says in words, and what is asked of the measurement."""

    model_config = ConfigDict(extra="forbid")
    id: str
    quantity: str
    paper: str
    kind: Literal["stated", "trend"]
    note: str = ""
    checks: list[Check]


class Section(BaseModel):
    """Rows under one heading."""

    model_config = ConfigDict(extra="forbid")
    title: str
    rows: list[Target]


class Paper(BaseModel):
    """All rows of a paper."""

    model_config = ConfigDict(extra="forbid")
    title: str
    source: str
    sections: list[Section]

    @property
    def rows(self) -> list[Target]:
        """The rows of all sections, in order."""
        return [row for section in self.sections for row in section.rows]


def read(path: Path | None = None) -> Paper:
    """The targets of `path`, by default those that come with labctl. Raises UsageError."""
    if path is None:
        found = [folder / "paper" / NAME for folder in plugins.folders("data")]
        path = next((file for file in found if file.is_file()), None)
        if path is None:
            raise UsageError(f"{NAME} is missing from this installation of labctl (data/paper)")
    return yaml.load(path, Paper)
