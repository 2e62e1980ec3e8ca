"""One simulated instrument served over TCP, for any client that speaks its language."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable

from labctl.contracts import FarSide
from labctl.errors import TransportError

CHUNK = 1 << 16  # bytes taken from a socket at once
LONGEST_MESSAGE = (
    1 << 20
)  # bytes; a client that sends more without an end is disconnected (the manuals give no limit: guess)
MOST_UNSENT = 1 << 20  # bytes of replies a client may leave unread before it is no longer listened to
ROUNDS = 16  # chunks read from the present client before a second one is turned away
PATIENCE = 0.25  # s; on Windows Ctrl-C can't interrupt a select, so it must come back now and then
SOON = 0.01  # s; likewise while a reply takes its time: by so much it may be later still


class _Client:
    """A connection with what it has half said and what it has not yet taken."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = bytearray()
        self.unsent = bytearray()


class TcpDoor:
    """Serves `instrument` on `host`:`port` (0: any free port); loopback unless told otherwise: there is no password.

    A second client is refused or accepted as the instrument says. `start` and `stop` run it in a thread (also as a context
    manager), `serve_forever` in this one. Only that thread touches the instrument.
    """

    def __init__(self, instrument: FarSide, host: str = "127.0.0.1", port: int = 0) -> None:
        self.instrument = instrument
        self.host = host
        self.port = port
        self._selector: selectors.BaseSelector | None = None
        self._clients: list[_Client] = []
        self._asker: _Client | None = None  # who sent the last message, and gets the replies that take their time
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._stopping = threading.Event()

    # -- running it ---------------------------------------------------------------------------------------------------
    def start(self) -> TcpDoor:
        """Serve in a thread; `port` is known when this returns. Raises TransportError when the port can't be had."""
        listener = self._listen()
        self._thread = threading.Thread(target=self._keep_failure, args=(listener,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close every connection and end the thread; raises what the instrument raised meanwhile."""
        self._stopping.set()
        if self._thread is not None:
            with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), timeout=1.0):
                pass  # wakes the select at once
            self._thread.join()
            self._thread = None
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def serve_forever(self, ready: Callable[[int], object] | None = None) -> None:
        """Serve until interrupted; ready is told the port once clients may connect. Raises TransportError."""
        listener = self._listen()
        if ready is not None:
            ready(self.port)
        self._serve(listener)

    def __enter__(self) -> TcpDoor:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    # -- the loop -----------------------------------------------------------------------------------------------------
    def _listen(self) -> socket.socket:
        self._stopping.clear()
        try:
            listener = socket.create_server((self.host, self.port))
        except OSError as error:
            raise TransportError(f"can't serve on {self.host}:{self.port}: {error}") from error
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        return listener

    def _keep_failure(self, listener: socket.socket) -> None:
        try:
            self._serve(listener)
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever stops the door, see `stop`
            self._failure = error

    def _serve(self, listener: socket.socket) -> None:
        with listener, selectors.DefaultSelector() as selector:
            self._selector = selector
            selector.register(listener, selectors.EVENT_READ)
            try:
                while not self._stopping.is_set():
                    for key, events in selector.select(PATIENCE if self.instrument.reply_due() is None else SOON):
                        if key.fileobj is listener:
                            self._admit(listener)
                        else:
                            self._attend(key.data, events)
                    self._hand_late_replies()
            finally:
                for client in list(self._clients):
                    self._dismiss(client)
                self._selector = None

    def _admit(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # it hung up while it was waiting
        if not self.instrument.accepts_second_client:
            self._notice_goodbyes()
            if self._clients:
                connection.close()
                return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = _Client(connection)
        self._clients.append(client)
        self._watch(client)

    def _notice_goodbyes(self) -> None:
        """Hear out who is there: a client that closes and connects again at once must not be refused for its own old self."""
        for client in list(self._clients):
            for _ in range(ROUNDS):
                if client not in self._clients or not _has_news(client):
                    break
                self._attend(client, selectors.EVENT_READ)

    def _attend(self, client: _Client, events: int) -> None:
        if client not in self._clients:
            return  # dismissed a moment ago, with this event still in hand
        try:
            if events & selectors.EVENT_READ:
                self._receive(client)
            self._answer(client)
            self._watch(client)
        except OSError:  # reset, closed, or out of bounds: the client is gone and the instrument goes on; HungUp, too
            self._dismiss(client)

    def _hand_late_replies(self) -> None:
        while reply := self.instrument.late_reply():
            if self._asker in self._clients:
                assert self._asker is not None
                self._asker.unsent += reply
                self._attend(self._asker, selectors.EVENT_WRITE)

    def _receive(self, client: _Client) -> None:
        try:
            data = client.connection.recv(CHUNK)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError("closed by the client")
        client.received += data

    def _answer(self, client: _Client) -> None:
        """Feed whole messages while the client takes the replies, so that neither buffer grows without bound."""
        end = self.instrument.message_end
        while len(client.unsent) < MOST_UNSENT and (at := client.received.find(end)) >= 0:
            message = bytes(client.received[: at + len(end)])
            del client.received[: len(message)]
            self._asker = client
            client.unsent += self.instrument.feed(message)
            self._send(client)
        self._send(client)
        if len(client.received) > LONGEST_MESSAGE and client.received.find(end) < 0:
            raise ConnectionAbortedError("a message without end")

    @staticmethod
    def _send(client: _Client) -> None:
        if client.unsent:
            with contextlib.suppress(BlockingIOError):
                del client.unsent[: client.connection.send(client.unsent)]

    def _watch(self, client: _Client) -> None:
        assert self._selector is not None
        events = selectors.EVENT_WRITE if client.unsent else 0
        if len(client.unsent) < MOST_UNSENT and len(client.received) <= LONGEST_MESSAGE:
            events |= selectors.EVENT_READ
        if client.connection in self._selector.get_map():
            self._selector.modify(client.connection, events, client)
        else:
            self._selector.register(client.connection, events, client)

    def _dismiss(self, client: _Client) -> None:
        assert self._selector is not None
        self._clients.remove(client)
        if client.connection in self._selector.get_map():
            self._selector.unregister(client.connection)
        client.connection.close()
        if not self._clients:
            self.instrument.disconnect()


def _has_news(client: _Client) -> bool:
    """Whether bytes or the end of the connection wait to be read."""
    try:
        client.connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
