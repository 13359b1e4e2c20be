"""From an order to the program that a pump stores.

Volumes are rounded to whole steps to the safe side: contents, boluses and caps down, alarm levels up. No bolus is so
fast that, with the largest basal, it would pass the pump's highest rate (R7): its rate is lowered here, exactly, and
the pump checks that it was.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from dosebench_protocol.tables import COUNT_MAX, PROGRAM_FORMAT

from dosebench.profile.model import Profile
from dosebench.regimen.order import Order, PatientBolus, Pattern, PeriodicBolus
from dosebench.therapy.fractions import ProgramError, best_fraction, best_fraction_within, fit_fraction
from dosebench.therapy.program import WEEK, Cap, Drug, FlexStep, Program, Rate, TitrationStep


def compile_order(order: Order, profile: Profile) -> Program:
    """The program of a complete order on a pump of that profile.

    The order is taken as it is; whether it is a good idea is what `dosebench.regimen.check` says.

    Raises:
        ProgramError: A figure cannot be written in the numbers that the pump has.
    """
    step_nl = profile.delivery.step_volume
    limit = bolus_rate_limit(order, profile)
    rates = rate_table(order, profile)
    number = {rate: at for at, rate in enumerate(rates)}
    return Program(
        format=PROGRAM_FORMAT,
        therapy_id=order.therapy_id(),
        drugs=(_compile_drug(order, profile),),
        **_fraction_fields("step_nl", step_nl),
        mode=order.mode,
        **_fraction_fields("basal", best_fraction(profile.count_steps(order.basal))),
        **_fraction_fields("minimum", best_fraction(profile.count_steps(order.minimum))),
        **_reservoir_fields(order, profile),
        on_cap=order.on_cap,
        **_clinician_fields(order, profile, limit),
        **_patient_fields(order.patient, profile, limit),
        **_periodic_fields(order.periodic, profile, limit),
        **_priming_fields(order, profile),
        **_bridge_fields(order, profile),
        change_permille_max=order.change_permille,
        weekdays=encode_weekdays(order.patterns),
        caps=tuple(Cap(cap.minutes, _check_count(math.floor(cap.ng))) for cap in order.caps),
        rates=tuple(Rate.from_fraction(rate) for rate in rates),
        flex=tuple(
            FlexStep(at, step.minute, number[_step_fraction(step.rate, profile)])
            for at, pattern in enumerate(order.patterns)
            for step in pattern.steps
        ),
        titration=tuple(TitrationStep(step.day, number[_step_fraction(step.rate, profile)]) for step in order.ramp),
    )


def _compile_drug(order: Order, profile: Profile) -> Drug:
    step_nl = profile.delivery.step_volume
    before = fit_fraction(step_nl * order.bridge.concentration) if order.bridge else Fraction(0)
    return Drug(
        name=order.drug.encode(),
        **_fraction_fields("step_ng", fit_fraction(step_nl * order.concentration)),
        **_fraction_fields("bridge_ng", before),
    )


def rate_table(order: Order, profile: Profile) -> list[Fraction]:
    """The different rates of day patterns and titration, in order of their first use, in steps per ms."""
    rates = [step.rate for pattern in order.patterns for step in pattern.steps]
    rates += [step.rate for step in order.ramp]
    return list(dict.fromkeys(_step_fraction(rate, profile) for rate in rates))


def bolus_rate_limit(order: Order, profile: Profile) -> Fraction:
    """What the pump's highest rate leaves for a bolus on top of the largest basal, in steps per ms (R7).

    The basal is the largest of what the mode, the fallback and the bridge may run at, as the pump's fractions.
    """
    rates = [_step_fraction(order.basal, profile), _step_fraction(order.minimum, profile), *rate_table(order, profile)]
    rates += [_step_fraction(order.bridge.rate, profile)] if order.bridge else []
    return profile.count_steps(profile.delivery.rate_max) - max(rates)


def encode_weekdays(patterns: tuple[Pattern, ...]) -> bytes:
    """Number of the pattern of Monday to Sunday; zero for a weekday that is in none."""
    numbers = bytearray(WEEK)
    for number, pattern in enumerate(patterns):
        for weekday in pattern.weekdays:
            numbers[weekday] = number
    return bytes(numbers)


def _reservoir_fields(order: Order, profile: Profile) -> dict[str, Any]:
    return {
        "reservoir_steps": _check_count(math.floor(profile.count_steps(order.filled))),
        "low_steps": _check_count(math.ceil(profile.count_steps(order.low))),
        "empty_steps": _check_count(math.ceil(profile.count_steps(order.empty))),
        "stability_days": order.stability_days,
        "on_low": order.on_low,
    }


def _clinician_fields(order: Order, profile: Profile, limit: Fraction) -> dict[str, Any]:
    steps = _check_count(math.floor(profile.count_steps(order.bolus_max)))
    rate = best_fraction_within(profile.count_steps(order.bolus_rate), limit) if steps else Fraction(0)
    return {
        "bolus_steps_max": steps,
        "square_steps_max": _check_count(math.floor(profile.count_steps(order.square_max))),
        **_fraction_fields("bolus", rate),
    }


def _patient_fields(bolus: PatientBolus | None, profile: Profile, limit: Fraction) -> dict[str, Any]:
    if bolus is None:
        none = dict.fromkeys(("patient_steps", "patient_lockout_ms", "patient_per_day"), 0)
        return none | _fraction_fields("patient", Fraction(0))
    return {
        "patient_steps": _count_steps(bolus, profile),
        "patient_lockout_ms": bolus.lockout_ms,
        "patient_per_day": bolus.per_day,
        **_fraction_fields("patient", best_fraction_within(_ordered_rate(bolus, profile), limit)),
    }


def _periodic_fields(bolus: PeriodicBolus | None, profile: Profile, limit: Fraction) -> dict[str, Any]:
    if bolus is None:
        return {"periodic_steps": 0, "periodic_ms": 0, **_fraction_fields("periodic", Fraction(0))}
    rate = best_fraction_within(_ordered_rate(bolus, profile), limit)
    return {
        "periodic_steps": _count_steps(bolus, profile),
        "periodic_ms": bolus.every_ms,
        **_fraction_fields("periodic", rate),
    }


def _count_steps(bolus: PatientBolus | PeriodicBolus, profile: Profile) -> int:
    return _check_count(math.floor(profile.count_steps(bolus.volume)))


def _ordered_rate(bolus: PatientBolus | PeriodicBolus | None, profile: Profile) -> Fraction:
    """The rate at which its whole steps take the time that was ordered."""
    return Fraction(_count_steps(bolus, profile), bolus.over_ms) if bolus else Fraction(0)


def _priming_fields(order: Order, profile: Profile) -> dict[str, Any]:
    priming = order.priming
    steps = _check_count(math.floor(profile.count_steps(priming.volume))) if priming else 0
    rate = _step_fraction(priming.rate, profile) if priming else Fraction(0)
    return {
        "prime_steps_max": steps,
        "path_version": order.path_version,
        "path_nl": 0,
        "stall_retry_minutes": 0,
        **_fraction_fields("prime", rate),
    }


def _bridge_fields(order: Order, profile: Profile) -> dict[str, Any]:
    """The bridge in whole steps, rounded so that no more drug flows than was ordered."""
    bridge = order.bridge
    if bridge is None:
        return {"bridge_steps": 0, **_fraction_fields("bridge", Fraction(0))}
    whole = math.floor if order.concentration >= bridge.concentration else math.ceil
    return {
        "bridge_steps": _check_count(whole(profile.count_steps(bridge.volume))),
        **_fraction_fields("bridge", _step_fraction(bridge.rate, profile)),
    }


def _step_fraction(rate_nl: Fraction, profile: Profile) -> Fraction:
    return best_fraction(profile.count_steps(rate_nl))


def _fraction_fields(name: str, value: Fraction) -> dict[str, Any]:
    # What is not used is 0/0: a fraction that a pump takes has neither number zero.
    return {f"{name}_num": value.numerator, f"{name}_den": value.denominator if value else 0}


def _check_count(value: int) -> int:
    if not 0 <= value <= COUNT_MAX:
        raise ProgramError(f"{value} is more than the pump can count ({COUNT_MAX})")
    return value
