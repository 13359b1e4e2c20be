"""Bridge boluses: their mistakes, their repetition, and other boluses during one."""

from __future__ import annotations

import pytest
from dosebench.regimen.check import check_regimen
from regimens import EXAMPLES, Bench, codes, places


@pytest.mark.requirement("R13")
@pytest.mark.parametrize(
    ("change", "previous", "place"),
    [
        (('previous_concentration = "500 ug/mL"', ""), False, ("bridge", "bridge-unknown")),
        (('"500 ug/mL"', '"400 ug/mL"'), True, ("bridge.previous_concentration", "bridge-unknown")),
        (('"500 ug/mL"', '"0 ug/mL"'), False, ("bridge.previous_concentration", "zero")),
        (('"500 ug/mL"', '"7 ug/mL"'), False, ("bridge", "bridge-rate")),
        (('"500 ug/mL"', '"20000 ug/mL"'), False, ("bridge", "bridge-rate")),
        (('mode = "continuous"', 'mode = "stopped"'), False, ("bridge", "bridge-mode")),
        (('"0.200 mL"', '"40 mL"'), False, ("catheter.volume", "bridge-rate")),
        (("table_version = 3", ""), False, ("catheter.table_version", "missing")),
        (('name = "baclofen"', 'name = "morphine"'), True, ("bridge", "bridge-unknown")),
    ],
)
def test_mistakes_in_a_bridge(bench: Bench, change: tuple[str, str], previous: bool, place: tuple[str, str]) -> None:
    text = (EXAMPLES / "c7-bridge.toml").read_text(encoding="utf-8")
    before = (EXAMPLES / "c7-bridge-before.toml").read_text(encoding="utf-8") if previous else None
    result = bench.check(text.replace(*change), before)
    assert place in places(result), [str(problem) for problem in result.errors]


@pytest.mark.requirement("R13")
def test_the_same_file_again_makes_no_second_bridge(bench: Bench) -> None:
    text = (EXAMPLES / "c7-bridge.toml").read_text(encoding="utf-8").replace('previous_concentration = "500 ug/mL"', "")
    first = bench.check(text, (EXAMPLES / "c7-bridge-before.toml").read_text(encoding="utf-8"))
    assert first.program is not None
    assert first.program.bridge_steps == 1360
    again = check_regimen(bench.write(text), bench.library, first.program)
    assert codes(again.warnings) == ["bridge-unused"]
    assert again.program is not None
    assert again.program.bridge_steps == 0


def test_boluses_in_a_bridge_are_told(bench: Bench) -> None:
    text = (EXAMPLES / "c7-bridge.toml").read_text(encoding="utf-8") + '[bolus]\nmax = "50 ug"\n'
    (told,) = [problem for problem in bench.check(text).needs_confirm if problem.code == "bridge-bolus"]
    assert "holds 0.25 times its dose" in told.message
