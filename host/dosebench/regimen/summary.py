"""The figures of a check as JSON values: all keys are always there, unknown figures are None.

`docs/REGIMEN.md` lists the keys.
"""

from __future__ import annotations

import datetime
import math
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from dosebench.base import units
from dosebench.base.toml_file import Problem, format_key
from dosebench.base.units import DAY_MINUTES, DAY_MS, HOUR_MS
from dosebench.regimen.check import CheckResult
from dosebench.regimen.facts import CAP_RULE, HOUR_MINUTES, Facts
from dosebench.regimen.schema import WEEKDAYS
from dosebench.therapy import energy
from dosebench.therapy import program as pump_program
from dosebench.therapy.fractions import rounding_steps
from dosebench.therapy.program import Program
from dosebench.therapy.reading import reading_json


def summarize_check(result: CheckResult) -> dict[str, Any]:
    """Returns the result of a check as JSON values under stable keys, unknown figures as None (`docs/REGIMEN.md`)."""
    return {
        "file": result.file,
        "ok": result.ok,
        **_summarize_figures(result.facts, result.program),
        "errors": [_problem_json(problem) for problem in result.errors],
        "warnings": [_problem_json(problem) | {"needs_confirm": problem.needs_confirm} for problem in result.warnings],
    }


def _summarize_figures(facts: Facts | None, program: Program | None) -> dict[str, Any]:
    """The figures of the JSON output."""
    content = facts.document.content if facts else None
    return {
        "title": content.title if content else None,
        "profile": content.profile if content else None,
        "drug": content.drug.name if content else None,
        "mode": content.therapy.mode if content else None,
        "concentration_ug_per_ml": _to_number(facts.concentration if facts else None, "ug/mL"),
        "diluted": facts.diluted if facts else None,
        "daily_dose_ug": _to_number(facts.daily_ng if facts else None, "ug"),
        "daily_volume_ml": _to_number(facts.daily_nl if facts else None, "mL"),
        "weekly_dose_ug": _to_number(facts.weekly_ng if facts else None, "ug"),
        "largest_hour_ug": _to_number(_largest_hour(facts), "ug"),
        "bolus_max_ug": _to_number(facts.bolus_ng if facts else None, "ug"),
        "square_bolus_max_ug": _daily_dose(facts, facts.boluses.square_nl if facts else None),
        "patient_bolus": _summarize_patient(facts, program),
        "periodic_bolus": _summarize_periodic(facts, program),
        "priming_ml": _to_number(facts.boluses.priming.volume, "mL") if facts and facts.boluses.priming else None,
        "bridge": _summarize_bridge(facts),
        "patterns": _summarize_patterns(facts),
        "titration": _summarize_titration(facts),
        "refill": _summarize_refill(facts),
        "battery": _summarize_battery(facts, program),
        "limits": _summarize_limits(facts),
        "rates": _summarize_rates(program),
        "rounding_steps_10y": _worst_rounding(facts),
        "rounding": _summarize_rounding(facts),
        "change": _summarize_change(facts),
        "therapy_id": program.therapy_id.hex() if program else None,
        "program_hash": program.program_hash().hex() if program else None,
        "reading": _summarize_reading(program),
    }


def _to_number(value: Fraction | None, unit: str) -> float | None:
    return None if value is None else float(units.in_unit(value, unit))


def _daily_dose(facts: Facts | None, volume: Fraction | None) -> float | None:
    if facts is None or volume is None or facts.concentration is None:
        return None
    return _to_number(volume * facts.concentration, "ug")


def _largest_hour(facts: Facts | None) -> Fraction | None:
    """An hour of the largest basal rate, in ng."""
    if facts is None or None in [rate.ng for rate in facts.basal.rates] or facts.basal.day_ng is None:
        return None
    return HOUR_MS * max((rate.ng for rate in facts.basal.rates if rate.ng is not None), default=Fraction(0))


# Boluses


