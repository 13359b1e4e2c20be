"""Check a regimen: every mistake at its line, and what the therapy would be.

`check_regimen` is what `dosebench check` prints and what every upload goes through first. Nothing here talks to a pump;
the pump checks the program again by itself. A bench model: a regimen that passes is still not for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dosebench.base.errors import DosebenchError
from dosebench.base.toml_file import Problem, TomlFileError
from dosebench.profile import load as pump_profile
from dosebench.profile.model import Profile
from dosebench.regimen import document as regimen
from dosebench.regimen import drugs as drug_library
from dosebench.regimen.compile import compile_order
from dosebench.regimen.document import Document
from dosebench.regimen.drug_limits import DRUG_RULES
from dosebench.regimen.drugs import DrugLibrary
from dosebench.regimen.facts import Facts, Previous, derive_facts
from dosebench.regimen.findings import collect_findings
from dosebench.regimen.limits import PUMP_RULES
from dosebench.regimen.modes import MODE_RULES
from dosebench.regimen.order import Order
from dosebench.regimen.plausibility import SLIP_RULES
from dosebench.therapy.program import Program


@dataclass(frozen=True)
class CheckResult:
    """What a check found.

    Attributes:
        file: The file that was checked.
        errors: What refuses the regimen, in order of line.
        warnings: What does not; those with `needs_confirm` a person must confirm before an upload.
        facts: The figures that could be known; None where the file is not TOML.
        order, program: The complete order and its program; None where there are errors.
    """

    file: str
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    facts: Facts | None = None
    order: Order | None = None
    program: Program | None = None

    @property
    def ok(self) -> bool:
        """Whether the regimen can go to a pump, once its warnings are confirmed."""
        return not self.errors

    @property
    def profile_name(self) -> str | None:
        """Name of the pump profile that the regimen asks for; None where the file does not say."""
        return self.facts.document.content.profile if self.facts is not None else None

    @property
    def needs_confirm(self) -> tuple[Problem, ...]:
        """The warnings that a person must confirm."""
        return tuple(problem for problem in self.warnings if problem.needs_confirm)


def check_regimen(
    path: Path | str,
    drugs: DrugLibrary | None = None,
    previous: Program | Path | str | None = None,
    profiles: Sequence[Path] = (),
    pump: Profile | None = None,
) -> CheckResult:
    """Check a regimen file.

    Args:
        path: The file.
        drugs: Drug library; None loads the user's and the package's.
        previous: The therapy that this one replaces, as its program or its regimen file; None for a first one.
        profiles: Directories with pump profiles that come before those of the package.
        pump: The pump as it was calibrated on its bench; the regimen must name its profile. None for the nominal one.

    Returns:
        Every mistake and warning at once, and the figures that could be computed.

    Raises:
        DosebenchError: A file cannot be read, or the previous regimen has mistakes itself.
    """
    library = drug_library.load_drugs() if drugs is None else drugs
    before = _find_previous(previous, library, profiles)
    try:
        document = regimen.read_regimen(Path(path))
    except TomlFileError as error:
        return CheckResult(str(path), error.problems)
    return _check_document(document, library, before, profiles, pump)


def _find_previous(
    given: Program | Path | str | None, library: DrugLibrary, profiles: Sequence[Path]
) -> Previous | None:
    if given is None:
        return None
    if isinstance(given, Program):
        return Previous.from_program(given)
    result = check_regimen(given, library, None, profiles)
    if result.program is None:
        raise DosebenchError(f"the previous regimen {given} has mistakes itself", hint=f"run: dosebench check {given}")
    return Previous.from_program(result.program)


def _check_document(
    document: Document,
    library: DrugLibrary,
    previous: Previous | None,
    profiles: Sequence[Path],
    pump: Profile | None,
) -> CheckResult:
    profile, errors = _find_profile(document, profiles, pump)
    name = document.content.drug.name
    facts = derive_facts(document, profile, library.find_drug(name) if name else None, previous)
    found = list(collect_findings(facts, PUMP_RULES + MODE_RULES + DRUG_RULES + SLIP_RULES))
    errors += [*document.problems, *(finding.problem for finding in found if finding.is_error)]
    warnings = [finding.problem for finding in found if not finding.is_error]
    order = facts.complete_order() if not errors else None
    program = None
    if order is not None and profile is not None:
        program = compile_order(order, profile)
    return CheckResult(
        file=document.file.name,
        errors=_by_line(errors),
        warnings=_by_line(warnings),
        facts=facts,
        order=order,
        program=program,
    )


def _find_profile(
    document: Document, directories: Sequence[Path], pump: Profile | None
) -> tuple[Profile | None, list[Problem]]:
    name = document.content.profile
    if name is None:
        return None, []
    if pump is not None:
        wrong = document.file.make_problem(("profile",), f'is "{name}", but the bench has {pump.name}', "profile")
        return (pump, []) if pump.name == name else (None, [wrong])
    try:
        return pump_profile.load_profile(name, directories), []
    except DosebenchError as error:
        return None, [document.file.make_problem(("profile",), str(error), "profile")]


def _by_line(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: problem.line))


def load_regimen(
    path: Path | str,
    drugs: DrugLibrary | None = None,
    profiles: Sequence[Path] = (),
    *,
    pump: Profile | None = None,
) -> CheckResult:
    """Check a file and insist that it is right; what it is given is as of `check_regimen`.

    Raises:
        RegimenError: It has mistakes; all are in `problems`.
    """
    result = check_regimen(path, drugs, None, profiles, pump=pump)
    if not result.ok:
        raise regimen.RegimenError(result.file, result.errors)
    return result
