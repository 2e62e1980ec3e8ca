"""The simulated bench: a device, a simulated instrument around it, and three ways to talk to it.

In this process through PyVISA without port or thread (`SimBench.library`), over TCP (`TcpDoor`), or in plain bytes
(`SimBench.instrument.feed`).
"""

from labctl.bench.assembly import SimBench
from labctl.bench.door import TcpDoor
from labctl.bench.visa import SimVisaLibrary

__all__ = ["SimBench", "SimVisaLibrary", "TcpDoor"]
