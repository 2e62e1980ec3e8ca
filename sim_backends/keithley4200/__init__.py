"""A simulated Keithley 4200-SCS that speaks KXCI: user mode and system mode of its SMUs, in bytes and virtual time.

`instrument` cuts bytes into messages and frames the answers, `commands` says what each command does, `pages` when it is
allowed; `setup` and `plan` hold a test, `running` plays it; `circuit` connects `smu`s to the device; `accuracy` and
`timing` are the numbers. Every choice the manuals leave open is a named field of `settings.Settings`.
"""

from .instrument import SimKeithley4200

__all__ = ["SimKeithley4200"]