def _summarize_patient(facts: Facts | None, program: Program | None) -> dict[str, Any] | None:
    bolus = facts.boluses.patient if facts else None
    if facts is None or bolus is None:
        return None
    return {
        "dose_ug": _daily_dose(facts, bolus.volume),
        "takes_s": _bolus_minutes(program.patient_steps, program.patient_rate) if program else None,
        "lockout_s": bolus.lockout_ms / 1000,
        "per_day": bolus.per_day,
        "daily_ug": _daily_dose(facts, facts.boluses.patient_day_nl),
    }


def _summarize_periodic(facts: Facts | None, program: Program | None) -> dict[str, Any] | None:
    bolus = facts.boluses.periodic if facts else None
    if facts is None or bolus is None:
        return None
    return {
        "dose_ug": _daily_dose(facts, bolus.volume),
        "takes_s": _bolus_minutes(program.periodic_steps, program.periodic_rate) if program else None,
        "every_s": bolus.every_ms / 1000,
        "per_day": DAY_MS // bolus.every_ms,
        "daily_ug": _daily_dose(facts, facts.boluses.periodic_day_nl),
    }


def _bolus_minutes(steps: int, rate: Fraction) -> float:
    return float(steps / rate / 1000)


def _summarize_bridge(facts: Facts | None) -> dict[str, Any] | None:
    bridge = facts.bridge if facts else None
    if bridge is None:
        return None
    return {
        "volume_ml": _to_number(bridge.volume, "mL"),
        "previous_concentration_ug_per_ml": _to_number(bridge.concentration, "ug/mL"),
        "previous_drug_ug": _to_number(bridge.volume * bridge.concentration, "ug"),
        "rate_ml_per_day": _to_number(bridge.rate, "mL/day"),
        "hours": _to_number(bridge.volume / bridge.rate, "h"),
    }


# Basal


def _summarize_patterns(facts: Facts | None) -> list[dict[str, Any]] | None:
    """Day patterns with their daily dose; None in other modes and where one is wrong."""
    if facts is None or not facts.basal.patterns or facts.concentration is None:
        return None
    names = [table.name for table in facts.document.content.therapy.pattern or []]
    rows = []
    for name, pattern in zip(names, facts.basal.patterns, strict=True):
        ends = [step.minute for step in pattern.steps[1:]] + [DAY_MINUTES]
        spans = zip(pattern.steps, ends, strict=True)
        volume = sum((step.rate * (end - step.minute) * units.MINUTE_MS for step, end in spans), Fraction(0))
        steps = [
            {"at": f"{step.minute // 60:02}:{step.minute % 60:02}", "rate_ug_per_h": _hourly_dose(facts, step.rate)}
            for step in pattern.steps
        ]
        days = [WEEKDAYS[day] for day in pattern.weekdays]
        rows.append({"name": name, "days": days, "daily_dose_ug": _daily_dose(facts, volume), "steps": steps})
    return rows


def _hourly_dose(facts: Facts, rate: Fraction) -> float | None:
    return _daily_dose(facts, rate * HOUR_MS)


def _summarize_titration(facts: Facts | None) -> list[dict[str, Any]] | None:
    if facts is None or not facts.basal.ramp:
        return None
    return [
        {"after_days": step.day, "daily_dose_ug": _daily_dose(facts, step.rate * DAY_MS)} for step in facts.basal.ramp
    ]


# Reservoir and limits


def _summarize_refill(facts: Facts | None) -> dict[str, Any]:
    """When the reservoir must be refilled (R22): days from the filling, each rounded down to a tenth."""
    volume = _days_to_level(facts, facts.low if facts else None)
    stability = facts.stability_days if facts else 0
    due, limit = pump_program.estimate_refill(volume, stability)
    return {
        "due_days": _floor_tenth(due) if facts else None,
        "due_days_by_volume": _floor_tenth(volume),
        "limited_by": limit if facts else None,
        "stability_days": stability or None,
        "empty_days": _floor_tenth(_days_to_level(facts, facts.empty if facts else None)),
    }


def _days_to_level(facts: Facts | None, level: Fraction | None) -> Fraction | None:
    if facts is None or not facts.most_daily_nl or facts.filled is None or level is None:
        return None
    return max((facts.filled - level) / facts.most_daily_nl, Fraction(0))


