"""A VISA library whose instruments live in this process: PyVISA and PyMeasure's drivers talk to them unmodified.

No port, no thread, no waiting: a read with nothing to read times out at once, and the clock is charged the time-out. A reply
for which the instrument itself let more than the time-out pass comes late, too: the read before it times out. A reply that
takes its time on the wire is waited for on the clock. A connection that the far side closes is lost; on a bus, which has none,
nobody listens to the message.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from pyvisa import constants, rname
from pyvisa.constants import EventMechanism, EventType, ResourceAttribute, StatusCode
from pyvisa.errors import VisaIOError
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.typing import VISAEventContext, VISARMSession, VISASession
from pyvisa.util import LibraryPath

from labctl.contracts import Clock, FarSide, HungUp

_numbers = itertools.count(1)
DEFAULT_TIMEOUT = 2000  # ms; VISA specification (VPP-4.3), VI_ATTR_TMO_VALUE
HELD = 1 << 24  # bytes of unread replies kept for one client; far above any real exchange, so a limit on runaways only


class _Session:
    """One opened resource: the instrument's unread replies, and the VISA attributes that shape reading."""

    def __init__(self, instrument: FarSide, name: str, clock: Clock) -> None:
        parsed = rname.ResourceName.from_string(name)
        self.instrument = instrument
        self.clock = clock
        self.on_gpib = parsed.interface_type_const is constants.InterfaceType.gpib
        self.attributes: dict[ResourceAttribute, Any] = {
            ResourceAttribute.termchar: ord("\n"),
            ResourceAttribute.termchar_enabled: constants.VI_FALSE,
            ResourceAttribute.timeout_value: DEFAULT_TIMEOUT,
            ResourceAttribute.send_end_enabled: constants.VI_TRUE,
            ResourceAttribute.suppress_end_enabled: constants.VI_FALSE,
            ResourceAttribute.interface_type: parsed.interface_type_const,
            ResourceAttribute.interface_number: int(getattr(parsed, "board", 0)),
            ResourceAttribute.resource_class: parsed.resource_class,
            ResourceAttribute.resource_name: str(parsed),
            ResourceAttribute.resource_lock_state: constants.AccessModes.no_lock,
        }
        self._held: list[
            bytearray
        ] = []  # one entry per reply on GPIB, where its last byte carries END; else one stream
        self._took = 0.0  # s the instrument let pass over the last message; a client that waits for less goes away
        self._lost = False  # the far side has closed the connection

    def write(self, data: bytes) -> int:
        """Hand bytes to the instrument and keep what it answers."""
        if self._lost:
            raise VisaIOError(StatusCode.error_connection_lost)
        sent = data
        if self.on_gpib and self.attributes[ResourceAttribute.send_end_enabled] and not data.endswith(b"\n"):
            sent += b"\n"  # END closes the message as a line feed does
        began = self.clock.now()
        try:
            self._keep(self.instrument.feed(sent))
        except HungUp:
            if self.on_gpib:
                raise VisaIOError(StatusCode.error_no_listeners) from None
            self._lost = True  # the next read finds out
        self._took = self.clock.now() - began
        return len(data)

    def _keep(self, reply: bytes) -> None:
        if not reply:
            return
        if sum(map(len, self._held)) + len(reply) > HELD:
            raise VisaIOError(StatusCode.error_allocation)
        if self._held and not self.on_gpib:
            self._held[-1] += reply
        else:
            self._held.append(bytearray(reply))

    def read(self, count: int) -> tuple[bytes, StatusCode]:
        """Up to `count` bytes, and why it ended there: END, termination character, count, or nothing to read."""
        if not self._held:
            self._await_reply()
        if not self._held:
            return (b"", StatusCode.error_connection_lost) if self._lost else self._late(b"")
        if self._gave_up():
            return b"", StatusCode.error_timeout
        first = self._held[0]
        stop = self._termination(first)
        size = min(count, len(first) if stop < 0 else stop + 1)
        data = bytes(first[:size])
        del first[:size]
        if not first:
            self._held.pop(0)
        if stop >= 0 and size == stop + 1:
            return data, StatusCode.success_termination_character_read
        if self.on_gpib and not first:
            return data, StatusCode.success
        if size == count:
            return data, StatusCode.success_max_count_read
        return self._late(data)  # a socket has no END: without its termination character the reply never ends

    def _await_reply(self) -> None:
        """Let the time pass until a reply that is under way is there, if that is before the time-out."""
        timeout = self.attributes[ResourceAttribute.timeout_value]
        due = self.instrument.reply_due()
        if due is None:
            return
        left = max(due - self.clock.now(), 0.0)
        if timeout == constants.VI_TMO_INFINITE or left <= timeout / 1000:
            self.clock.sleep(left)
            self._keep(self.instrument.late_reply())

    def _termination(self, held: bytearray) -> int:
        if not self.attributes[ResourceAttribute.termchar_enabled]:
            return -1
        return held.find(int(self.attributes[ResourceAttribute.termchar]))

    def _gave_up(self) -> bool:
        """Whether the reply came after the time-out; the clock has passed that already."""
        timeout = self.attributes[ResourceAttribute.timeout_value]
        if timeout in (constants.VI_TMO_INFINITE, constants.VI_TMO_IMMEDIATE) or self._took <= timeout / 1000:
            return False
        self._took -= timeout / 1000
        return True

    def _late(self, data: bytes) -> tuple[bytes, StatusCode]:
        timeout = self.attributes[ResourceAttribute.timeout_value]
        if timeout not in (constants.VI_TMO_INFINITE, constants.VI_TMO_IMMEDIATE):
            self.clock.sleep(timeout / 1000)
        return data, StatusCode.error_timeout

    def clear(self) -> None:
        """Device clear: unread replies are gone; on GPIB the instrument hears of it."""
        self._held.clear()
        self._took = 0.0
        if self.on_gpib:
            self.instrument.device_clear()

    def close(self) -> None:
        self._held.clear()
        self.instrument.disconnect()


