"""The alarm table: how urgent each alarm is, what the pump does about it, how it ends, its cause and its remedy.

The names and numbers are those of `terms.Alarm`; the generator writes the traits that the firmware reads and the page
`docs/ALARMS.md` from this table, and hosts read it as it is. Nothing here imports construct.

Priorities follow IEC 60601-1-8 (R40): high asks for a person at once, medium soon, low when it suits. The tone follows
from the priority (R41): high is critical, two tones; the others are non-critical, one tone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Priority = Literal["low", "medium", "high"]
Effect = Literal["none", "fallback", "block", "halt", "safe"]

EFFECTS: Final[Mapping[str, str]] = {
    "none": "delivery goes on",
    "fallback": "delivery goes on, at the rate that the therapy names for this case",
    "block": "delivery that runs goes on; a start is refused",
    "halt": "delivery stops after the running step and does not start while the cause is there",
    "safe": "delivery stops at once; the pump waits in its safe state until a person clears the alarm",
}
"""What the pump does while an alarm is on, in increasing order of strength."""


@dataclass(frozen=True, slots=True)
class AlarmPlan:
    """One row of the table.

    Attributes:
        priority: How urgent it is when it begins.
        effect: What the pump does while it is on.
        needs_clearing: Whether it stays on until a person clears it; others end with their cause.
        cause, remedy: One sentence each.
        rules: Ids of the requirements that it comes from.
        escalates: Priority that it takes when it has been on for as long as the profile says, or None.
    """

    priority: Priority
    effect: Effect
    needs_clearing: bool
    cause: str
    remedy: str
    rules: tuple[str, ...]
    escalates: Priority | None = None


ALARMS: Final[Mapping[str, AlarmPlan]] = {
    "reservoir_low": AlarmPlan(
        "low",
        "fallback",
        False,
        "The reservoir holds no more than the low level of the therapy.",
        "Refill it, and say so with `dosebench refill`.",
        ("R21",),
    ),
    "reservoir_empty": AlarmPlan(
        "high",
        "halt",
        False,
        "The reservoir holds no more than the empty level of the therapy.",
        "Refill it, say so with `dosebench refill`, and start delivery.",
        ("R21",),
    ),
    "motor_stall": AlarmPlan(
        "high",
        "safe",
        True,
        "The encoder saw fewer steps than the motor was told to make: it stalls or slips.",
        "Look at motor, driver and pump head; then clear the alarm and start delivery.",
        ("R46",),
    ),
    "motor_runaway": AlarmPlan(
        "high",
        "safe",
        True,
        "The encoder saw motion that nothing commanded, or motion backwards.",
        "Look at the driver and its wiring; then clear the alarm and start delivery.",
        ("R11", "R46"),
    ),
    "therapy_lost": AlarmPlan(
        "high",
        "safe",
        True,
        "The flash holds no valid copy of the therapy that was committed last.",
        "Program the pump again; then clear the alarm and start delivery.",
        ("R53",),
    ),
    "journal_damaged": AlarmPlan(
        "medium",
        "none",
        True,
        "Records of the journal are not what was written.",
        "Pull the log, look at the flash, and clear the alarm; if it comes again, replace the board.",
        ("R55",),
    ),
    "dose_cap": AlarmPlan(
        "medium",
        "fallback",
        True,
        "A dose did not fit into one of the rolling windows.",
        "Look at `dosebench status` for the room in each window; clear the alarm for the programmed rate.",
        ("R5", "R6"),
    ),
    "clock_unknown": AlarmPlan(
        "low",
        "none",
        False,
        "The local time was lost with the power; flex patterns wait at the minimum rate.",
        "Set the clock with `dosebench clock`.",
        ("R58",),
    ),
    "guard_disagrees": AlarmPlan(
        "high",
        "safe",
        True,
        "Scheduler and dose guard disagree about what may move, or what one of them keeps in RAM fails its check.",
        "Pull the log and reset the board; if it comes again, replace the board.",
        ("R56", "R57"),
    ),
    "battery_low": AlarmPlan(
        "medium",
        "none",
        False,
        "The battery is near the level at which delivery stops.",
        "Replace or charge the battery, or check the bench supply.",
        ("R32",),
    ),
    "missed_volume": AlarmPlan(
        "low",
        "none",
        True,
        "Volume that was due was not delivered; it is never caught up.",
        "Look at `dosebench status` for how much, and clear the alarm.",
        ("R15",),
    ),
    "flash_failed": AlarmPlan(
        "high",
        "safe",
        True,
        "The flash did not take what was written.",
        "Replace the board.",
        ("R53", "R55"),
    ),
    "reservoir_disagrees": AlarmPlan(
        "high",
        "none",
        True,
        "The measured content of the reservoir is not what the steps say.",
        "Measure the reservoir, look for a leak or a wrong step volume, say what it holds with `dosebench refill`.",
        ("R20",),
    ),
    "occlusion": AlarmPlan(
        "high",
        "safe",
        True,
        "The pressure in the catheter rises with each step, or is above its limit: the fluid does not leave.",
        "Free the catheter, mind the bolus that comes with the release, clear the alarm and start delivery.",
        ("R10", "R45"),
    ),
    "leak": AlarmPlan(
        "medium",
        "none",
        True,
        "Steps raise the pressure less than they should: the catheter leaks, is off, or holds air.",
        "Look at the catheter and its connector, then clear the alarm.",
        ("R45",),
    ),
    "free_flow": AlarmPlan(
        "high",
        "safe",
        True,
        "Fluid flows that no step moved.",
        "Clamp the line, look at pump head and valve; then clear the alarm and start delivery.",
        ("R2",),
    ),
    "over_infusion": AlarmPlan(
        "high",
        "fallback",
        True,
        "The measured flow was more than a tenth above the commanded one for a quarter of an hour.",
        "Check the step volume (calibration) and the flow sensor; clear the alarm for the programmed rate.",
        ("R2",),
    ),
    "under_infusion": AlarmPlan(
        "medium",
        "none",
        True,
        "The measured flow was less than nine tenths of the commanded one for a quarter of an hour.",
        "Look for a partial occlusion or a worn pump head, check the flow sensor; then clear the alarm.",
        ("R3",),
    ),
    "air": AlarmPlan(
        "high",
        "safe",
        True,
        "The detector sees air in the line.",
        "Remove the air, prime, clear the alarm and start delivery.",
        ("R45",),
    ),
    "over_temperature": AlarmPlan(
        "high",
        "safe",
        True,
        "The pump is hotter than its limit.",
        "Let it cool down, find the source of the heat; then clear the alarm and start delivery.",
        ("R47",),
    ),
    "sensor_fault": AlarmPlan(
        "medium",
        "none",
        True,
        "A sensor is open, shorted or stuck; what it watches is not watched.",
        "`dosebench sensors` names it: mend its wiring or replace it, then clear the alarm.",
        ("R47",),
    ),
    "elective_replacement": AlarmPlan(
        "medium",
        "none",
        True,
        "The battery has reached the level for its elective replacement; service ends 90 days later.",
        "Plan the replacement of the pump.",
        ("R31",),
    ),
    "battery_empty": AlarmPlan(
        "high",
        "halt",
        False,
        "The battery cannot carry the motor safely any more.",
        "Replace the battery, or the pump.",
        ("R32",),
    ),
    "end_of_service": AlarmPlan(
        "high",
        "halt",
        True,
        "The service life has ended: 90 days after the elective replacement indicator, or at its cap from implant.",
        "Replace the pump and carry the therapy over.",
        ("R31",),
    ),
    "pump_stopped": AlarmPlan(
        "low",
        "none",
        False,
        "The pump has a therapy and has been stopped for long.",
        "Start delivery, or leave it stopped on purpose: the alarm ends with the start.",
        ("R43",),
        escalates="high",
    ),
    "alarm_repeated": AlarmPlan(
        "high",
        "safe",
        True,
        "The same alarm stopped delivery three times within ten minutes.",
        "Find the cause before the next start; then clear the alarm.",
        ("R44",),
    ),
    "resets_repeated": AlarmPlan(
        "high",
        "safe",
        True,
        "The board was reset again and again within ten minutes; each reset may lose a slice of the basal.",
        "Check supply and wiring, pull the log; then clear the alarm and start delivery.",
        ("R58",),
    ),
    "selftest_failed": AlarmPlan(
        "high",
        "safe",
        True,
        "A self-test failed.",
        "`dosebench selftest` names it; after the cause is put right reset the board, clear the alarm and start.",
        ("R50", "R51"),
    ),
    "refill_mismatch": AlarmPlan(
        "high",
        "block",
        True,
        "At a refill the withdrawn volume was not what the steps say: too much or too little was delivered.",
        "Find out which before the next start; then clear the alarm.",
        ("R23", "R24"),
    ),
    "therapy_unfit": AlarmPlan(
        "high",
        "halt",
        False,
        "The therapy was made for other settings of the pump than it has now, such as another step volume.",
        "Program the pump again from the regimen, for its new settings, and start delivery.",
        ("R13", "R53"),
    ),
}
"""Every alarm by name, in order of its number; the first has 1."""


TRAITS: Final[Mapping[str, int]] = {
    "SAFE": 1,
    "HALT": 2,
    "BLOCK": 4,
    "ESCALATES": 8,
    "PRIORITY": 0x30,
    "FALLBACK": 0x40,
    "NEEDS_CLEARING": 0x80,
}
"""Bits of the byte that the firmware has for each alarm: its effect, whether it becomes more urgent, its priority (1
low to 3 high, shifted by `PRIORITY_SHIFT`), and whether it stays on until a person clears it. The effects of all alarms
that are on, combined by OR, say what the pump does."""

PRIORITY_SHIFT: Final = 4


def traits_of(plan: AlarmPlan) -> int:
    """The traits of one alarm as the firmware has them."""
    traits = (1 + PRIORITIES[::-1].index(plan.priority)) << PRIORITY_SHIFT
    traits |= TRAITS.get(plan.effect.upper(), 0)
    traits |= TRAITS["ESCALATES"] if plan.escalates else 0
    return traits | (TRAITS["NEEDS_CLEARING"] if plan.needs_clearing else 0)


def trait_bytes() -> bytes:
    """The traits of all alarms by number; number 0 is no alarm and has none."""
    return bytes([0, *map(traits_of, ALARMS.values())])


PRIORITIES: Final[tuple[Priority, ...]] = ("high", "medium", "low")
"""From the most urgent on."""


def ordered(names: Collection[str]) -> list[str]:
    """Alarms by name, the most urgent first; those that this table does not know come before all."""
    order = {name: (1 + PRIORITIES.index(row.priority), at) for at, (name, row) in enumerate(ALARMS.items())}
    return sorted(names, key=lambda name: order.get(name, (0, 0)))
