"""Regimen files for tests: what most of them have in common, and a bench that checks them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dosebench.regimen.check import CheckResult, check_regimen
from dosebench.regimen.drugs import DrugLibrary
from dosebench.regimen.summary import summarize_check

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"

HEAD = 'format = 1\nprofile = "{profile}"\n[drug]\nname = "{drug}"\nconcentration = "{concentration}"\n'
BODY = '[reservoir]\nfilled = "{filled}"\n[therapy]\nmode = "continuous"\ndose = "{dose}"\n'
BACLOFEN = {"profile": "implant-40", "drug": "baclofen", "concentration": "2000 ug/mL", "filled": "40 mL"}
ZICONOTIDE = {"profile": "implant-20", "drug": "ziconotide", "concentration": "25 ug/mL", "filled": "20 mL"}


class Bench:
    """Writes regimens and checks them against the package's drug library."""

    def __init__(self, directory: Path, library: DrugLibrary) -> None:
        self.directory = directory
        self.library = library
        self.count = 0

    def write(self, text: str) -> Path:
        self.count += 1
        path = self.directory / f"regimen-{self.count}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def check(self, text: str, previous: str | None = None) -> CheckResult:
        return check_regimen(self.write(text), self.library, None if previous is None else self.write(previous))

    def dose(self, drug: dict[str, str], dose: str, extra: str = "", before: str | None = None) -> CheckResult:
        text = (HEAD + BODY).format(**drug, dose=dose) + extra
        old = None if before is None else (HEAD + BODY).format(**drug, dose=before)
        return self.check(text, old)


def codes(problems: tuple[Any, ...]) -> list[str]:
    return [problem.code for problem in problems]


def figures(result: CheckResult) -> dict[str, Any]:
    assert result.ok, [str(problem) for problem in result.errors]
    return summarize_check(result)


def places(result: CheckResult) -> list[tuple[str, str]]:
    return [(problem.key, problem.code) for problem in result.errors]
