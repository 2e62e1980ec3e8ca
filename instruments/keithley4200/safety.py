"""How the instrument becomes safe, whatever state the link and the instrument are in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from labctl.errors import InstrumentError, LabctlError, RemoteProtocolError, TransportError
from labctl.kxci import encode
from labctl.kxci import messages as m
from labctl.kxci.replies import StatusByte

from .connection import PAUSE
from .driver import Keithley4200

_PATIENCE = 5.0  # s for each reply here: relays open in milliseconds, so whoever needs longer is not there (guess)
#: s; nobody is listened to for longer who has just answered nonsense: guess
_ACKNOWLEDGED = 0.3
_FAILURES = (TransportError, RemoteProtocolError, InstrumentError)


def make_safe(driver: Keithley4200) -> None:
    """Stop the running test and switch every output off, reopening the link where it can't be trusted.

    At most two attempts, the second on a new connection. Raises TransportError when it can't be known whether the outputs are
    off, InstrumentError when the instrument refuses.
    """
    try:
        with driver.patience(_PATIENCE):
            _try_twice(driver)
    except _FAILURES as error:
        if isinstance(error, InstrumentError) and not isinstance(error.__cause__, TransportError):
            raise
        _call_out(driver)
        raise TransportError(
            f"can't know whether the outputs are off; switch them off at the instrument ({error})"
        ) from error


@contextlib.contextmanager
def left_safe(driver: Keithley4200) -> Iterator[None]:
    """Stop the test and switch every output off when what is done inside goes wrong, or its generator is closed.

    The original error is kept, with a note should that fail.
    """
    try:
        yield
    except BaseException as error:
        try:
            make_safe(driver)
        except LabctlError as failure:
            if isinstance(error, GeneratorExit):  # nobody would see a note on that
                raise failure from None
            error.add_note(str(failure))
        raise


def switch_off_blindly(driver: Keithley4200, channels: Iterable[int]) -> None:
    """Send ``ME4``, ``:PMU:ABORT`` and bare ``DV``: all that can be done with an instrument that can't be taken over.

    Each is tried whatever became of the others; the error of the last, the outputs, is raised.
    """
    with driver.patience(_PATIENCE):
        with contextlib.suppress(*_FAILURES):  # perhaps nothing ran; what counts is that the outputs go off
            _on_trusted_link(driver)
            driver.abort()
            driver.clock.sleep(PAUSE)
        if not driver.cards or any(card.kind == "PMU" for card in driver.cards):
            with contextlib.suppress(*_FAILURES):  # likewise
                _on_trusted_link(driver)
                driver.pulse.abort()
        _on_trusted_link(driver)
        _ = driver.status  # an older syntax error is not the answer
        driver.send(m.UserMode(), *(m.ForceVoltage(channel) for channel in channels))
        if StatusByte.SYNTAX_ERROR in driver.status:
            raise InstrumentError("the instrument refuses to switch its outputs off")


def _call_out(driver: Keithley4200) -> None:
    """Send stop and outputs off and heed no reply: whoever answers nonsense may still hear. Nothing is known afterwards."""
    link = driver.adapter.connection
    driver.in_step = False
    for message in (
        (m.Measure(4),),
        *((command,) for command in driver.pulse.stopping()),
        (m.UserMode(), *(m.ForceVoltage(channel) for channel in driver.smu)),
        *((command,) for command in driver.pulse.switching_off()),
    ):
        with contextlib.suppress(*_FAILURES):
            link.reopen()  # what came, or did not come, in reply to the message before must not keep this one back
            link.write(encode(*message))
            if driver.acknowledges:
                link.read(_ACKNOWLEDGED)


def _try_twice(driver: Keithley4200) -> None:
    if _is_trusted(driver):
        try:
            return _switch_off(driver)
        except _FAILURES:
            driver.in_step = False  # whatever went wrong, a new connection starts clean
    driver.reconnect()
    return _switch_off(driver)


def _is_trusted(driver: Keithley4200) -> bool:
    return driver.in_step and not getattr(driver.adapter.connection, "poisoned", False)


def _on_trusted_link(driver: Keithley4200) -> None:
    if not _is_trusted(driver):
        driver.reconnect()


def _switch_off(driver: Keithley4200) -> None:
    """Stop both kinds of test and switch all outputs off; what refuses does not keep the others from being told."""
    refused: list[InstrumentError] = []
    # if it stays busy, switching off is refused, and that is what must be said
    for step in (driver.stop, driver.pulse.stop, driver.clear_error, driver.pulse.off, driver.outputs_off):
        try:
            step()
        except InstrumentError as error:
            if isinstance(error.__cause__, TransportError):
                raise
            refused.append(error)
    driver.raise_error("switching the outputs off")
    if refused:
        raise refused[0]
