"""A message link to one instrument over PyVISA: text in, text out, and every failure told apart.

The rules, each bought with a measured failure of the library underneath: one object owns the session; a time-out, a lost
connection or an interrupted exchange *poisons* the link, because a late reply would answer the next question, so everything
raises until `VisaLink.reopen`; the session is never cleared (pyvisa-py's ``clear`` does not return when the other end is gone).
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pyvisa
from pyvisa.constants import StatusCode
from pyvisa.highlevel import VisaLibraryBase

from labctl.clocks import WallClock
from labctl.contracts import Clock
from labctl.errors import ConnectionLost, LinkTimeout, TransportError, UsageError

_REAL_TIME = WallClock()  # a time-out is real time, whatever clock the transcript is written by
_PEEK = 1 << 16  # bytes looked at per round: a 4096-value reply is about 60 kB
_CHUNK = 4096  # pyvisa-py reads at most this much at once (its max_recv_size), so asking for more would overshoot
_SLICE = 0.25  # s; on Windows Ctrl-C can't interrupt select, so it must come back now and then
_KEPT = 200  # characters of a message kept in the transcript
_LOST = {StatusCode.error_connection_lost, StatusCode.error_invalid_object, StatusCode.error_resource_not_found}


class Line(NamedTuple):
    """One line of the transcript. time: s of the link's clock; direction: ">" sent, "<" received, "!" failed or reopened."""

    time: float
    direction: str
    text: str


