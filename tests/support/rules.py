"""Single rules of a check, on a drug with round limits: at 1000 ug/mL a ug is a uL, and a step 0.25 of it."""

from __future__ import annotations

from typing import Any

from dosebench.regimen.drugs import Drug, DrugLibrary
from dosebench.regimen.facts import Facts
from dosebench.regimen.findings import Rule
from regimens import Bench


def _figure(value: str | int) -> dict[str, Any]:
    return {"value": value, "source": "made for tests"}


DRUG = Drug.model_validate(
    {
        "format": 1,
        "name": "testdrug",
        "aliases": ["sold-as"],
        "unit": "ug",
        "vials": {"strengths": ["1000 ug/mL", "2000 ug/mL"], "source": "made for tests"},
        "concentration": {"hard_max": _figure("4000 ug/mL"), "soft_max": _figure("2000 ug/mL")},
        "dose": {
            "hard_max": _figure("2000 ug/day"),
            "soft_max": _figure("1000 ug/day"),
            "soft_min": _figure("60 ug/day"),
            "start_max": _figure("100 ug/day"),
            "usual_min": _figure("80 ug/day"),
            "usual_max": _figure("500 ug/day"),
        },
        "change": {
            "hard_up": _figure("300 ug/day"),
            "soft_up": _figure("200 ug/day"),
            "soft_up_percent": _figure(30),
            "soft_down_percent": _figure(20),
        },
        "stability": {
            "first_fill": _figure("60 days"),
            "diluted": _figure("90 days"),
            "undiluted": _figure("180 days"),
        },
    }
)
LIBRARY = DrugLibrary({"testdrug": DRUG, "sold-as": DRUG}, {"testdrug": "x", "sold-as": "x"})


def order(
    body: str = "", *, dose: str | None = "200 ug/day", mode: str = "continuous", concentration: str = "1000 ug/mL",
    filled: str = "40 mL", profile: str = "implant-40", drug: str = "testdrug", therapy: str = "", reservoir: str = "",
) -> str:  # fmt: skip
    """A regimen file; `therapy` and `reservoir` are more lines of those tables, `body` comes after all of it."""
    said = f'dose = "{dose}"\n' if dose is not None and mode == "continuous" else ""
    return (
        f'format = 1\nprofile = "{profile}"\n[drug]\nname = "{drug}"\nconcentration = "{concentration}"\n'
        f'[reservoir]\nfilled = "{filled}"\n{reservoir}[therapy]\nmode = "{mode}"\n{said}{therapy}{body}'
    )


class Rules:
    """Checks regimens against the drug of these tests.

    Args:
        bench: Where their files are written.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = Bench(bench.directory, LIBRARY)

    def facts(self, text: str, before: str | None = None) -> Facts:
        """The figures of a regimen, with mistakes or without; `before` is the regimen that it replaces."""
        facts = self._bench.check(text, before).facts
        assert facts is not None
        return facts

    def found(self, rule: Rule, text: str, before: str | None = None) -> list[str]:
        """What one rule finds, each as "key: code kind", where it refuses, asks or tells."""
        return [
            f"{finding.problem.key}: {finding.problem.code} "
            + ("refuses" if finding.is_error else "asks" if finding.problem.needs_confirm else "tells")
            for finding in rule(self.facts(text, before))
        ]


def name_of(value: object) -> str:
    """The id of a parameter of a test: the name of a rule, nothing for anything else."""
    return getattr(value, "__name__", "")
