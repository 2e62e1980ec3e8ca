"""The simulated instrument: bytes to messages, messages to commands, and one reply per message."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from labctl.contracts import Clock, DeviceModel, SimulatedInstrument
from labctl.kxci import NUL, Framer, Invalid, decode
from labctl.kxci.spec import Command, spec

from .circuit import Dwell
from .commands import execute
from .mainframe import Mainframe
from .refusal import ARGUMENT, COMMAND, Refused
from .settings import Settings

SHORT = 64  #: characters; messages up to here are decoded once and remembered (polling loops)


@lru_cache(maxsize=4096)
def _remembered(message: str, longest_number: int | None) -> tuple[Command | Invalid, ...]:
    return tuple(decode(message, longest_number))


class SimKeithley4200(SimulatedInstrument):
    """A simulated Keithley 4200-SCS with its device; see `settings.Settings` for what can be chosen."""

    name = "keithley4200"

    def __init__(self, frame: Mainframe) -> None:
        self.frame = frame
        self.settings = frame.settings
        self.message_end = b"\n" if frame.settings.transport == "gpib" else NUL
        self.accepts_second_client = frame.settings.second_client == "accept"
        self._framer = Framer(self.message_end)
        self._longest = frame.settings.longest_number or None

    @classmethod
    def build(
        cls,
        device: DeviceModel,
        clock: Clock,
        wiring: Mapping[str, int | None],
        settings: Mapping[str, Any],
        seed: int | None,
    ) -> SimKeithley4200:
        """Build one with `device` between the channels of `wiring`; raises UsageError for settings and wiring."""
        return cls(Mainframe(device, clock, wiring, Settings.of(settings), seed))

    @property
    def truth(self) -> list[Dwell]:
        """What the device really got up to its last dwell, oldest first; bounded by the setting truth_length."""
        return list(self.frame.circuit.truth)

    @property
    def outputs(self) -> tuple[int, ...]:
        """The SMUs whose outputs are on, by number, as of the last message: what a client may not know and a test should."""
        return tuple(number for number, smu in self.frame.smus.items() if smu.output)

    @property
    def pulse_outputs(self) -> tuple[int, ...]:
        """The pulse channels whose outputs are on, by number, as of the last message."""
        return self.frame.pulses.outputs

    def feed(self, data: bytes) -> bytes:
        """Take bytes of a client and return the replies to the messages now complete."""
        return b"".join([self._answer(message) for message in self._framer.feed(data)])

    def serial_poll(self) -> int:
        """The status byte of a GPIB serial poll; clears what polling clears (D 3-4)."""
        self.frame.catch_up()
        return self.frame.status.poll(self.frame.says_busy)

    def disconnect(self) -> None:
        """Forget half a message; a running test runs on, as nothing says that it ends."""
        self._framer.clear()

    def device_clear(self) -> None:
        """DCL/SDC: power-on user mode, outputs off (D 5-4)."""
        self._framer.clear()
        self.frame.catch_up()
        self.frame.power_on()
        self.frame.status.clear()
        self.frame.page = "US"

    def reboot(self) -> None:
        """Start KXCI and its cards anew, as after a power failure; the cell keeps its state."""
        self._framer.clear()
        self.frame.restart()

    def stick_busy(self, seconds: float) -> None:
        """Say busy for `seconds` s, to ``SP``, a serial poll and ``:PMU:TEST:STATUS?``."""
        self.frame.stuck_until = self.frame.clock.now() + seconds

    def _answer(self, message: bytes | None) -> bytes:
        frame = self.frame
        if self.settings.message_time > 0:
            frame.clock.sleep(self.settings.message_time)
        frame.catch_up()
        if message is None:  # longer than the framer holds
            frame.status.fail(ARGUMENT)
            return self._framed(False, "", ARGUMENT)
        reply, error, is_query = "", 0, False
        on_gpib = self.settings.transport == "gpib"
        for command in self._decode(message):
            asks = not isinstance(command, Invalid) and spec(command).query
            try:
                if self._is_unknown(command):
                    raise Refused(COMMAND)
                if isinstance(command, Invalid):
                    raise Refused(command.code)
                data = execute(frame, command)
                asks = asks and data is not None  # EX may be acknowledged only
            except Refused as refusal:
                data, error = None, refusal.code
                frame.status.fail(error)
            is_query = asks or (is_query and on_gpib)  # on LAN the last command decides what the one reply is
            reply = data or "" if asks or not on_gpib else reply
        return self._framed(is_query, reply, error)

    def _is_unknown(self, command: Command | Invalid) -> bool:
        """Whether it is one of ``:PMU:``, right or wrong, and the software is too old for it (D 7-2)."""
        is_pulse = command.text.startswith(":PMU:") if isinstance(command, Invalid) else spec(command).is_pulse
        return is_pulse and not self.settings.knows_pulses

    def _decode(self, message: bytes) -> tuple[Command | Invalid, ...]:
        text = message.decode("ascii", errors="replace")
        if len(text) > SHORT:
            return tuple(decode(text, self._longest))
        return _remembered(text, self._longest)

    def _framed(self, is_query: bool, reply: str, error: int) -> bytes:
        """Wrap the last command's reply: data with KCon's character, else ACK; GPIB has no ACK and no NUL."""
        choice = self.settings
        on_lan = choice.transport == "tcp"
        if error and choice.bad_command == "silent":
            return b""
        if error and choice.bad_command == "text" and on_lan:
            reply, is_query = self.frame.status.last_error or "", True
        if is_query:
            return (reply + choice.end).encode("ascii") + (NUL if on_lan else b"")
        return b"ACK" + NUL if on_lan else b""
