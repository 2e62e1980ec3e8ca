"""What plug-ins promise: time, links, source meters, simulated instruments and device models.

The core talks to instruments, simulations and physics only through the types of this page. Everything is SI and float.
"""

from __future__ import annotations

import enum
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from labctl.errors import LimitError, UsageError
from labctl.quantities import Column, Limits

FloatArray = NDArray[np.float64]
R = TypeVar("R", "Sweep", "Sampling")


# -- time -------------------------------------------------------------------------------------------------------------
class Clock(Protocol):
    """Time as an argument: the wall clock on the bench, a virtual one in simulation."""

    def now(self) -> float:
        """Seconds since an arbitrary origin, never decreasing."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let `seconds` (>= 0) pass."""
        ...

    def wait(self, seconds: float, should_stop: Callable[[], bool]) -> None:
        """Let `seconds` pass, or less when `should_stop` turns true: for waits a user may want to end."""
        ...


# -- measured values --------------------------------------------------------------------------------------------------
class Status(enum.IntFlag):
    """What an instrument says about one reading; stored as an integer in the column ``status``."""

    NORMAL = 0
    COMPLIANCE = 1  #: the current was limited, by this channel or, with OTHER_COMPLIANCE, by another
    OTHER_COMPLIANCE = 2  #: another channel of the test was at its compliance
    OSCILLATION = 4
    OVERFLOW = 8  #: the A/D converter was saturated
    TOO_FAST = 16  #: the measurement did not fit into the interval
    PROVISIONAL = 32  #: read live; the instrument's own status was never fetched (the run ended before)
    INVALID = 64  #: no number (unmapped channel, sentinel value), or the output was not where it was told to be


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured value, SI, with the instrument's verdict on it."""

    value: float
    status: Status = Status.NORMAL


@dataclass(frozen=True)
class Block:
    """Rows that belong together: equally long 1-D arrays by column name (n >= 1 rows).

    A provisional block holds rows read live, before the instrument has given its status. The next block of the same test
    that is not provisional *replaces* them; if none comes before the test's note is closed or the next one is written (the
    test failed, the run died), they are kept with `Status.PROVISIONAL`.
    """

    columns: Mapping[str, NDArray[Any]]
    provisional: bool = False

    def __post_init__(self) -> None:
        try:
            shapes = {column.shape for column in self.columns.values()}
        except AttributeError:
            kinds = {name: type(column).__name__ for name, column in self.columns.items()}
            raise ValueError(f"the columns of a block must be NumPy arrays, not {kinds}") from None
        if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
            found = {name: column.shape for name, column in self.columns.items()}
            raise ValueError(f"the columns of a block must be 1-D and equally long, not {found}")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def with_columns(self, **values: Any) -> Block:
        """The same rows with further columns; a scalar is repeated for every row."""
        rows = len(self)
        extra = {name: np.full(rows, value) for name, value in values.items()}
        return Block({**self.columns, **extra}, self.provisional)


@dataclass(frozen=True)
class Extracted:
    """A number drawn from rows, with its definition.

    uncertainty: standard uncertainty in the unit of the value, NaN where none can be given; rows: those it rests on.
    """

    name: str
    value: float
    unit: str
    uncertainty: float
    definition: str
    rows: tuple[int, ...] = ()


class Recorder(Protocol):
    """Where stimuli are written down *before* they are sent (the run's journal)."""

    def stimulus(self, kind: str, details: Mapping[str, Any]) -> int:
        """Note what is about to be applied; returns the note's number. Out of this process when this returns."""
        ...

    def outcome(self, note: int, outcome: str, details: Mapping[str, Any] | None = None) -> None:
        """Close note `note`: "done", "aborted" or "failed"; a note never closed means "unknown whether applied"."""
        ...

    def event(self, kind: str, details: Mapping[str, Any]) -> None:
        """Anything else worth keeping with the run (forming detected, instrument warning)."""
        ...


class NoRecorder:
    """A recorder for scripts and tests that keep no journal."""

    def stimulus(self, kind: str, details: Mapping[str, Any]) -> int:
        return 0

    def outcome(self, note: int, outcome: str, details: Mapping[str, Any] | None = None) -> None:
        return None

    def event(self, kind: str, details: Mapping[str, Any]) -> None:
        return None


