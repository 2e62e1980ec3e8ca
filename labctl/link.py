"""A message link to one instrument over PyVISA: text in, text out, and every failure told apart.

The rules, each bought with a measured failure of the library underneath: one object owns the session; a time-out, a lost
connection, an interrupted exchange or a reply that nobody asked for *poisons* the link, because a late reply would answer the
next question, so everything raises until `VisaLink.reopen`; the session is never cleared (pyvisa-py's ``clear`` does not return
when the other end is gone). Where the socket of a pyvisa-py session can be had, the link sends and receives on it directly.
"""

from __future__ import annotations

import contextlib
import errno
import re
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import pyvisa
from pyvisa.constants import StatusCode
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.rname import InvalidResourceName, to_canonical_name

from labctl.clocks import WallClock
from labctl.contracts import Clock
from labctl.errors import ConnectionLost, LinkTimeout, RemoteProtocolError, TransportError, UsageError
from labctl.stream import Late, Stream

_REAL_TIME = WallClock()
_CHECK = "is the instrument still on and connected, and its remote control running?"
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
        self._stream: Stream | None = None
        self._waits = (
            0  # ms, the session's time-out as it was set last: asking the library for it costs as much as a read
        )
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
        """Send one message; the terminator is added.

        Raises LinkTimeout, ConnectionLost; over a socket RemoteProtocolError when a reply to nothing has come meanwhile: it
        would answer this message.
        """
        data = message.encode("latin-1") + self._end_out
        if self._poisoned or self._session is None:
            self._refuse("sending", message)
        self._note(">", message)
        try:
            if self._stream is None:
                self._session.write_raw(data)
            else:
                self._say(data, self._stream)
        except BaseException as error:
            self._fail(error, "sending", message, self.timeout)
            raise

    def read(self, timeout: float | None = None) -> str:
        """One reply without its terminator, decoded as Latin-1 so that garbage reaches the codec. timeout: s."""
        limit = self.timeout if timeout is None else timeout
        if self._poisoned or self._session is None:
            self._refuse("waiting for the reply to", self._last_sent())
        try:
            data = self._plain(limit) if self._stream is None else self._stream.receive(limit)
        except BaseException as error:
            self._fail(error, "waiting for the reply to", self._last_sent(), limit)
            raise
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
        if self._poisoned or self._session is None:
            self._refuse("a serial poll", "")
        try:
            status = int(self._session.read_stb())
        except BaseException as error:
            self._fail(error, "a serial poll", "", self.timeout)
            raise
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
        session.timeout = self._waits = milliseconds
        self._session = session
        if (peer := _socket_of(session)) is None:
            session.read_termination = self._end_in.decode("latin-1")
        else:
            self._check_connected(peer)
            self._stream = Stream(peer, self._end_in)

    def _check_connected(self, peer: socket.socket) -> None:
        # pyvisa-py "opens" a refused connection too; the socket itself knows
        if code := peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._release()
            raise ConnectionLost(
                f"{self._resource}: nobody answers there ({errno.errorcode.get(code, code)}); "
                "start the instrument's remote control and check address and port"
            )

    def _release(self) -> None:
        session, self._session, self._stream = self._session, None, None
        if session is not None:
            with contextlib.suppress(pyvisa.Error, OSError):  # the far side may be gone: nothing is left to lose
                session.close()

    # -- speaking -----------------------------------------------------------------------------------------------------
    def _say(self, data: bytes, stream: Stream) -> None:
        if surplus := stream.unread():
            raise RemoteProtocolError(
                f"{self._resource}: {surplus[:40].decode('latin-1')!r} came although nothing was asked; does another "
                "program talk to it? End that one, then start again"
            )
        stream.send(data, self.timeout)

    def _plain(self, limit: float) -> bytes:
        """Read without a reachable socket: a vendor's VISA, GPIB, a bench in this process."""
        milliseconds = max(int(limit * 1000), 1)
        if self._waits != milliseconds:
            self._session.timeout = self._waits = milliseconds
        return bytes(self._session.read_raw())

    # -- failures; their words are only made when they happen ---------------------------------------------------------
    def _refuse(self, doing: str, message: str) -> NoReturn:
        why = "the connection broke before" if self._poisoned else "the connection is closed,"
        raise ConnectionLost(f"{self._resource}: {why} {_what(doing, message)}; connect anew")

    def _fail(self, error: BaseException, doing: str, message: str, limit: float) -> None:
        """Poison the link, and raise what the library's errors mean; any other error is left to the caller."""
        self._poisoned = True
        what = _what(doing, message)
        self._note("!", f"{what}: {_words(error)}")
        if isinstance(error, (pyvisa.Error, OSError, NotImplementedError, Late)):
            raise self._translated(error, what, limit) from error

    def _translated(self, error: Exception, what: str, limit: float) -> TransportError:
        code = getattr(error, "error_code", None)
        if isinstance(error, (Late, TimeoutError)) or code == StatusCode.error_timeout:
            return LinkTimeout(f"{self._resource}: no answer within {limit:g} s, {what}; {_CHECK}")
        if isinstance(error, OSError) or code in _LOST:
            return ConnectionLost(f"{self._resource}: the other end is gone, {what} ({_words(error)}); {_CHECK}")
        return ConnectionLost(f"{self._resource}: the VISA library failed, {what} ({_words(error)}); {_CHECK}")

    def _last_sent(self) -> str:
        return next((line.text for line in reversed(self.transcript) if line.direction == ">"), "")

    def _note(self, direction: str, text: str) -> None:
        line = Line(self._clock.now(), direction, text)
        if self._sink is not None:
            self._sink(line)
        if len(text) > _KEPT:
            line = line._replace(text=f"{text[:_KEPT]}... ({len(text)} characters)")
        self.transcript.append(line)


def canonical(resource: str) -> str:
    """The one spelling of a VISA resource name: ``gpib::17`` is ``GPIB0::17::INSTR``; what is no such name, in capitals."""
    try:
        name = str(to_canonical_name(resource.strip().upper()))
        name = re.sub(r"^(GPIB\d+::\d+)::(0|65535)::INSTR$", r"\1::INSTR", name)  # no secondary address, spelled out
        name = re.sub(r"::LOCALHOST::", "::127.0.0.1::", name)
        return re.sub(r"::0+(\d+)::SOCKET$", r"::\1::SOCKET", name)
    except (InvalidResourceName, ValueError):
        return resource.strip().upper()


def visa_libraries() -> dict[str, str]:
    """What PyVISA finds here: for "@ivi" (a vendor's VISA) and "@py" (PyVISA-py) the library, or why there is none."""
    found = {}
    for library in ("@ivi", "@py"):
        try:
            found[library] = str(pyvisa.ResourceManager(library).visalib)
        except (OSError, ValueError) as error:
            found[library] = f"none: {' '.join(str(error).split())[:60]}"
    return found


def _socket_of(session: Any) -> socket.socket | None:
    """The TCP socket of a pyvisa-py session, None for any other VISA library or interface."""
    sessions = getattr(session.visalib, "sessions", None)
    found = getattr(sessions.get(session.session), "interface", None) if isinstance(sessions, dict) else None
    return found if isinstance(found, socket.socket) else None


def _what(doing: str, message: str) -> str:
    return f"{doing} {message[:60]!r}" if message else doing


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
