"""Every device card that is found, against the promises of `DeviceModel`; and the check against models that lie."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import pytest

from labctl import cards, plugins
from labctl.contracts import Card, DeviceModel, Drive, Response
from labctl.testing import check_device_model

#: s; of cards that forget sooner than in 1e4 s
RETENTION = {"ageing": 100.0}


def finer(cell: Any) -> None:
    """Make an ECM cell compute with a tenth of its error."""
    cell.tolerance *= 0.1


@pytest.mark.parametrize("name", sorted(cards.paths()))
def test_every_card_keeps_the_promises(name: str) -> None:
    card = cards.read(name)
    model = plugins.load("sim_backends", card.model, DeviceModel)  # type: ignore[type-abstract]
    check_device_model(
        lambda seed: model.from_card(card, seed), RETENTION.get(name, 1e4), finer if card.model == "ecm" else None
    )


@pytest.mark.parametrize("name", sorted(cards.paths()))
def test_every_field_says_what_it_is(name: str) -> None:
    for key, item in cards.read(name).fields.items():
        assert item.meaning.strip(), key
        assert item.source.strip(), key


OHMIC: Any = plugins.module("sim_backends", "ohmic").Ohmic
RESISTOR = OHMIC(1e3)


class Honest(DeviceModel):
    """A resistor of 1 kohm whose lies are added below."""

    name = "honest"

    @classmethod
    def from_card(cls, card: Card, seed: int | None) -> DeviceModel:
        return cls()

    def advance(self, drive: Drive, duration: float) -> Response:
        return RESISTOR.advance(drive, duration)

    def current(self, voltage: float) -> float:
        return voltage / 1e3

    def state(self) -> Mapping[str, float]:
        return {}


class IgnoresCompliance(Honest):
    def advance(self, drive: Drive, duration: float) -> Response:
        return super().advance(Drive(drive.voltage, math.inf, drive.resistance), duration)


class GivesPower(Honest):
    def advance(self, drive: Drive, duration: float) -> Response:
        found = super().advance(drive, duration)
        return Response(-found.current, found.voltage, found.in_compliance)


class LeaksAtZero(Honest):
    def current(self, voltage: float) -> float:
        return voltage / 1e3 + 1e-12


class NeverTheSame(Honest):
    count = itertools.count(1)

    def __init__(self) -> None:
        self.scale = 1.0 + 1e-9 * next(self.count)

    def advance(self, drive: Drive, duration: float) -> Response:
        found = super().advance(drive, duration)
        return found if found.in_compliance else Response(found.current / self.scale, found.voltage)


class CountsDwells(Honest):
    def __init__(self) -> None:
        self.dwells = 0

    def advance(self, drive: Drive, duration: float) -> Response:
        found = super().advance(drive, duration)
        self.dwells += duration > 0
        return found

    def state(self) -> Mapping[str, float]:
        return {"dwells": float(self.dwells)}


class MovedByALook(CountsDwells):
    def advance(self, drive: Drive, duration: float) -> Response:
        return super().advance(drive, 1.0 if duration == 0 else duration)


class Forgets(Honest):
    """A resistor that grows by an ohm in every second at 0 V."""

    def __init__(self) -> None:
        self.now = RESISTOR

    def advance(self, drive: Drive, duration: float) -> Response:
        found = self.now.advance(drive, duration)
        if drive.voltage == 0.0:
            self.now = OHMIC(self.now.resistance + max(duration, 0.0))
        return found

    def current(self, voltage: float) -> float:
        return float(self.now.current(voltage))


class NeverSettles(Honest):
    """Its resistance depends on how finely it computes, however finely that is."""

    def __init__(self) -> None:
        self.tolerance = 1e-11

    def advance(self, drive: Drive, duration: float) -> Response:
        return self.made().advance(drive, duration)

    def current(self, voltage: float) -> float:
        return float(self.made().current(voltage))

    def made(self) -> Any:
        return OHMIC(-100.0 * math.log10(self.tolerance))


class TakesAnything(Honest):
    def advance(self, drive: Drive, duration: float) -> Response:
        try:
            return super().advance(drive, duration)
        except Exception:  # noqa: BLE001 - the lie to be found
            return Response(0.0, 0.0)


def test_the_check_passes_an_honest_model() -> None:
    check_device_model(lambda seed: Honest())


@pytest.mark.parametrize(
    ("liar", "words"),
    [
        (IgnoresCompliance, "compliance exceeded"),
        (GivesPower, "power from a passive cell"),
        (LeaksAtZero, "at 0 V"),
        (NeverTheSame, "two cells of seed"),
        (CountsDwells, "in 10 parts"),
        (MovedByALook, "moved the state"),
        (TakesAnything, "must be refused"),
        (Forgets, "s at 0 V"),
    ],
)
def test_the_check_finds_a_liar(liar: type[Honest], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_device_model(lambda seed: liar())


def test_the_check_finds_a_cell_that_does_not_converge() -> None:
    with pytest.raises(AssertionError, match="computed finer"):
        check_device_model(lambda seed: NeverSettles(), finer=finer)
