"""How the instrument becomes safe, whatever state the link and the instrument are in."""

from __future__ import annotations

from labctl.errors import InstrumentError, RemoteProtocolError, TransportError
from labctl.kxci.replies import StatusByte

from .driver import PAUSE, Keithley4200

_PATIENCE = 5.0  # s for each reply here: relays open in milliseconds, so whoever needs longer is not there (guess)
_POLLS = 20  # after an abort; with the pause 2 s: guess


def make_safe(driver: Keithley4200) -> None:
    """Stop the running test and switch every output off, reopening the link where it can't be trusted.

    At most two attempts, the second on a new connection. Raises TransportError when it can't be known whether the outputs are
    off, InstrumentError when the instrument refuses.
    """
    try:
        with driver.patience(_PATIENCE):
            _try_twice(driver)
    except (TransportError, RemoteProtocolError, InstrumentError) as error:
        if isinstance(error, InstrumentError) and not isinstance(error.__cause__, TransportError):
            raise
        raise TransportError(
            f"can't know whether the outputs are off; switch them off at the instrument ({error})"
        ) from error


def _try_twice(driver: Keithley4200) -> None:
    if driver.in_step and not getattr(driver.adapter.connection, "poisoned", False):
        try:
            return _switch_off(driver)
        except (TransportError, RemoteProtocolError, InstrumentError):
            driver.in_step = False  # whatever went wrong, a new connection starts clean
    driver.reconnect()
    return _switch_off(driver)


def _switch_off(driver: Keithley4200) -> None:
    _stop(driver)
    driver.clear_error()
    driver.outputs_off()
    driver.raise_error("switching the outputs off")


def _stop(driver: Keithley4200) -> None:
    if not (StatusByte.BUSY in driver.status or driver.running):
        return
    driver.running = False  # said once; a second attempt goes by the busy bit
    try:
        driver.abort()
    except InstrumentError as error:
        if isinstance(error.__cause__, TransportError):
            raise
        # a test that has just ended refuses to be stopped; that the outputs are off is asked for afterwards
    for _ in range(_POLLS):
        if StatusByte.BUSY not in driver.status:
            return
        driver.clock.sleep(PAUSE)