class VisaLink:
    """A `labctl.contracts.Link` over PyVISA; opens at once.

    visa_library: "" (PyVISA chooses), "@py", "@ivi", a path, or a VisaLibraryBase instance (a simulated bench in this
    process); terminators as the instrument needs them; timeout: s for one reply; clock: stamps the transcript; sink: is told
    every line, with its whole text. Raises ConnectionLost when nobody answers there, UsageError without a read terminator.
    """

    def __init__(
        self,
        resource: str,
        *,
        write_termination: str,
        read_termination: str,
        timeout: float = 20.0,
        visa_library: str | VisaLibraryBase = "",
        clock: Clock = _REAL_TIME,
        sink: Callable[[Line], None] | None = None,
    ) -> None:
        if not read_termination:
            raise UsageError(f"{resource}: a link needs a read terminator to know where a reply ends")
        self.timeout = timeout
        self.transcript: deque[Line] = deque(maxlen=100)
        self._resource = resource
        self._library = visa_library
        self._end_out, self._end_in = write_termination.encode("latin-1"), read_termination.encode("latin-1")
        self._clock = clock
        self._sink = sink
        self._poisoned = False
        self._session: Any = None
        self._socket: socket.socket | None = None
        self._received = bytearray()
        self._open()

    # -- what the contract asks for -----------------------------------------------------------------------------------
    @property
    def resource(self) -> str:
        """The VISA resource name."""
        return self._resource

    @property
    def poisoned(self) -> bool:
        """True after a time-out, a lost connection or an interrupted exchange, until `reopen`."""
        return self._poisoned

    def write(self, message: str) -> None:
        """Send one message; the terminator is added. Raises LinkTimeout, ConnectionLost."""
        data = message.encode("latin-1") + self._end_out
        with self._guard(f"sending {message[:60]!r}", self.timeout):
            self._note(">", message)
            if self._socket is None:
                self._session.write_raw(data)
            else:
                self._send(data, self._socket)

    def read(self, timeout: float | None = None) -> str:
        """One reply without its terminator, decoded as Latin-1 so that garbage reaches the codec. timeout: s."""
        limit = self.timeout if timeout is None else timeout
        with self._guard(f"waiting for the reply to {self._last_sent()!r}", limit):
            data = self._plain(limit) if self._socket is None else self._framed(limit, self._socket)
            reply = data.removesuffix(self._end_in).decode("latin-1")
            self._note("<", reply)
            return reply

    def query(self, message: str, timeout: float | None = None) -> str:
        """Send `message` and return its one reply."""
        try:
            self.write(message)
            return self.read(timeout)
        except BaseException:  # also Ctrl-C between the two: the reply is still under way
            self._poisoned = True
            raise

    def reopen(self) -> None:
        """Close and open again; replies under way are lost, which is the point. Raises ConnectionLost."""
        self._note("!", "reopened")
        self._release()
        self._poisoned = True  # until it has succeeded
        self._open()
        self._poisoned = False

    def read_status_byte(self) -> int:
        """Serial poll (GPIB). Raises TransportError where the interface has none."""
        if self._resource.upper().endswith("SOCKET"):
            raise TransportError(f"{self._resource}: a socket has no serial poll")
        with self._guard("serial poll", self.timeout):
            status = int(self._session.read_stb())
            self._note("<", f"status byte {status}")
            return status

    def close(self) -> None:
        """Release the session; closing twice is fine. A closed link raises ConnectionLost until it is reopened."""
        self._release()

    # -- opening and closing ------------------------------------------------------------------------------------------
    def _open(self) -> None:
        milliseconds = max(int(self.timeout * 1000), 1)
        try:
            manager = pyvisa.ResourceManager(self._library)
            session: Any = manager.open_resource(self._resource, open_timeout=milliseconds)
        except Exception as error:  # pyvisa-py raises a bare Exception for an unknown host
            self._note("!", str(error))
            raise ConnectionLost(
                f"{self._resource}: can't be opened ({_words(error)}); is the address right, the instrument's remote "
                "control running, and the VISA library installed?"
            ) from error
        session.timeout = milliseconds
        self._session = session
        self._socket = _socket_of(session)
        if self._socket is None:
            session.read_termination = self._end_in.decode("latin-1")
        else:
            self._check_connected(self._socket)

    def _check_connected(self, open_socket: socket.socket) -> None:
        # pyvisa-py "opens" a refused connection too; the socket itself knows
        if code := open_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._release()
            raise ConnectionLost(
                f"{self._resource}: nobody answers there ({errno.errorcode.get(code, code)}); "
                "start the instrument's remote control and check address and port"
            )
        open_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else write, write, read costs 44 ms

    def _release(self) -> None:
        session, self._session, self._socket = self._session, None, None
        self._received.clear()
        if session is not None:
            with contextlib.suppress(pyvisa.Error, OSError):  # the far side may be gone: nothing is left to lose
                session.close()

    # -- failures -----------------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def _guard(self, what: str, limit: float) -> Iterator[None]:
        if self._poisoned:
            raise ConnectionLost(f"{self._resource}: the link broke before {what}; reopen it first")
        if self._session is None:
            raise ConnectionLost(f"{self._resource}: the link is closed; reopen it first")
        try:
            yield
        except BaseException as error:
            self._poisoned = True
            self._note("!", f"{what}: {_words(error)}")
            if isinstance(error, (pyvisa.Error, OSError, NotImplementedError, _Late)):
                raise self._translated(error, what, limit) from error
            raise

    def _translated(self, error: Exception, what: str, limit: float) -> TransportError:
        code = getattr(error, "error_code", None)
        if isinstance(error, (_Late, TimeoutError)) or code == StatusCode.error_timeout:
            return LinkTimeout(f"{self._resource}: no answer within {limit:g} s, {what}; the link must be reopened")
        if isinstance(error, OSError) or code in _LOST:
            return ConnectionLost(f"{self._resource}: the other end is gone, {what} ({_words(error)}); reopen the link")
        return ConnectionLost(f"{self._resource}: the VISA library failed, {what} ({_words(error)}); reopen the link")

    def _last_sent(self) -> str:
        return next((line.text[:60] for line in reversed(self.transcript) if line.direction == ">"), "")

    def _note(self, direction: str, text: str) -> None:
        line = Line(self._clock.now(), direction, text)
        short = text if len(text) <= _KEPT else f"{text[:_KEPT]}... ({len(text)} characters)"
        self.transcript.append(line._replace(text=short))
        if self._sink is not None:
            self._sink(line)

    # -- without a reachable socket: a vendor's VISA, GPIB, a bench in this process ----------------------------------
    def _plain(self, limit: float) -> bytes:
        milliseconds = max(int(limit * 1000), 1)
        if self._session.timeout != milliseconds:
            self._session.timeout = milliseconds
        return bytes(self._session.read_raw())

    # -- with one: pyvisa-py is only asked for bytes that have arrived, so its loop can't spin on a closed peer --------
    def _framed(self, limit: float, peer: socket.socket) -> bytes:
        deadline = _REAL_TIME.now() + limit
        while (end := self._received.find(self._end_in)) < 0:
            self._wait(peer, deadline, for_reading=True)
            arrived = peer.recv(_PEEK, socket.MSG_PEEK)
            if not arrived:
                raise ConnectionResetError("it closed the connection")
            for start in range(0, len(arrived), _CHUNK):
                self._received += self._session.read_bytes(min(_CHUNK, len(arrived) - start), chunk_size=_CHUNK)
        end += len(self._end_in)
        reply = bytes(self._received[:end])
        del self._received[:end]
        return reply

    def _send(self, data: bytes, peer: socket.socket) -> None:
        deadline = _REAL_TIME.now() + self.timeout
        for start in range(0, len(data), _CHUNK):  # pyvisa-py would wait for ever on a peer that no longer reads
            self._wait(peer, deadline, for_reading=False)
            self._session.write_raw(data[start : start + _CHUNK])

    @staticmethod
    def _wait(peer: socket.socket, deadline: float, for_reading: bool) -> None:
        readers, writers = ([peer], []) if for_reading else ([], [peer])
        while (left := deadline - _REAL_TIME.now()) > 0:
            if any(select.select(readers, writers, [], min(left, _SLICE))):
                return
        raise _Late("nothing came" if for_reading else "nothing was taken")


def visa_libraries() -> dict[str, str]:
    """What PyVISA finds here: for "@ivi" (a vendor's VISA) and "@py" (PyVISA-py) the library, or why there is none."""
    found = {}
    for library in ("@ivi", "@py"):
        try:
            found[library] = str(pyvisa.ResourceManager(library).visalib)
        except (OSError, ValueError) as error:
            found[library] = f"none: {' '.join(str(error).split())[:60]}"
    return found


class _Late(Exception):
    """A deadline of ours has passed."""


def _socket_of(session: Any) -> socket.socket | None:
    """The TCP socket of a pyvisa-py session, None for any other VISA library or interface."""
    sessions = getattr(session.visalib, "sessions", None)
    found = getattr(sessions.get(session.session), "interface", None) if isinstance(sessions, dict) else None
    return found if isinstance(found, socket.socket) else None


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