# -- requests to a source meter ---------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Acquisition:
    """How a source meter measures.

    integration: "fast" (0.1 PLC), "normal" (1 PLC), "quiet" (10 PLC), or a number of power-line cycles (0.01 to 10);
    current_range: fixed measure range in A, None for autorange; range_floor: lowest autorange in A, None for the
    instrument's default; hold: s at the first level before the sweep; delay: s between setting a level and measuring.
    """

    integration: str | float = "normal"
    current_range: float | None = None
    range_floor: float | None = None
    hold: float = 0.0
    delay: float = 0.0


@dataclass(frozen=True)
class Sweep:
    """A voltage sweep of terminal `terminal`, done by the instrument itself.

    levels: shape (n,), V, in the order applied; compliance: A, > 0, for both signs, of every terminal of the test, so that
    none carries more; which one limits is open, and any of them sets Status.COMPLIANCE; constants: V held on other terminals;
    stop_on_compliance: the instrument ends the sweep at the first point in compliance; standby: output off at the end.
    """

    levels: FloatArray
    compliance: float
    terminal: str = "top"
    constants: Mapping[str, float] = field(default_factory=lambda: {"bottom": 0.0})
    acquisition: Acquisition = Acquisition()
    stop_on_compliance: bool = False
    standby: bool = True

    def __post_init__(self) -> None:
        levels = np.array(self.levels, dtype=np.float64)  # a copy: what was checked is what is sent
        levels.setflags(write=False)
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "constants", MappingProxyType(dict(self.constants)))

    def details(self) -> dict[str, Any]:
        """The request as plain values, for the journal."""
        return _plain(self)


@dataclass(frozen=True)
class Sampling:
    """Readings against time at constant voltages.

    voltages: V by terminal, the driven one among them; compliance: A, > 0, of every terminal as for `Sweep`; count: readings;
    interval: s between them; wait: s from applying the voltages to the first reading.
    """

    voltages: Mapping[str, float]
    compliance: float
    count: int
    interval: float
    wait: float = 0.0
    terminal: str = "top"
    acquisition: Acquisition = Acquisition()
    standby: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "voltages", MappingProxyType(dict(self.voltages)))

    def details(self) -> dict[str, Any]:
        """The request as plain values, for the journal."""
        return _plain(self)


def _plain(request: Sweep | Sampling) -> dict[str, Any]:
    values = {item.name: getattr(request, item.name) for item in fields(request)}
    values["acquisition"] = asdict(request.acquisition)
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}


#: Columns of every block a SourceMeter yields.
READING_COLUMNS: tuple[Column, ...] = (
    Column("time", "s", meaning="since the start of this test in the instrument"),
    Column("level", "V", meaning="programmed voltage of the driven terminal, as it was sent", label="applied voltage"),
    Column("voltage", "V", meaning="measured voltage of the driven terminal, less what a limiting held one gave way"),
    Column("current", "A", meaning="measured current into the driven terminal"),
    Column("status", "", "int64", meaning="bit flags, labctl.contracts.Status"),
)


def check_request(limits: Limits, request: Sweep | Sampling) -> None:
    """Raise LimitError unless `limits` allow the request; needs no instrument.

    Checked are the number of points, every level, the voltage between any two terminals, the compliance, and the greatest
    voltage times the compliance as power.
    """
    low, high, held = _check_sweep(limits, request) if isinstance(request, Sweep) else _check_sampling(limits, request)
    for terminal, voltage in held.items():
        _check_voltage(limits, voltage, f"voltage of {terminal}")
    others = list(held.values()) or [0.0]
    between = max(high - min(others), max(others) - low, max(others) - min(others), key=abs)
    limits.check("voltage", between, "greatest voltage between two terminals")
    _check_compliance(limits, request.compliance, max(abs(between), abs(low), abs(high)))


