"""Check a regimen: every mistake at its line, and what the therapy would be.

`check` is what `dosebench check` prints and what every upload goes through first. Nothing here talks to a pump; the
pump checks the program again by itself. A bench model: a regimen that passes is still not for people.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from dosebench import drugs as drug_library
from dosebench import profile as pump_profile
from dosebench import program as pump_program
from dosebench import regimen, units
from dosebench.drugs import DrugLibrary
from dosebench.errors import DosebenchError
from dosebench.facts import CAP_RULE, Facts, Previous, derive
from dosebench.profile import Profile
from dosebench.program import Program
from dosebench.regimen import Document, Regimen
from dosebench.rules import DRUG_RULES, PUMP_RULES, findings
from dosebench.slips import SLIP_RULES
from dosebench.tomlfile import Problem, TomlFileError
from dosebench.units import DAY_MS, HOUR_MS


@dataclass(frozen=True)
class CheckResult:
    """What a check found.

    Attributes:
        file: The file that was checked.
        errors: What refuses the regimen, in order of line.
        warnings: What does not; those with `needs_confirm` a person must confirm before an upload.
        facts: The figures that could be known; None where the file is not TOML.
        regimen, program: The complete order and its program; None where there are errors.
    """

    file: str
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    facts: Facts | None = None
    regimen: Regimen | None = None
    program: Program | None = None
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the regimen can go to a pump, once its warnings are confirmed."""
        return not self.errors

    @property
    def needs_confirm(self) -> tuple[Problem, ...]:
        """The warnings that a person must confirm."""
        return tuple(problem for problem in self.warnings if problem.needs_confirm)

    def to_json(self) -> dict[str, Any]:
        """The result as JSON values under stable keys; `docs/REGIMEN.md` lists them. Unknown figures are None."""
        return {
            "file": self.file,
            "ok": self.ok,
            **self.figures,
            "errors": [_problem_json(problem) for problem in self.errors],
            "warnings": [
                _problem_json(problem) | {"needs_confirm": problem.needs_confirm} for problem in self.warnings
            ],
        }


def check(
    path: Path | str,
    drugs: DrugLibrary | None = None,
    previous: Program | Path | str | None = None,
    profiles: Sequence[Path] = (),
) -> CheckResult:
    """Check a regimen file.

    Args:
        path: The file.
        drugs: Drug library; None loads the user's and the package's.
        previous: The therapy that this one replaces, as its program or its regimen file; None for a first one.
        profiles: Directories with pump profiles that come before those of the package.

    Returns:
        Every mistake and warning at once, and the figures that could be computed.

    Raises:
        DosebenchError: A file cannot be read, or the previous regimen has mistakes itself.
    """
    library = drug_library.load() if drugs is None else drugs
    before = _previous(previous, library, profiles)
    try:
        document = regimen.read(Path(path))
    except TomlFileError as error:
        return CheckResult(str(path), error.problems, figures=_figures(None, None))
    return _check_document(document, library, before, profiles)


def _previous(given: Program | Path | str | None, library: DrugLibrary, profiles: Sequence[Path]) -> Previous | None:
    if given is None:
        return None
    if isinstance(given, Program):
        return Previous.of(given)
    result = check(given, library, None, profiles)
    if result.program is None:
        raise DosebenchError(f"the previous regimen {given} has mistakes itself", hint=f"run: dosebench check {given}")
    return Previous.of(result.program)


def _check_document(
    document: Document, library: DrugLibrary, previous: Previous | None, profiles: Sequence[Path]
) -> CheckResult:
    profile, errors = _profile(document, profiles)
    name = document.content.drug.name
    facts = derive(document, profile, library.find(name) if name else None, previous)
    found = list(findings(facts, PUMP_RULES + DRUG_RULES + SLIP_RULES))
    errors += [*document.problems, *(finding.problem for finding in found if finding.is_error)]
    warnings = [finding.problem for finding in found if not finding.is_error]
    order = facts.regimen() if not errors else None
    program = None
    if order is not None and profile is not None:
        program = pump_program.build(order, profile)
    return CheckResult(
        file=document.file.name,
        errors=_by_line(errors),
        warnings=_by_line(warnings),
        facts=facts,
        regimen=order,
        program=program,
        figures=_figures(facts, program),
    )


def _profile(document: Document, directories: Sequence[Path]) -> tuple[Profile | None, list[Problem]]:
    name = document.content.profile
    if name is None:
        return None, []
    try:
        return pump_profile.load(name, directories), []
    except DosebenchError as error:
        return None, [document.file.problem(("profile",), str(error), "profile")]


def _by_line(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: problem.line))


