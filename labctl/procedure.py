"""The base of every recipe: a PyMeasure Procedure whose body is a generator of blocks.

A recipe is one class in ``procedures/``: parameters (`Number`, `Count`, `Choice`, `Flag`), `columns`, and `points`, which
yields blocks of rows. Everything else is written once, here: checking parameters, handing blocks on, obeying a stop, and
switching the outputs off whatever happens. The runner stores the blocks; a stock PyMeasure ``Worker`` with ``Results`` runs the
same recipe to CSV.
"""

from __future__ import annotations

import inspect
import logging
import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from pymeasure.experiment import BooleanParameter, FloatParameter, IntegerParameter, ListParameter
from pymeasure.experiment import Procedure as PyMeasureProcedure

from labctl.contracts import Block, Clock, Extracted, PulseSource, Recorder, Request, Series, SourceMeter
from labctl.errors import UsageError
from labctl.quantities import Column, Limits, parse, show

log = logging.getLogger(__name__)
MOST_STEPS = 1_000_000  #: of one sweep; far above what any instrument holds


class ParameterError(UsageError, ValueError):
    """A parameter's value can't be used; the message names parameter, value, unit and limit."""


class Number(FloatParameter):  # type: ignore[misc]
    """A real parameter in SI units; text may carry a prefix and the unit ("100u", "1.5 V").

    minimum, maximum: allowed bounds, both included; above: a bound that is itself not allowed (e.g. 0 for "greater than zero").
    """

    def __init__(
        self,
        name: str,
        units: str = "",
        *,
        default: float,
        minimum: float = -math.inf,
        maximum: float = math.inf,
        above: float = -math.inf,
        description: str,
    ) -> None:
        self.above = above
        super().__init__(
            name, units=units or None, minimum=minimum, maximum=maximum, default=default, description=description
        )

    def convert(self, value: Any) -> float:
        """Return `value` as a float. Raises ParameterError."""
        number = _number(self.name, value, self.units or "")
        if number <= self.above:
            raise ParameterError(f"{self.name} = {self._show(number)} must be greater than {self._show(self.above)}")
        _check_bounds(self.name, number, self.minimum, self.maximum, self._show)
        return number

    def _show(self, value: float) -> str:
        return show(value, self.units or "")

    def __str__(self) -> str:  # PyMeasure writes %g here and loses digits on reload
        return f"{self._value!r} {self.units or ''}".strip() if self.is_set() else ""


class Count(IntegerParameter):  # type: ignore[misc]
    """A whole-number parameter with bounds, both included; "10k" is 10 000."""

    def __init__(self, name: str, *, default: int, minimum: int = 0, maximum: int = 10**9, description: str) -> None:
        super().__init__(name, minimum=minimum, maximum=maximum, default=default, description=description)

    def convert(self, value: Any) -> int:
        """Return `value` as an int. Raises ParameterError."""
        number = _number(self.name, value, "")
        if number != int(number):
            raise ParameterError(f"{self.name} = {value} is not a whole number")
        _check_bounds(self.name, number, self.minimum, self.maximum, lambda bound: f"{bound:.7g}")
        return int(number)


class Choice(ListParameter):  # type: ignore[misc]
    """A parameter that is one of a few words."""

    def __init__(self, name: str, choices: tuple[str, ...], *, default: str, description: str) -> None:
        super().__init__(name, choices=list(choices), default=default, description=description)

    def convert(self, value: Any) -> str:
        """Return `value` if it is one of the choices. Raises ParameterError."""
        if str(value) not in self.choices:
            raise ParameterError(f"{self.name} = {value!r} is not one of {', '.join(self.choices)}")
        return str(value)


class Flag(BooleanParameter):  # type: ignore[misc]
    """A parameter that is true or false."""

    def __init__(self, name: str, *, default: bool, description: str) -> None:
        super().__init__(name, default=default, description=description)

    def convert(self, value: Any) -> bool:
        """Return `value` as a bool; "yes", "on" and "1" count as true. Raises ParameterError."""
        words = {
            "true": True,
            "yes": True,
            "on": True,
            "1": True,
            "false": False,
            "no": False,
            "off": False,
            "0": False,
        }
        if str(value).lower() not in words:
            raise ParameterError(f"{self.name} = {value!r} is neither true nor false")
        return words[str(value).lower()]