def _check_sweep(limits: Limits, sweep: Sweep) -> tuple[float, float, dict[str, float]]:
    """Lowest and highest level of the driven terminal, V, and the voltages of the held ones."""
    levels = sweep.levels
    if levels.ndim != 1 or levels.size == 0:
        raise LimitError(f"a sweep needs a 1-D list of at least one level, not shape {levels.shape}")
    limits.check("points", levels.size, "number of sweep points")
    strange = levels[~np.isfinite(levels)]
    _check_voltage(limits, float(strange[0] if strange.size else levels[np.argmax(np.abs(levels))]), "sweep level")
    if sweep.terminal in sweep.constants:
        raise LimitError(f"terminal {sweep.terminal!r} can't be swept and held at {sweep.constants[sweep.terminal]} V")
    return float(levels.min()), float(levels.max()), dict(sweep.constants)


def _check_sampling(limits: Limits, sampling: Sampling) -> tuple[float, float, dict[str, float]]:
    limits.check("points", sampling.count, "number of readings")
    if sampling.count < 1 or not 0 < sampling.interval < math.inf:
        raise LimitError(
            f"sampling needs count >= 1 and interval > 0 s, not {sampling.count} and {sampling.interval} s"
        )
    if sampling.terminal not in sampling.voltages:
        raise LimitError(f"sampling drives {sampling.terminal!r}, but voltages names only {sorted(sampling.voltages)}")
    held = dict(sampling.voltages)
    driven = held.pop(sampling.terminal)
    _check_voltage(limits, driven, f"voltage of {sampling.terminal}")
    return driven, driven, held


def _check_voltage(limits: Limits, voltage: float, what: str) -> None:
    _finite(voltage, what, "V")
    limits.check("voltage", voltage, what)


def _check_compliance(limits: Limits, compliance: float, voltage: float) -> None:
    _finite(compliance, "compliance", "A")
    if compliance <= 0:
        raise LimitError(f"compliance = {compliance} A must be greater than 0 A")
    limits.check("current", compliance, "compliance")
    limits.check("power", voltage * compliance, "greatest voltage x compliance")


def _finite(value: float, what: str, unit: str) -> None:
    if not math.isfinite(value):
        raise LimitError(f"{what} = {value} {unit} is not a finite number")


def _complete(request: Sweep | Sampling, rows: int, status: Status) -> bool:
    """Whether the test gave all its rows, or ended itself in compliance as it was asked to."""
    if isinstance(request, Sampling):
        return rows == request.count
    return rows == len(request.levels) or (request.stop_on_compliance and Status.COMPLIANCE in status)