def _problem_json(problem: Problem) -> dict[str, Any]:
    return {"key": problem.key, "line": problem.line, "message": problem.message, "code": problem.code}


def _figures(facts: Facts | None, program: Program | None) -> dict[str, Any]:
    """The figures of the JSON output: all keys are always there."""
    content = facts.document.content if facts else None
    hour_ng = None if facts is None or facts.daily_ng is None else facts.daily_ng * HOUR_MS / DAY_MS
    return {
        "title": content.title if content else None,
        "profile": content.profile if content else None,
        "drug": content.drug.name if content else None,
        "mode": content.therapy.mode if content else None,
        "concentration_ug_per_ml": _number(facts.concentration if facts else None, "ug/mL"),
        "diluted": facts.diluted if facts else None,
        "daily_dose_ug": _number(facts.daily_ng if facts else None, "ug"),
        "daily_volume_ml": _number(facts.rate if facts else None, "mL/day"),
        "largest_hour_ug": _number(hour_ng, "ug"),
        "bolus_max_ug": _number(facts.bolus_ng if facts else None, "ug"),
        "refill": _refill(facts),
        "limits": _limits(facts),
        "rates": _rates(program),
        "rounding_steps_10y": _rounding(facts, program),
        "change": _change(facts),
        "therapy_id": program.therapy_id.hex() if program else None,
        "program_hash": program.program_hash().hex() if program else None,
        "reading": _reading(program),
    }


def _number(value: Fraction | None, unit: str) -> float | None:
    return None if value is None else float(units.in_unit(value, unit))


def _refill(facts: Facts | None) -> dict[str, Any]:
    """When the reservoir must be refilled (R22): days from the filling, each rounded down to a tenth."""
    volume = _days(facts, facts.low if facts else None)
    stability = facts.stability_days if facts else 0
    due, limit = pump_program.refill(volume, stability)
    return {
        "due_days": _tenth(due) if facts else None,
        "due_days_by_volume": _tenth(volume),
        "limited_by": limit if facts else None,
        "stability_days": stability or None,
        "empty_days": _tenth(_days(facts, facts.empty if facts else None)),
    }


def _days(facts: Facts | None, level: Fraction | None) -> Fraction | None:
    if facts is None or not facts.rate or facts.filled is None or level is None:
        return None
    return max((facts.filled - level) / facts.rate / DAY_MS, Fraction(0))


def _tenth(days: Fraction | None) -> float | None:
    return None if days is None else math.floor(days * 10) / 10


def _limits(facts: Facts | None) -> dict[str, Any]:
    lines = facts.document.file.lines if facts else {}
    return {
        "per_hour_ug": _number(facts.hour_cap if facts else None, "ug"),
        "per_day_ug": _number(facts.day_cap if facts else None, "ug"),
        "per_hour_is_default": ("limits", "per_hour") not in lines,
        "per_day_is_default": ("limits", "per_day") not in lines,
        "default_rule": CAP_RULE,
        "on_low": facts.on_low if facts else None,
    }


def _rates(program: Program | None) -> dict[str, Any] | None:
    """The fractions of the program, in steps per millisecond."""
    if program is None:
        return None
    return {
        name: {"num": getattr(program, f"{name}_num"), "den": getattr(program, f"{name}_den")}
        for name in ("basal", "minimum", "bolus")
    }


def _rounding(facts: Facts | None, program: Program | None) -> float | None:
    if facts is None or program is None or facts.profile is None or facts.rate is None:
        return None
    return float(pump_program.rounding_steps(facts.profile.steps(facts.rate), program.rate))


def _change(facts: Facts | None) -> dict[str, Any] | None:
    if facts is None or facts.previous is None:
        return None
    old, new = facts.previous.daily_ng, facts.daily_ng
    return {
        "previous_drug": facts.previous.drug,
        "previous_daily_dose_ug": _number(old, "ug"),
        "ratio": float(new / old) if new is not None and old else None,
    }


def _reading(program: Program | None) -> dict[str, Any] | None:
    if program is None:
        return None
    values = asdict(program.reading())
    return {
        name: value.hex() if name in ("therapy_id", "program_hash") else value for name, value in values.items()
    } | {"drug": program.drug.decode()}


def load_regimen(path: Path | str, drugs: DrugLibrary | None = None, profiles: Sequence[Path] = ()) -> CheckResult:
    """Check a file and insist that it is right.

    Raises:
        RegimenError: It has mistakes; all are in `problems`.
    """
    result = check(path, drugs, None, profiles)
    if not result.ok:
        raise regimen.RegimenError(result.file, result.errors)
    return result
