"""Device parameter cards: ``data/devices/<name>.yaml``, and ``devices/`` in the user's own plug-in folders.

A card says which model it is for and gives every parameter its value, unit, meaning and source::

    model: ohmic
    title: a 1 Mohm resistor
    fields:
      resistance: {value: 1e6, unit: ohm, meaning: "resistance", source: "by construction"}
    sweep: {v_max: 1, v_min: -1}   # settings of the iv-sweep that ``labctl show`` draws; may be left out

Cards are data: nothing in them is imported or evaluated.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from labctl import plugins, yaml
from labctl.contracts import Card, CardField, DeviceModel
from labctl.errors import UsageError


class _Field(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    value: float
    unit: str
    meaning: str
    source: str


class _Card(BaseModel):
    model_config = ConfigDict(extra="forbid")
    model: str
    title: str
    fields: dict[str, _Field]
    sweep: dict[str, float] = {}


def paths() -> dict[str, Path]:
    """Every card by name; a card in a user's folder replaces a built-in one of the same name."""
    found: dict[str, Path] = {}
    for folder in [*(d / "devices" for d in plugins.folders("data")), *plugins.folders("devices")]:
        found.update({path.stem: path for path in sorted(folder.glob("*.yaml"))})
    return found


def read(name: str) -> Card:
    """The card `name`. Raises UsageError if there is none, or with file, line and field for what is wrong in it."""
    path = paths().get(name)
    if path is None:
        raise UsageError(
            f"no device named {name!r}{plugins.suggestion(name, list(paths()))}; see 'labctl list devices'"
        )
    stat = path.stat()
    card = _parsed(path, stat.st_mtime_ns, stat.st_size)
    fields = {key: CardField(item.value, item.unit, item.meaning, item.source) for key, item in card.fields.items()}
    return Card(name, card.model, card.title, fields, card.sweep)


@lru_cache(64)
def _parsed(path: Path, changed: int, size: int) -> _Card:
    """The card in a file as it was last changed: many cells of one device ask for it one after the other."""
    return yaml.load(path, _Card)


def build(name: str, seed: int | None) -> DeviceModel:
    """A pristine cell of the device `name`; seed None: no variability. Raises UsageError."""
    card = read(name)
    model = plugins.load("sim_backends", card.model, DeviceModel)  # type: ignore[type-abstract]
    return model.from_card(card, seed)
