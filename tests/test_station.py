"""Station files: every mistake with its place; limits of every part of a sample's path."""

from pathlib import Path

import pytest

from labctl import station
from labctl.errors import LimitError, UsageError

ROOT = Path(__file__).resolve().parent.parent
GOOD = """\
name: bench-1
instruments:
  smu:
    driver: keithley4200
    resource: TCPIP0::10.0.0.1::1225::SOCKET
    timeout: 500 ms
    terminals: {top: 1, bottom: ground}
limits: {voltage: 10 V, current: 10mA}
samples:
  W12: {voltage: 5}
  W12/D3-4/C5: {voltage: 2 V, current: 1e-6}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "bench.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_file(tmp_path: Path) -> None:
    config = station.read(write(tmp_path, GOOD))
    smu = config.instruments["smu"]
    assert (smu.timeout, smu.terminals) == (0.5, {"top": 1, "bottom": None})
    assert config.limits.current == 0.01


@pytest.mark.parametrize("name", ["bench.yaml", "simulated.yaml"])
def test_the_examples_are_good(name: str) -> None:
    station.read(ROOT / "data" / "stations" / name)


def test_limits_of_every_prefix_of_a_samples_path_hold(tmp_path: Path) -> None:
    config = station.read(write(tmp_path, GOOD))
    cell = station.limits(config, "W12/D3-4/C5")
    with pytest.raises(LimitError, match=r"voltage limit 2 V of sample W12/D3-4/C5"):
        cell.check("voltage", 2.5, "sweep level")
    die = station.limits(config, "W12/D3-4")
    die.check("voltage", 2.5, "sweep level")
    with pytest.raises(LimitError, match=r"5 V of sample W12$"):
        die.check("voltage", 6, "sweep level")


@pytest.mark.parametrize("sample", ["w12/D3-4", "W13", "W1", "", "W12 /../x", "W12\\D3", " / "])
def test_a_sample_that_fits_no_name_is_refused_not_measured_without_limits(tmp_path: Path, sample: str) -> None:
    config = station.read(write(tmp_path, GOOD))
    with pytest.raises(UsageError, match=r"sample"):
        station.limits(config, sample)


@pytest.mark.parametrize("sample", ["W12/D3-4/C5", "W12//D3-4/C5/", "/W12/ D3-4 /C5"])
def test_one_sample_has_one_spelling(tmp_path: Path, sample: str) -> None:
    config = station.read(write(tmp_path, GOOD.replace("W12/D3-4/C5:", "W12/D3-4/C5/:")))
    with pytest.raises(LimitError, match=r"2 V of sample W12/D3-4/C5"):
        station.limits(config, sample).check("voltage", 2.5, "sweep level")
    assert station.sample_path(sample) == "W12/D3-4/C5"


def test_a_star_stands_for_any_other_sample(tmp_path: Path) -> None:
    config = station.read(write(tmp_path, GOOD + '  "*": {voltage: 1 V}\n'))
    with pytest.raises(LimitError, match=r"1 V of sample \*"):
        station.limits(config, "W99").check("voltage", 2, "level")
    station.limits(config, "W12").check("voltage", 2, "level")


def test_a_sample_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="named twice"):
        station.read(write(tmp_path, GOOD + "  W12/: {voltage: 1 V}\n"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("timeout: 500 ms", "timout: 500 ms", r"bench.yaml:6:5: instruments.smu.timout: .*did you mean 'timeout'"),
        ("voltage: 10 V", "voltage: 10 A", r"bench.yaml:8:10: limits.voltage: '10 A' has no unit"),
        ("voltage: 10 V", "voltage: -10 V", r"bench.yaml:8:10: limits.voltage: .*greater than 0"),
        ("voltage: 10 V", "voltage: .nan", r"limits.voltage"),
        ("top: 1", "top: zero", r"bench.yaml:7:17: instruments.smu.terminals.top"),
        ("    driver: keithley4200\n", "", r"bench.yaml:3:3: instruments.smu.driver: this entry is missing"),
        ("name: bench-1", "name: bench-1\nname: two", r"bench.yaml:2:1: found duplicate key"),
        ("limits: {", "limits: {{", r"bench.yaml:\d+:\d+"),
    ],
)
def test_a_mistake_is_given_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        station.read(write(tmp_path, GOOD.replace(old, new)))


def test_every_mistake_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        station.read(write(tmp_path, GOOD.replace("timeout: 500 ms", "timout: 1").replace("10mA", "lots")))
    assert len(str(caught.value).splitlines()) == 2


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        station.read(tmp_path / "nowhere.yaml")