class SourceMeter(ABC):
    """A source-measure instrument connected to the terminals of one cell.

    The public methods check the limits (instrument, station and sample), note the stimulus, and only then let the
    vendor's part (the methods with an underscore) speak. They are written once, here, for every vendor.
    """

    #: instrument limits joined with those of station and sample by whoever opened it
    limits: Limits = Limits()
    recorder: Recorder = NoRecorder()
    #: the class of this instrument in `labctl list`
    title: ClassVar[str] = ""
    #: asked between readings; True makes the running test stop in the instrument
    should_stop: Callable[[], bool] = staticmethod(lambda: False)
    _running: Generator[Block, None, None] | None = None

    @classmethod
    @abstractmethod
    def terminators(cls, resource: str) -> tuple[str, str]:
        """(write, read) terminators this instrument uses on a VISA resource of this kind."""

    @classmethod
    @abstractmethod
    def connect(
        cls, link: Link, terminals: Mapping[str, int | None], clock: Clock, options: Mapping[str, Any]
    ) -> SourceMeter:
        """Shake hands over `link` and return the instrument, outputs off; a test left running there is stopped.

        terminals: the instrument's channel by terminal of the cell ("top", "bottom"), None for its ground; options: vendor
        settings from the station file. Raises UsageError for unknown options, TransportError, RemoteProtocolError.
        """

    def sweep(self, sweep: Sweep) -> Iterator[Block]:
        """Run `sweep`; yields provisional blocks while it runs, then one final block of READING_COLUMNS.

        Raises LimitError before anything is sent, InstrumentError, TransportError, RemoteProtocolError.
        """
        return self._start("sweep", sweep, self._sweep)

    def sample(self, sampling: Sampling) -> Iterator[Block]:
        """Run `sampling`; blocks and errors as for `sweep`."""
        return self._start("sampling", sampling, self._sample)

    def check(self, request: Sweep | Sampling) -> None:
        """Raise LimitError unless everything in the request is allowed here; sends nothing."""
        check_request(self.limits, request)
        self._check(request)

    def settle(self) -> None:
        """End a test whose blocks nobody read to the end: the instrument stops it. What that raises is raised here."""
        running, self._running = self._running, None
        if running is not None:
            running.close()

    def _start(self, kind: str, request: R, run: Callable[[R], Iterator[Block]]) -> Iterator[Block]:
        self.settle()
        self.check(request)
        self._running = self._noted(kind, request, run)
        return self._running

    def _noted(self, kind: str, request: R, run: Callable[[R], Iterator[Block]]) -> Generator[Block, None, None]:
        note = self.recorder.stimulus(kind, request.details())
        rows, status = 0, Status.NORMAL
        try:
            with closing(run(request)) as blocks:  # type: ignore[type-var]  # every vendor's part is a generator
                for block in blocks:
                    if len(block) and not block.provisional:
                        rows, status = rows + len(block), Status(int(block["status"][-1]))
                    yield block
        except BaseException as error:
            stopped = isinstance(error, (GeneratorExit, KeyboardInterrupt))
            self._close_note(note, "aborted" if stopped else "failed", rows, error)
            raise
        self.recorder.outcome(note, "done" if _complete(request, rows, status) else "aborted", {"rows": rows})

    def _close_note(self, note: int, outcome: str, rows: int, error: BaseException) -> None:
        try:
            self.recorder.outcome(note, outcome, {"rows": rows})
        except Exception as second:  # noqa: BLE001 - the first error is the one to report
            error.add_note(f"and the outcome could not be noted: {second}")

    @abstractmethod
    def _sweep(self, sweep: Sweep) -> Iterator[Block]:
        """The vendor's part of `sweep`: everything was checked; close() on the generator must stop the instrument."""

    @abstractmethod
    def _sample(self, sampling: Sampling) -> Iterator[Block]:
        """The vendor's part of `sample`."""

    def _check(self, request: Sweep | Sampling) -> None:  # noqa: B027 - an instrument need not have rules of its own
        """Further rules of this instrument (ranges, times); raise LimitError naming value, unit and rule."""

    @abstractmethod
    def make_safe(self) -> None:
        """Stop whatever runs and switch every output off, whatever state the link is in; raises if it can't be known."""

    @abstractmethod
    def identity(self) -> Mapping[str, str]:
        """Who answers: at least "manufacturer", "model", "serial", "firmware", "resource"."""

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """The settings that shape a measurement, for provenance; JSON types only."""

    @abstractmethod
    def close(self) -> None:
        """Release the link; make_safe comes first and is the caller's duty."""


# -- links ------------------------------------------------------------------------------------------------------------
class Link(Protocol):
    """A message link to one instrument: text in, text out, terminators handled, failures told apart.

    Raises LinkTimeout and ConnectionLost, and, where it can see that, RemoteProtocolError for a reply to nothing that would
    answer the next message; nothing else. After any of them the link is poisoned until `reopen`.
    """

    @property
    def resource(self) -> str:
        """The VISA resource name."""
        ...

    @property
    def poisoned(self) -> bool:
        """True after a time-out, a lost connection or a surplus reply: a late one could answer the next question."""
        ...

    def write(self, message: str) -> None: ...

    def read(self, timeout: float | None = None) -> str:
        """One reply without its terminator. timeout: s, None for the link's own."""
        ...

    def query(self, message: str, timeout: float | None = None) -> str: ...

    def reopen(self) -> None:
        """Close and open again; replies under way are lost, which is the point."""
        ...

    def read_status_byte(self) -> int:
        """Serial poll (GPIB); raises TransportError where the interface has none."""
        ...

    def close(self) -> None: ...


# -- simulation -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Drive:
    """What a source applies to a cell: a voltage source that becomes a current source at its compliance.

    voltage: V, top against bottom; compliance: A, > 0, may be inf; resistance: ohm in series (source and wiring).
    A current source of level I with voltage compliance V is the same thing: voltage = sign(I) V, compliance = |I|.
    """

    voltage: float
    compliance: float = math.inf
    resistance: float = 0.0