def _number(name: str, value: Any, unit: str) -> float:
    try:
        return parse(value if isinstance(value, (str, bool)) else float(value), unit)
    except (UsageError, TypeError, ValueError) as error:
        raise ParameterError(f"{name}{f' in {unit}' if unit else ''}: {error}") from None


def _check_bounds(name: str, value: float, minimum: float, maximum: float, written: Any) -> None:
    if value < minimum:
        raise ParameterError(f"{name} = {written(value)} is below the smallest allowed, {written(minimum)}")
    if value > maximum:
        raise ParameterError(f"{name} = {written(value)} is above the greatest allowed, {written(maximum)}")


def levels_between(steps: float) -> int:
    """How many steps a ramp of `steps` (a ratio of range and step) takes; a last shorter one counts.

    Raises ParameterError for more than a million, so that a mistyped step does not fill the memory before any limit is asked.
    """
    if not steps <= MOST_STEPS:
        raise ParameterError(
            f"a sweep of {steps:.3g} steps is too long; take a larger step (instruments hold a few thousand)"
        )
    return math.ceil(steps - 1e-9)  # float noise of the ratio makes no extra step


@dataclass(frozen=True, slots=True)
class Plot:
    """What to draw unprompted: column `y` against column `x`; log: the magnitude of y on a log axis; log_x: x on one.

    each: a column whose values tell points apart that belong together (a state, a branch), drawn as points along x; without
    it every cycle's segment is a line, as it was measured. names: what to call those values; only: a column and the value
    it has in the rows drawn as points.
    """

    x: str
    y: str
    log: bool = False
    log_x: bool = False
    each: str = ""
    names: tuple[tuple[float, str], ...] = ()
    only: tuple[str, float] | None = None


class Station(Protocol):
    """What a recipe may use of a bench, real or simulated; `labctl.station.Station` is one."""

    clock: Clock
    recorder: Recorder

    @property
    def source_meter(self) -> SourceMeter:
        """The source meter on the cell's terminals. Raises UsageError if the station has none."""
        ...

    @property
    def pulse_source(self) -> PulseSource:
        """The pulse source on the cell's terminals. Raises UsageError if the station has none."""
        ...

    def check(self, request: Request) -> None:
        """Raise LimitError unless the instrument that would get `request` may apply it; sends nothing."""
        ...

    def record_to(self, recorder: Recorder) -> None:
        """Have every stimulus from now on noted in `recorder` before it is sent."""
        ...

    def stop_when(self, should_stop: Callable[[], bool]) -> None:
        """Have every instrument ask `should_stop` between readings."""
        ...

    def settle(self) -> None:
        """End every test whose blocks nobody read to the end."""
        ...

    def make_safe(self) -> None:
        """Switch every output off."""
        ...


