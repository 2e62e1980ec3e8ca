"""KXCI, the language of the Keithley 4200: one sans-I/O codec used by the driver and by the simulator.

``encode(ForceVoltage(1, 0, 3.3, 0.01))`` writes a message, ``decode("DV1,0,3.3,0.01")`` reads one; nothing here opens a socket.
The commands are in `messages` (from manual Rev. D, 4200A-KXCI-907-01). Replies are in `replies`, those of pulse tests in
`points` and `pulse_status`, those of user libraries in `library_replies`. Error codes are in `errors`, ranges in `ranges`,
message ends in `framing`; `spec` and `codec` turn a dataclass into a command.
"""

from labctl.kxci import errors, library_replies, messages, points, pulse_status, ranges, replies
from labctl.kxci.codec import decode, encode
from labctl.kxci.framing import NUL, Framer
from labctl.kxci.numbers import engineering, short_engineering, wire, wire_value
from labctl.kxci.spec import Between, Command, Invalid, Like, OneOf, Place, Word, command, commands, spec

__all__ = [
    "NUL",
    "Between",
    "Command",
    "Framer",
    "Invalid",
    "Like",
    "OneOf",
    "Place",
    "Word",
    "command",
    "commands",
    "decode",
    "encode",
    "engineering",
    "errors",
    "library_replies",
    "messages",
    "points",
    "pulse_status",
    "ranges",
    "replies",
    "short_engineering",
    "spec",
    "wire",
    "wire_value",
]