@dataclass(frozen=True, slots=True)
class Response:
    """The cell at the end of a dwell: current (A, into top) and voltage at the source's terminals (V).

    in_compliance: the current was held at the source's compliance, so `voltage` is below the one asked for.
    """

    current: float
    voltage: float
    in_compliance: bool = False


@dataclass(frozen=True, slots=True)
class CardField:
    """One parameter of a device: its value in `unit`, what it means, and where it is from ("guess" is a source)."""

    value: float
    unit: str
    meaning: str
    source: str


@dataclass(frozen=True)
class Card:
    """A device's parameter card, as read from ``data/devices/<name>.yaml``; `model` names the physics that takes it.

    sweep: settings of an I-V sweep that shows this device (peaks in V, compliances in A), for ``labctl show``; not physics.
    """

    name: str
    model: str
    title: str
    fields: Mapping[str, CardField]
    sweep: Mapping[str, float] = field(default_factory=dict)

    def values(self, units: Mapping[str, str]) -> dict[str, float]:
        """The values of exactly the fields in `units` (unit by field name).

        Raises UsageError naming the card and the field that is missing, unknown, or given in another unit.
        """
        for name, item in self.fields.items():
            if name not in units:
                raise UsageError(f"device card {self.name}: field {name!r} is not one of {', '.join(units)}")
            if item.unit != units[name]:
                raise UsageError(f"device card {self.name}: {name} must be in {units[name]!r}, not {item.unit!r}")
        if missing := [name for name in units if name not in self.fields]:
            raise UsageError(f"device card {self.name}: missing {', '.join(missing)}")
        return {name: self.fields[name].value for name in units}


class DeviceModel(ABC):
    """The physics of one cell, its state and its own random generator. Knows no instrument and no clock."""

    #: the name parameter cards give under ``model:``
    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def from_card(cls, card: Card, seed: int | None) -> DeviceModel:
        """Build a pristine cell; seed None means no variability at all. Raises UsageError for a card that does not fit."""

    @abstractmethod
    def advance(self, drive: Drive, duration: float) -> Response:
        """Let `duration` seconds (>= 0) pass under a constant drive; circuit and state are solved together."""

    @abstractmethod
    def current(self, voltage: float) -> float:
        """The current (A) at `voltage` (V) in the present state, nothing moving, from an ideal source."""

    def prepare(self, state: str) -> None:
        """Put the cell into a named state, "pristine" or "formed", as if its history had been so.

        Raises UsageError for a state this physics does not have; a model without states accepts both and does nothing.
        """
        if state not in ("pristine", "formed"):
            raise UsageError(f"cell state {state!r} is neither 'pristine' nor 'formed'")

    @abstractmethod
    def state(self) -> Mapping[str, float]:
        """The internal state by name, SI, for tests and for truth beside a measurement; never seen by a driver."""


class SimulatedInstrument(ABC):
    """A simulated instrument: bytes in, bytes out. No socket, no thread, no sleeping, no file."""

    name: ClassVar[str]
    #: what ends a message in the byte stream of a client
    message_end: bytes = b"\0"
    #: whether a second client may connect while one is there
    accepts_second_client: bool = False

    @classmethod
    @abstractmethod
    def build(
        cls,
        device: DeviceModel,
        clock: Clock,
        wiring: Mapping[str, int | None],
        settings: Mapping[str, Any],
        seed: int | None,
    ) -> SimulatedInstrument:
        """Build one with `device` between its channels: wiring gives the channel by terminal, None for ground.

        settings: choices by name, see the instrument's own settings class; seed: of its noise, None for none.
        Raises UsageError naming an unknown setting.
        """

    @abstractmethod
    def feed(self, data: bytes) -> bytes:
        """Take what a client sent (any piece of a message) and return what the instrument answers by now."""

    @abstractmethod
    def serial_poll(self) -> int:
        """The status byte, as a GPIB serial poll reads it."""

    @abstractmethod
    def disconnect(self) -> None:
        """The client is gone: forget half a message and replies not read."""

    def device_clear(self) -> None:
        """The bus cleared the device (GPIB DCL/SDC); an instrument that makes no difference forgets as at `disconnect`."""
        self.disconnect()