def _floor_tenth(days: Fraction | None) -> float | None:
    return None if days is None else math.floor(days * 10) / 10


def _summarize_battery(facts: Facts | None, program: Program | None) -> dict[str, Any] | None:
    """How long a fresh battery lasts on this therapy, every patient bolus taken (R33), and when service ends (R31)."""
    if facts is None or facts.profile is None or program is None:
        return None
    expected = energy.estimate_life(facts.profile, energy.usage_of(facts.profile, program))
    today = datetime.date.today()
    ends = energy.estimate_service(facts.profile, expected, energy.BatteryState.fresh_battery(today))
    return {
        "years_to_low": round(expected.years_to_low, 2),
        "uah_per_day": round(expected.day_uah, 1),
        "service_years": facts.profile.energy.service_years,
        "low_date": ends.low.isoformat(),
        "service_ends": ends.ends.isoformat(),
        "limited_by": ends.limited_by,
        "shares": {name: round(share, 4) for name, share in expected.shares.items()},
    }


def _summarize_limits(facts: Facts | None) -> dict[str, Any]:
    caps = facts.caps if facts else ()
    defaults = [cap.minutes for cap in caps if cap.key is None]
    return {
        "per_hour_ug": _to_number(facts.cap_ng(HOUR_MINUTES) if facts else None, "ug"),
        "per_day_ug": _to_number(facts.cap_ng(DAY_MINUTES) if facts else None, "ug"),
        "per_hour_is_default": not facts or HOUR_MINUTES in defaults,
        "per_day_is_default": not facts or DAY_MINUTES in defaults,
        "default_rule": CAP_RULE,
        "caps": [{"minutes": cap.minutes, "dose_ug": _to_number(cap.ng, "ug")} for cap in caps],
        "on_low": facts.on_low if facts else None,
        "on_cap": facts.on_cap if facts else None,
    }


# Fractions


def _summarize_rates(program: Program | None) -> dict[str, Any] | None:
    """The fractions of the program, in steps per millisecond; 0/1 of a rate that it does not use, where it has 0/0."""
    if program is None:
        return None
    rates: dict[str, Any] = {
        name: {"num": getattr(program, f"{name}_num"), "den": getattr(program, f"{name}_den") or 1}
        for name in ("basal", "minimum", "bolus", "patient", "periodic", "prime", "bridge")
    }
    return rates | {"table": [asdict(rate) for rate in program.rates]}


def _summarize_rounding(facts: Facts | None) -> list[dict[str, Any]] | None:
    """What the pump's fraction of each basal rate gains, or loses, in ten years of nothing else."""
    if facts is None or facts.profile is None:
        return None
    rows = []
    for rate in facts.basal.rates:
        fraction = facts.fraction_of(rate.nl) if rate.nl is not None else None
        if rate.nl is not None and fraction is not None:
            steps = rounding_steps(facts.profile.count_steps(rate.nl), fraction)
            rows.append({"key": format_key(rate.key), "steps_10y": float(steps)})
    return rows


def _worst_rounding(facts: Facts | None) -> float | None:
    """The largest of `check_rounding` either way."""
    if facts is None or facts.rate is None or facts.profile is None:
        return None
    return max((row["steps_10y"] for row in _summarize_rounding(facts) or []), key=abs, default=0.0)


def _summarize_change(facts: Facts | None) -> dict[str, Any] | None:
    if facts is None or facts.previous is None:
        return None
    old, new = facts.previous.daily_ng, facts.daily_ng
    return {
        "previous_drug": facts.previous.drug,
        "previous_daily_dose_ug": _to_number(old, "ug"),
        "ratio": float(new / old) if new is not None and old else None,
    }


def _summarize_reading(program: Program | None) -> dict[str, Any] | None:
    return None if program is None else reading_json(program.expected_reading())


def _problem_json(problem: Problem) -> dict[str, Any]:
    return {"key": problem.key, "line": problem.line, "message": problem.message, "code": problem.code}
