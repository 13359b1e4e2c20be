"""What the fields of a journal record mean, by kind: the part of the schema that `construct` does not express.

Numbers in `a` to `e` are u32. A host id there is its 4 raw bytes read little-endian; so is the head of a program hash.
`role` is that of the session that a command came in, `none` of a stop without a session. The generator reads this
module; hosts read what it wrote, through `records`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

STAGE_DROP: Final[Mapping[str, int]] = {"new_stage": 0, "timeout": 1, "abort": 2, "reset": 3}
"""Why a staged therapy was dropped: `code` of a `stage_dropped` record."""


@dataclass(frozen=True, slots=True)
class KindPlan:
    """Names of the fields of one record kind; None where a field is unused (zero).

    Attributes:
        code: Name of `code`.
        numbers: Names of `a` to `e`.
        doc: One sentence for the protocol page.
    """

    code: str | None
    numbers: tuple[str | None, str | None, str | None, str | None, str | None]
    doc: str


def _plan(names: str, doc: str) -> KindPlan:
    code, a, b, c, d, e = (None if name == "-" else name for name in names.split())
    return KindPlan(code, (a, b, c, d, e), doc)


KINDS: Final[Mapping[str, KindPlan]] = {
    "boot": _plan("reset_cause boot_count low_steps high_steps firmware records_voided", "The firmware started."),
    "lease": _plan(
        "titration_day low_steps high_steps allowance_steps missed_steps reservoir_steps",
        "Steps that may be moved from now on.",
    ),
    "close": _plan(
        "stop_reason low_steps high_steps - missed_steps reservoir_steps", "Delivery ended, no lease is open."
    ),
    "start": _plan("role host counter - low_steps high_steps", "Delivery was started."),
    "stop": _plan("role host counter - low_steps high_steps", "Delivery was stopped."),
    "bolus": _plan("role host counter steps low_steps allowance_steps", "A bolus was accepted, with its lease."),
    "bolus_end": _plan("kind low_steps high_steps delivered_steps asked_steps -", "A bolus ended."),
    "patient_bolus": _plan(
        "role host counter steps low_steps allowance_steps", "A patient bolus began, with its lease."
    ),
    "periodic_bolus": _plan(
        "- low_steps high_steps steps allowance_steps -", "A periodic bolus began, with its lease."
    ),
    "square": _plan("role host counter steps duration_ms allowance_steps", "A square bolus began, with its lease."),
    "square_end": _plan("- low_steps high_steps delivered_steps asked_steps -", "A square bolus ended."),
    "square_cancel": _plan(
        "role host counter steps_not_delivered low_steps high_steps", "A square bolus was cancelled."
    ),
    "prime_arm": _plan("role host counter steps path_version low_steps", "A priming bolus was armed."),
    "prime": _plan("role host counter steps path_version allowance_steps", "A priming bolus began, with its lease."),
    "patency": _plan(
        "role host counter steps step_every_ms allowance_steps", "The test volume of a patency check, with its lease."
    ),
    "bolus_cancel": _plan("role host counter steps_not_delivered low_steps high_steps", "A bolus was cancelled."),
    "refill": _plan("role host counter steps low_steps high_steps", "The reservoir holds so much from now on."),
    "refill_check": _plan(
        "flag expected_steps withdrawn_steps delivered_low_steps delivered_high_steps ratio_permille",
        "Before a refill: withdrawn against expected volume, and delivery by it over delivery by steps.",
    ),
    "commit": _plan("role host counter generation program_hash_head high_steps", "A therapy came into force."),
    "stage_dropped": _plan("drop received_bytes length_bytes - - -", "A staged therapy was dropped."),
    "worth": _plan(
        "period_begins step_ng_num step_ng_den old_ng_num old_ng_den bridge_steps",
        "What a step holds, and held before the commit.",
    ),
    "clock": _plan("role host counter local_days local_ms -", "The local calendar was set."),
    "implant": _plan("role host counter implant_days low_steps high_steps", "The date of implant was stated."),
    "calibration": _plan(
        "carried_on step_nl_num step_nl_den old_nl_num old_nl_den reservoir_steps",
        "A step has another volume since this boot, and the content is counted in the new ones; also carried on.",
    ),
    "alarm_raised": _plan("priority raised alarms detail - -", "An alarm was raised, or became urgent."),
    "alarm_cleared": _plan("role host counter cleared low_steps high_steps", "Alarms were cleared."),
    "missed": _plan("- missed_now_steps missed_steps - - -", "Steps that were due were not made."),
    "torn": _plan("- slots_voided - - - -", "Records torn by a power cut were voided."),
    "alarm_ended": _plan("- ended alarms - - -", "Alarms ended by themselves: their cause is gone."),
    "silence": _plan("role host counter silence_ms low_steps high_steps", "The tones of the alarms were silenced."),
    "watchdog_test": _plan("- timeout_ms - - - -", "The watchdog is armed, and must bite before the next record."),
    "selftest": _plan("- failed detail passed - -", "A self-test failed: bits of the tests, by number."),
    "service": _plan(
        "- replacement_day replacement_ms replacement_local_days implant_days battery_mv",
        "The elective replacement indicator came on, at this pump time; also carried on, with the date of implant.",
    ),
    "refused": _plan("reason host counter message low_steps high_steps", "A command was refused."),
    "distrusted": _plan(
        "- bad_tags replays sessionless - -", "Frames that were not trusted since the last such record; one an hour."
    ),
    "counter_floor": _plan(
        "- counter - - - -", "No host that the pump has forgotten is obeyed up to this counter; carried on."
    ),
    "state": _plan(
        "stop_reason+running low_steps high_steps generation alarms reservoir_steps", "What the pump is at, whole."
    ),
    "host": _plan(
        "reason host counter accepted low_steps high_steps", "Newest command of a host, carried on (firmware 0.2)."
    ),
    "host_done": _plan(
        "message host counter accepted low_steps high_steps", "Newest command of a host, carried on: it was done."
    ),
    "host_refused": _plan(
        "reason host counter message low_steps high_steps", "Newest command of a host, carried on: it was refused."
    ),
    "calendar": _plan(
        "clock_known local_days local_ms pattern_lag_ms fault_records commit_unsure_steps",
        "What the calendar shows at this record, how many faults were recorded so far, and how far apart the bounds of "
        "the delivered steps were at the commit.",
    ),
    "mended": _plan("copy generation - - - -", "A damaged copy of the therapy was written anew from the other one."),
    "identity": _plan(
        "kind boot_count program_hash_head bolus_left_steps clock_known commit_high_steps",
        "More of what the pump is at: therapy, clock, open bolus.",
    ),
    "windows": _plan("- first_ng second_ng third_ng fourth_ng square_left_steps", "Drug in the windows of the caps."),
    "filled": _plan(
        "- content_steps low_steps high_steps filled_day -", "What the last refill left, carried on."
    ),
    "patient_times": _plan(
        "place first_age_ms second_age_ms third_age_ms fourth_age_ms fifth_age_ms", "How long ago patient boluses were."
    ),
}
"""Every record kind by name."""
