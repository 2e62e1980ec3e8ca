"""Plug-ins are found by name; a bad one is reported and the others still work."""

from pathlib import Path

import pytest

from labctl import cards, plugins
from labctl.contracts import DeviceModel, SimulatedInstrument, SourceMeter
from labctl.errors import UsageError
from labctl.procedure import Procedure

RECIPE = '''
from labctl.contracts import READING_COLUMNS
from labctl.procedure import Number, Procedure
class Mine(Procedure):
    """Do nothing."""
    x = Number("x", "V", default=1.0, description="x")
    columns = READING_COLUMNS
    def points(self, station):
        yield from ()
'''


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for kind in ("procedures", "devices"):
        (tmp_path / kind).mkdir()
    monkeypatch.setenv("LABCTL_PLUGINS", str(tmp_path))
    return tmp_path


def test_the_built_in_ones_load() -> None:
    for kind, base in (("procedures", Procedure), ("instruments", SourceMeter)):
        for name, item in plugins.survey(kind, base):  # type: ignore[arg-type, type-abstract]
            assert not isinstance(item, Exception), f"{name}: {item}"
    assert {"forming", "iv-sweep"} <= set(plugins.names("procedures"))
    assert plugins.load("sim_backends", "keithley4200", SimulatedInstrument).name == "keithley4200"  # type: ignore[type-abstract]
    assert plugins.load("sim_backends", "ecm", DeviceModel).name == "ecm"  # type: ignore[type-abstract]


def test_a_file_in_the_users_folder_is_a_plugin(own_folder: Path) -> None:
    (own_folder / "procedures" / "my_recipe.py").write_text(RECIPE)
    assert "my-recipe" in plugins.names("procedures")
    assert plugins.load("procedures", "my-recipe", Procedure).__name__ == "Mine"


def test_a_broken_one_is_reported_and_the_others_work(own_folder: Path) -> None:
    (own_folder / "procedures" / "broken.py").write_text("import does_not_exist_anywhere")
    (own_folder / "procedures" / "empty.py").write_text("")
    (own_folder / "procedures" / "quits.py").write_text("raise SystemExit(3)")
    found = dict(plugins.survey("procedures", Procedure))  # type: ignore[type-abstract]
    assert isinstance(found["broken"], UsageError)
    assert "can't be loaded: ModuleNotFoundError" in str(found["broken"])
    assert isinstance(found["quits"], UsageError)
    assert isinstance(found["empty"], UsageError)
    assert issubclass(found["iv-sweep"], Procedure)  # type: ignore[arg-type]


def test_the_users_own_wins_and_that_is_said(own_folder: Path) -> None:
    assert plugins.warnings() == []
    (own_folder / "procedures" / "iv_sweep.py").write_text(RECIPE)
    assert plugins.load("procedures", "iv-sweep", Procedure).__name__ == "Mine"
    assert plugins.warnings() == ["of two procedures named 'iv-sweep' the nearer to you is used"]


def test_a_plugin_folder_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LABCTL_PLUGINS", str(tmp_path / "nowhere"))
    assert "which is no folder" in plugins.warnings()[0]


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match="did you mean 'iv-sweep'"):
        plugins.load("procedures", "iv-swep", Procedure)  # type: ignore[type-abstract]
    with pytest.raises(UsageError, match="did you mean 'device-2'"):
        cards.read("device2")


def test_a_card_in_the_users_folder(own_folder: Path) -> None:
    field = "{value: 2e3, unit: ohm, meaning: resistance, source: test}"
    (own_folder / "devices" / "mine.yaml").write_text(f"model: ohmic\ntitle: mine\nfields:\n  resistance: {field}\n")
    assert cards.build("mine", None).current(1.0) == pytest.approx(5e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: ohmic\ntitle: x\nfields: {resistance: {value: .nan, unit: ohm, meaning: m, source: s}}", "finite"),
        (
            "model: ohmic\ntitle: x\nfields: {resistance: {value: 1, unit: V, meaning: m, source: s}}",
            "must be in 'ohm'",
        ),
        ("model: ohmic\ntitle: x\nfields: {r: {value: 1, unit: V, meaning: m, source: s}}", "'r' is not one of"),
        ("model: ohmic\ntitle: x\nfields: {}", "missing resistance"),
        ("model: ohmic\ntitel: x\nfields: {}", "titel"),
        ("model: no-such\ntitle: x\nfields: {}", "no simulation named"),
        ("model: [", "bad.yaml"),
    ],
)
def test_a_bad_card_says_what_is_wrong(own_folder: Path, text: str, message: str) -> None:
    (own_folder / "devices" / "bad.yaml").write_text(text)
    with pytest.raises(UsageError, match=message):
        cards.build("bad", None)
