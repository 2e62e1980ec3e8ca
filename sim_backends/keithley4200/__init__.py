"""A simulated Keithley 4200-SCS that speaks KXCI: its SMUs and its pulse cards, in bytes and virtual time.

`instrument` cuts bytes into messages and frames the answers, `commands` says what each command does, `pages` when it is
allowed; `setup` and `plan` hold a test, `running` plays it; `circuit` connects `smu`s to the device; `accuracy` and
`timing` are the numbers. The 4225-PMU: `pulse_commands` write down what `pulse_setup` holds; at ``:PMU:EXECUTE`` `pulse_card`
lets `standard_rules` or `segment_rules` check it and `standard_course` or `segment_course` play it (`pulse_running`), cut into
dwells by `pulse_waveform`; `pulse_line` is a channel with the meters of `pulse_meter`; `routing` says what is on the cell.
`library_modules` do the same for an old 4200-SCS. Every choice the manuals leave open is a named field of `settings.Settings`.

What a client may trip over:

* A reading is a mean over the integration time (`circuit`, setting integration_parts); one that outgrows its autorange
  meanwhile is taken again on the next (`running`).
* Outputs of user mode stay on over a change of page; a test switches off those without a part in it (setting left_on).
  ``*RST`` and a device clear switch all off. `SimKeithley4200.outputs` tells which are on, the truth record what the cell got.
* ``RI``, ``RV`` and ``RG`` work at once, also under an output that is on (`smu`); whether ``RG`` ends ``RI`` is a setting.
* A linear sweep ends at the level nearest to its stop, which may be half a step beyond it (`labctl.kxci.ranges.linear_count`).
* A pulse channel whose other end is neither on nor grounded drives nothing: hold the second channel, or an SMU, at 0 V.
* A sample on a ramp shows what the cell conducts at that moment; current that only charges it is not in it.
* Switching off a channel that is not there (bare ``CHn``, ``VSn``, ``VMn``, ``SCn``, ``DSn``) is harmless; defining it is not.
"""

from .instrument import SimKeithley4200

__all__ = ["SimKeithley4200"]
