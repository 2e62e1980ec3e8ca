"""Who is there, and getting hold of it: handshake, reconnect, stopping what runs, the reset."""

from __future__ import annotations

import re
from typing import Any

from labctl.contracts import Clock
from labctl.errors import ConnectionLost, InstrumentError, RemoteProtocolError, TransportError
from labctl.kxci import encode
from labctl.kxci import messages as m
from labctl.kxci.replies import StatusByte

from .talk import SHORT, Talker

PAUSE = 0.1  #: s between two looks at an instrument that is busy with something (vendor examples)
_POLLS = 20  # after an abort; with the pause 2 s: guess
_RECONNECTS = 3  # guess
_STALE = 4  # replies of before a broken exchange that a GPIB device may still hold: guess
#: ``KI4200A V1.8.1``, ``HP4145B 1.1,1.0`` (D 2-6); a comma before the model is an old reply to *IDN?
_KNOWN = re.compile(r"[^,]*4200[^,]*|[^,]*4145.*")


class Connection(Talker):
    """A 4200 that was found, and can be found again."""

    def __init__(self, adapter: Any, name: str, acknowledges: bool, clock: Clock | None, **kwargs: Any) -> None:
        super().__init__(adapter, name, acknowledges, clock, **kwargs)
        self.running = False  #: a test was started and its end not yet seen
        self.model = self.handshake()

    def handshake(self) -> str:
        """Ask ``ID`` and return the answer. Raises RemoteProtocolError when it is not a 4200."""
        self.in_step = False
        self.write(encode(m.Model()))
        for _ in range(1 if self.acknowledges else _STALE):
            reply = str(self.read()).strip()
            if _KNOWN.fullmatch(reply):
                self.in_step = True
                return reply
        raise RemoteProtocolError(
            f"{reply[:60]!r} is no Keithley 4200; is this the right address, and is KXCI running?"
        )

    def confirm(self) -> None:
        """Make sure that replies still answer their questions, by one that nothing else is answered with: ``ID``.

        Raises RemoteProtocolError when they do not.
        """
        self.inquire(_check_model, m.Model())

    def reconnect(self) -> None:
        """Reopen the link, so that no late reply can answer a later question, stop what runs, and choose 4200A mode again.

        An instrument that has not yet seen the old connection end may hang up on the new one, so it is tried again.
        """
        with self.patience(SHORT):
            self.find_again()
            self.stop()
            self.choose_mode()  # KXCI may have been started anew in between

    def find_again(self) -> None:
        """Reopen the link and shake hands; an instrument that hangs up on that is tried again."""
        for attempt in range(_RECONNECTS):
            self.adapter.connection.reopen()
            try:
                self.handshake()
                return
            except ConnectionLost:
                if attempt == _RECONNECTS - 1:
                    raise
            self.clock.sleep(PAUSE)

    def choose_mode(self) -> None:
        """Choose 4200A mode for this session (``EM 1,0``)."""
        self.send(m.Emulation(1, 0))

    def abort(self) -> None:
        """Tell a running test to stop (``ME4``)."""
        self.send(m.Measure(4))

    def stop(self) -> bool:
        """Stop a running test, whoever started it. False: the instrument is still busy 2 s later."""
        if not (StatusByte.BUSY in self.status or self.running):
            return True
        self.running = False  # said once; a second attempt goes by the busy bit
        try:
            self.abort()
        except InstrumentError as error:
            if isinstance(error.__cause__, TransportError):
                raise
            # a test that has just ended refuses to be stopped; that the outputs are off is asked for afterwards
        for _ in range(_POLLS):
            if StatusByte.BUSY not in self.status:
                return True
            self.clock.sleep(PAUSE)
        return False

    @property
    def id(self) -> str:
        """Get the short identity, e.g. ``KI4200A V1.8.1``."""
        return self.inquire(_check_model, m.Model())


def _check_model(reply: str) -> str:
    if _KNOWN.fullmatch(reply.strip()):
        return reply.strip()
    raise RemoteProtocolError(f"{reply[:40]!r} is not who answered before; replies and questions are out of step")
