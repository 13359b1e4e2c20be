"""From an order to the program that a pump stores.

Volumes are rounded to whole steps to the safe side: contents, boluses and caps down, alarm levels up. No bolus is so
fast that, with the largest basal, it would pass the pump's highest rate (R7): its rate is lowered here, exactly, and
the pump checks that it was.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from dosebench_protocol.tables import COUNT_MAX, THERAPY_FORMAT

from dosebench.profile.model import Profile
from dosebench.regimen.order import PatientBolus, Pattern, PeriodicBolus, Regimen
from dosebench.therapy.fractions import ProgramError, best_fraction, best_fraction_within, fit_fraction
from dosebench.therapy.program import WEEK, Cap, FlexStep, Program, Rate, TitrationStep


def build(regimen: Regimen, profile: Profile) -> Program:
    """The program of a complete regimen on a pump of that profile.

    The regimen is taken as it is; whether it is a good idea is what `dosebench.regimen.check` says.

    Raises:
        ProgramError: A figure cannot be written in the numbers that the pump has.
    """
    step_nl = profile.delivery.step_volume
    limit = bolus_rate_limit(regimen, profile)
    rates = rate_table(regimen, profile)
    number = {rate: at for at, rate in enumerate(rates)}
    return Program(
        format=THERAPY_FORMAT,
        therapy_id=regimen.therapy_id(),
        drug=regimen.drug.encode(),
        **_pair("step_ng", fit_fraction(step_nl * regimen.concentration)),
        **_pair("step_nl", step_nl),
        mode=regimen.mode,
        **_pair("basal", best_fraction(profile.count_steps(regimen.basal))),
        **_pair("minimum", best_fraction(profile.count_steps(regimen.minimum))),
        **_reservoir(regimen, profile),
        on_cap=regimen.on_cap,
        **_clinician(regimen, profile, limit),
        **_patient(regimen.patient, profile, limit),
        **_periodic(regimen.periodic, profile, limit),
        **_priming(regimen, profile),
        **_bridge(regimen, profile),
        change_permille_max=regimen.change_permille,
        weekdays=weekdays(regimen.patterns),
        caps=tuple(Cap(cap.minutes, _count(math.floor(cap.ng))) for cap in regimen.caps),
        rates=tuple(Rate.from_fraction(rate) for rate in rates),
        flex=tuple(
            FlexStep(at, step.minute, number[_fraction(step.rate, profile)])
            for at, pattern in enumerate(regimen.patterns)
            for step in pattern.steps
        ),
        titration=tuple(TitrationStep(step.day, number[_fraction(step.rate, profile)]) for step in regimen.ramp),
    )


def rate_table(regimen: Regimen, profile: Profile) -> list[Fraction]:
    """The different rates of day patterns and titration, in order of their first use, in steps per ms."""
    rates = [step.rate for pattern in regimen.patterns for step in pattern.steps]
    rates += [step.rate for step in regimen.ramp]
    return list(dict.fromkeys(_fraction(rate, profile) for rate in rates))


def bolus_rate_limit(regimen: Regimen, profile: Profile) -> Fraction:
    """What the pump's highest rate leaves for a bolus on top of the largest basal, in steps per ms (R7).

    The basal is the largest of what the mode, the fallback and the bridge may run at, as the pump's fractions.
    """
    rates = [_fraction(regimen.basal, profile), _fraction(regimen.minimum, profile), *rate_table(regimen, profile)]
    rates += [_fraction(regimen.bridge.rate, profile)] if regimen.bridge else []
    return profile.count_steps(profile.delivery.rate_max) - max(rates)


def weekdays(patterns: tuple[Pattern, ...]) -> bytes:
    """Number of the pattern of Monday to Sunday; zero for a weekday that is in none."""
    numbers = bytearray(WEEK)
    for number, pattern in enumerate(patterns):
        for weekday in pattern.weekdays:
            numbers[weekday] = number
    return bytes(numbers)


def _reservoir(regimen: Regimen, profile: Profile) -> dict[str, Any]:
    return {
        "reservoir_steps": _count(math.floor(profile.count_steps(regimen.filled))),
        "low_steps": _count(math.ceil(profile.count_steps(regimen.low))),
        "empty_steps": _count(math.ceil(profile.count_steps(regimen.empty))),
        "stability_days": regimen.stability_days,
        "on_low": regimen.on_low,
    }


def _clinician(regimen: Regimen, profile: Profile, limit: Fraction) -> dict[str, Any]:
    steps = _count(math.floor(profile.count_steps(regimen.bolus_max)))
    rate = best_fraction_within(profile.count_steps(regimen.bolus_rate), limit) if steps else Fraction(0)
    return {
        "bolus_steps_max": steps,
        "square_steps_max": _count(math.floor(profile.count_steps(regimen.square_max))),
        **_pair("bolus", rate),
    }


def _patient(bolus: PatientBolus | None, profile: Profile, limit: Fraction) -> dict[str, Any]:
    if bolus is None:
        none = dict.fromkeys(("patient_steps", "patient_lockout_ms", "patient_per_day"), 0)
        return none | _pair("patient", Fraction(0))
    return {
        "patient_steps": _steps(bolus, profile),
        "patient_lockout_ms": bolus.lockout_ms,
        "patient_per_day": bolus.per_day,
        **_pair("patient", best_fraction_within(_asked(bolus, profile), limit)),
    }


def _periodic(bolus: PeriodicBolus | None, profile: Profile, limit: Fraction) -> dict[str, Any]:
    if bolus is None:
        return {"periodic_steps": 0, "periodic_ms": 0, **_pair("periodic", Fraction(0))}
    rate = best_fraction_within(_asked(bolus, profile), limit)
    return {"periodic_steps": _steps(bolus, profile), "periodic_ms": bolus.every_ms, **_pair("periodic", rate)}


def _steps(bolus: PatientBolus | PeriodicBolus, profile: Profile) -> int:
    return _count(math.floor(profile.count_steps(bolus.volume)))


def _asked(bolus: PatientBolus | PeriodicBolus | None, profile: Profile) -> Fraction:
    """The rate at which its whole steps take the time that was ordered."""
    return Fraction(_steps(bolus, profile), bolus.over_ms) if bolus else Fraction(0)


def _priming(regimen: Regimen, profile: Profile) -> dict[str, Any]:
    priming = regimen.priming
    steps = _count(math.floor(profile.count_steps(priming.volume))) if priming else 0
    rate = _fraction(priming.rate, profile) if priming else Fraction(0)
    return {"prime_steps_max": steps, "path_version": regimen.path_version, **_pair("prime", rate)}


def _bridge(regimen: Regimen, profile: Profile) -> dict[str, Any]:
    """The bridge in whole steps, rounded so that no more drug flows than was ordered."""
    bridge = regimen.bridge
    if bridge is None:
        return {"bridge_steps": 0, **_pair("bridge", Fraction(0)), **_pair("bridge_ng", Fraction(0))}
    whole = math.floor if regimen.concentration >= bridge.concentration else math.ceil
    return {
        "bridge_steps": _count(whole(profile.count_steps(bridge.volume))),
        **_pair("bridge", _fraction(bridge.rate, profile)),
        **_pair("bridge_ng", fit_fraction(profile.delivery.step_volume * bridge.concentration)),
    }


def _fraction(rate_nl: Fraction, profile: Profile) -> Fraction:
    return best_fraction(profile.count_steps(rate_nl))


def _pair(name: str, value: Fraction) -> dict[str, Any]:
    return {f"{name}_num": value.numerator, f"{name}_den": value.denominator}


def _count(value: int) -> int:
    if not 0 <= value <= COUNT_MAX:
        raise ProgramError(f"{value} is more than the pump can count ({COUNT_MAX})")
    return value