class Procedure(PyMeasureProcedure):  # type: ignore[misc]
    """A recipe; see this module's text. Subclasses set `columns` and `plot` and write `points`."""

    columns: ClassVar[tuple[Column, ...]] = ()
    plot: ClassVar[Plot | None] = None
    #: the state a simulated cell is put into before this recipe runs on it: "pristine" or "formed"
    cell: ClassVar[str] = "formed"
    #: the simulated device in the example of its help
    device: ClassVar[str] = "device-2"
    #: the kinds of picture that show a run of this recipe, the first one unasked; see ``labctl plot --help``
    pictures: ClassVar[tuple[str, ...]] = ()
    station: Station | None = None
    #: what `shutdown` could not do, if anything; the outputs may then still be on
    shutdown_error: Exception | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.DATA_COLUMNS = [column.heading for column in cls.columns]
        hidden = [name for name in cls.declared() if not isinstance(getattr(cls, name), (Number, Count, Choice, Flag))]
        if hidden:  # PyMeasure would drop the parameter without a word
            raise TypeError(f"{cls.__name__}.{hidden[0]} hides the parameter {hidden[0]!r}; call it something else")

    def __init__(self, **values: Any) -> None:
        self._parameters: dict[str, Any] = {}  # PyMeasure's own default is one dict shared by every class
        super().__init__()
        self.set(values)

    @abstractmethod
    def points(self, station: Station) -> Iterator[Block]:
        """Measure: yield blocks with exactly `columns`. Waits go through ``station.clock``."""

    def check(self) -> None:
        """Raise ParameterError where parameters contradict each other; called before anything is opened or sent."""

    def requests(self) -> Iterable[Request]:
        """Everything this recipe will ask of source meter and pulse source: limits are checked before the first is sent.

        What depends on measured values can't be listed here and is checked when it is asked for.
        """
        return ()

    def plan(self) -> Iterable[tuple[int, Sequence[Request]]]:
        """What a run that goes to its end applies: groups of requests in order, and how often each group; nothing by default.

        For the rules on a cell's history, which are asked before the first byte. What depends on measured values is left
        out; without a plan the rules hold stimulus by stimulus.
        """
        return ()

    def preflight(self, limits: Limits) -> None:
        """Raise ParameterError or LimitError if parameters contradict each other or a request exceeds `limits`."""
        self.check()
        for request in self.requests():
            request.check(limits)

    def state_read(self) -> Request | None:
        """A read that shows what state the cell is in; a run that is continued begins with it. None where there is none."""
        return None

    def expected_rows(self) -> int | None:
        """How many rows a full run will give, for progress; None where it can't be known."""
        return None

    @classmethod
    def extract(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """The numbers a run of this recipe is about, from its table; none by default."""
        return []

    @classmethod
    def analyze(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """Everything that can be said of a run, definition beside definition, marked with their methods; by default `extract`.

        columns: the run's table, dtype as declared. What flagged rows would say is left out and counted.
        """
        return cls.extract(columns)

    @classmethod
    def per_cycle(cls, columns: Mapping[str, NDArray[Any]]) -> list[Series]:
        """The quantities that differ from cycle to cycle, for distributions within and among cells; none by default."""
        return []

    @classmethod
    def analyze_slices(cls, tables: Iterable[Mapping[str, NDArray[Any]]]) -> tuple[list[Extracted], list[Series]]:
        """What `analyze` and `per_cycle` say of a table that comes in slices, in order, each of whole cycles.

        By default they are put together first; a recipe whose runs grow large takes them one by one instead.
        """
        parts = list(tables)
        names = [column.name for column in cls.columns]
        whole = (
            parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in names}
        )
        return cls.analyze(whole), cls.per_cycle(whole)

    @classmethod
    def declared(cls) -> dict[str, Any]:
        """The parameter objects of the class by attribute name, in the order they are written."""
        return {
            name: item
            for base in reversed(inspect.getmro(cls))
            for name, item in vars(base).items()
            if isinstance(item, (Number, Count, Choice, Flag))
        }

    def set(self, values: Mapping[str, Any]) -> None:
        """Set parameters from values or text. Raises ParameterError naming an unknown parameter, or what is wrong."""
        for name, value in values.items():
            if name not in self._parameters:
                raise ParameterError(f"{name!r} is no parameter of this procedure{_close(name, list(self.declared()))}")
            parameter = self._parameters[name]
            parameter.value = value
            setattr(self, name, parameter.value)

    def startup(self) -> None:
        """Check everything against the station's limits and hand the stop request to the instruments."""
        if self.station is None:
            raise UsageError("the procedure has no station: set procedure.station to an opened station first")
        self.set(
            {name: getattr(self, name) for name in self.declared()}
        )  # attributes may have been set past the bounds
        self.check()
        for request in self.requests():
            self.station.check(request)
        self.station.stop_when(lambda: bool(self.should_stop()))

    def execute(self) -> None:
        """Hand on every block until the recipe ends or a stop is asked for.

        A stop during a test is the instrument's to obey: it yields what it has as the test's final block, and only then
        is the recipe left.
        """
        station = cast(Station, self.station)
        try:
            with closing(self.points(station)) as blocks:  # type: ignore[type-var]  # a generator
                for block in blocks:
                    self.hand_on(block)
                    if self.should_stop() and not block.provisional:
                        return
        finally:
            station.settle()  # a test the recipe left in the middle

    def hand_on(self, block: Block) -> None:
        """Emit the rows the way PyMeasure's Worker takes them; the runner puts its own function here."""
        if not block.provisional:
            headings = {column.heading: column.name for column in self.columns}
            self.emit("batch results", {heading: block[name].tolist() for heading, name in headings.items()})

    def shutdown(self) -> None:
        """Switch the outputs off. Never raises (PyMeasure's worker thread would hang): see `shutdown_error`."""
        if self.station is None:
            return
        try:
            self.station.make_safe()
        except Exception as error:
            self.shutdown_error = error
            log.critical("outputs may still be on: %s", error)
            log.debug("why", exc_info=True)


def _close(name: str, among: list[str]) -> str:
    from labctl.plugins import suggestion

    return suggestion(name, among) or f"; it has {', '.join(among)}"
