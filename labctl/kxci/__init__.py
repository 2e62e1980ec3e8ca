"""KXCI, the language of the Keithley 4200: one sans-I/O codec used by the driver and by the simulator.

``encode(ForceVoltage(1, 0, 3.3, 0.01))`` writes a message, ``decode("DV1,0,3.3,0.01")`` reads one; nothing here opens a socket.
The commands are in `messages` (from manual Rev. D, 4200A-KXCI-907-01), replies in `replies`, error codes in `errors`, ranges in
`ranges`, message ends in `framing`; `spec` and `codec` turn a dataclass into a command.
"""

from labctl.kxci import errors, messages, ranges, replies
from labctl.kxci.codec import decode, encode
from labctl.kxci.framing import NUL, Framer
from labctl.kxci.numbers import engineering, wire, wire_value
from labctl.kxci.spec import Between, Command, Invalid, Like, Word, command, commands, spec

__all__ = [
    "NUL",
    "Between",
    "Command",
    "Framer",
    "Invalid",
    "Like",
    "Word",
    "command",
    "commands",
    "decode",
    "encode",
    "engineering",
    "errors",
    "messages",
    "ranges",
    "replies",
    "spec",
    "wire",
    "wire_value",
]