class SimVisaLibrary(VisaLibraryBase):
    """VISA over simulated instruments by resource name; make one with `over`."""

    _instruments: dict[str, FarSide]
    _clock: Clock
    _sessions: dict[int, _Session]

    @classmethod
    def over(cls, instruments: Mapping[str, FarSide], clock: Clock) -> SimVisaLibrary:
        """A library with these instruments, on the clock they live by; the names are VISA resource names."""
        library = cls(LibraryPath(f"simulated-{next(_numbers)}", "simulated bench"))
        assert isinstance(library, SimVisaLibrary)
        library._instruments = {str(rname.ResourceName.from_string(name)): one for name, one in instruments.items()}
        library._clock = clock
        library._sessions = {}
        return library

    # -- sessions -----------------------------------------------------------------------------------------------------
    def open_default_resource_manager(self) -> tuple[VISARMSession, StatusCode]:
        session = VISARMSession(next(_numbers))
        return session, self.handle_return_value(session, StatusCode.success)

    def open(
        self,
        session: VISARMSession,
        resource_name: str,
        access_mode: constants.AccessModes = constants.AccessModes.no_lock,
        open_timeout: int = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[VISASession, StatusCode]:
        """Open a simulated resource; an unknown one is VI_ERROR_RSRC_NFND."""
        try:
            name = str(rname.ResourceName.from_string(resource_name))
        except rname.InvalidResourceName:
            self.handle_return_value(session, StatusCode.error_invalid_resource_name)
            raise
        if name not in self._instruments:
            self.handle_return_value(session, StatusCode.error_resource_not_found)
        opened = VISASession(next(_numbers))
        self._sessions[opened] = _Session(self._instruments[name], name, self._clock)
        return opened, self.handle_return_value(opened, StatusCode.success)

    def close(self, session: VISASession | VISAEventContext | VISARMSession) -> StatusCode:
        if (opened := self._sessions.pop(session, None)) is not None:
            opened.close()
        return self.handle_return_value(None, StatusCode.success)

    def list_resources(self, session: VISARMSession, query: str = "?*::INSTR") -> tuple[str, ...]:
        return tuple(rname.filter(self._instruments, query))

    def _of(self, session: VISASession) -> _Session:
        opened = self._sessions.get(session)
        if opened is None:
            self.handle_return_value(None, StatusCode.error_invalid_object)
        assert opened is not None
        return opened

    # -- messages -----------------------------------------------------------------------------------------------------
    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Send bytes; the instrument answers at once."""
        count = self._of(session).write(bytes(data))
        return count, self.handle_return_value(session, StatusCode.success)

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Read what has been answered; nothing there is VI_ERROR_TMO, without waiting."""
        data, status = self._of(session).read(count)
        return data, self.handle_return_value(session, status)

    def read_stb(self, session: VISASession) -> tuple[int, StatusCode]:
        """Serial poll; a socket has none (VI_ERROR_NSUP_OPER)."""
        opened = self._of(session)
        if not opened.on_gpib:
            self.handle_return_value(session, StatusCode.error_nonsupported_operation)
        return opened.instrument.serial_poll(), self.handle_return_value(session, StatusCode.success)

    def clear(self, session: VISASession) -> StatusCode:
        self._of(session).clear()
        return self.handle_return_value(session, StatusCode.success)

    def flush(self, session: VISASession, mask: constants.BufferOperation) -> StatusCode:
        if mask & (constants.BufferOperation.discard_read_buffer | constants.BufferOperation.discard_receive_buffer):
            self._of(session)._held.clear()
        return self.handle_return_value(session, StatusCode.success)

    # -- attributes and events ----------------------------------------------------------------------------------------
    def get_attribute(
        self, session: VISASession | VISAEventContext | VISARMSession, attribute: Any
    ) -> tuple[Any, StatusCode]:
        known = self._of(VISASession(session)).attributes
        if attribute not in known:
            self.handle_return_value(session, StatusCode.error_nonsupported_attribute)
        return known[attribute], self.handle_return_value(session, StatusCode.success)

    def set_attribute(self, session: VISASession, attribute: ResourceAttribute, attribute_state: Any) -> StatusCode:
        known = self._of(session).attributes
        if attribute not in known:
            self.handle_return_value(session, StatusCode.error_nonsupported_attribute)
        known[attribute] = attribute_state
        return self.handle_return_value(session, StatusCode.success)

    def disable_event(self, session: VISASession, event_type: EventType, mechanism: EventMechanism) -> StatusCode:
        """No events exist, so none needs to be switched off (PyVISA does so before closing)."""
        return self.handle_return_value(session, StatusCode.success)

    def discard_events(self, session: VISASession, event_type: EventType, mechanism: EventMechanism) -> StatusCode:
        return self.handle_return_value(session, StatusCode.success)
