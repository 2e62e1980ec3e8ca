"""A connected TCP socket as a stream of messages: whole replies out, deadlines kept, a peer that left noticed at once.

The socket never blocks by itself: what can be done at once is done at once, and only the rest is waited for.
"""

from __future__ import annotations

import select
import socket

from labctl.clocks import WallClock

_REAL_TIME = WallClock()  # a time-out is real time, whatever clock the measurement lives by
_PIECE = 1 << 16  # bytes taken at once: a 4096-value reply is about 60 kB
_SLICE = 0.25  # s; on Windows Ctrl-C can't interrupt select, so it must come back now and then


class Late(Exception):
    """A deadline has passed."""


class Stream:
    """Messages over `peer`, a connected socket that somebody else opened and closes; end: what ends a reply.

    Raises Late when a deadline passes, OSError when the connection breaks or the other end has closed it.
    """

    def __init__(self, peer: socket.socket, end: bytes) -> None:
        self._peer = peer
        self._end = end
        self._received = bytearray()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else write, write, read costs 44 ms
        peer.setblocking(False)

    def unread(self) -> bytes:
        """Take what has come and nobody read; empty when nothing has. Never waits."""
        if not self._received:
            try:
                self._take()
            except BlockingIOError:
                return b""
        unread = bytes(self._received)
        self._received.clear()
        return unread

    def send(self, data: bytes, limit: float) -> None:
        """Send all of `data`; a peer that does not take it is waited for `limit` seconds at most."""
        try:
            sent = self._peer.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._send_rest(memoryview(data)[sent:], _REAL_TIME.now() + limit)

    def receive(self, limit: float) -> bytes:
        """Return one reply with its end; `limit`: s until it must be whole."""
        deadline = _REAL_TIME.now() + limit
        while (at := self._received.find(self._end)) < 0:
            self._wait(deadline, for_reading=True)
            self._take()
        stop = at + len(self._end)
        reply = bytes(self._received[:stop])
        del self._received[:stop]
        return reply

    def _take(self) -> None:
        piece = self._peer.recv(_PIECE)
        if not piece:
            raise ConnectionResetError("it closed the connection")
        self._received += piece

    def _send_rest(self, rest: memoryview, deadline: float) -> None:
        while rest:
            self._wait(deadline, for_reading=False)
            rest = rest[self._peer.send(rest) :]

    def _wait(self, deadline: float, for_reading: bool) -> None:
        readers, writers = ([self._peer], []) if for_reading else ([], [self._peer])
        while (left := deadline - _REAL_TIME.now()) > 0:
            if any(select.select(readers, writers, [], min(left, _SLICE))):
                return
        raise Late("nothing came" if for_reading else "nothing was taken")
