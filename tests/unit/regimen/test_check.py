"""`check`: the examples, all mistakes at once, the form of the answer, and any damage to a file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dosebench.base.errors import DosebenchError
from dosebench.base.units import DAY_MS
from dosebench.profile import load
from dosebench.regimen import check as check_module
from dosebench.regimen import document
from dosebench.regimen.check import check_regimen
from dosebench.regimen.drugs import DrugLibrary
from dosebench.regimen.summary import summarize_check
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from regimens import BACLOFEN, EXAMPLES, ROOT, Bench, codes

RULE_FILES = ("limits", "modes", "drug_limits", "plausibility")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_is_what_it_says(path: Path, library: DrugLibrary) -> None:
    result = check_regimen(path, library)
    assert result.ok == (path.stem not in ("mistakes", "c6-slip"))
    assert "never for people" in path.read_text(encoding="utf-8")


def test_ten_mistakes_at_once(library: DrugLibrary) -> None:
    path = EXAMPLES / "mistakes.toml"
    result = check_regimen(path, library)
    marked = [at for at, text in enumerate(path.read_text().splitlines(), 1) if "#" in text[1:] and at > 4]
    assert len(marked) == 10
    assert [problem.line for problem in result.errors] == marked
    assert codes(result.errors) == [
        "value",
        "unknown-key",
        "reservoir-size",
        "value",
        "value",
        "value",
        "dose-hard-max",
        "missing",
        "value",
        "value",
    ]
    assert result.program is None
    assert summarize_check(result)["program_hash"] is None


def test_json_keys_are_always_there(bench: Bench) -> None:
    good = summarize_check(check_regimen(EXAMPLES / "c5-baclofen-800.toml", bench.library))
    for text in ("", "not toml", "format = 1\n", 'profile = "implant-99"\n'):
        bad = summarize_check(bench.check(text))
        assert list(bad) == list(good)
        assert bad["ok"] is False
        assert bad["errors"]
        json.dumps(bad, allow_nan=False)
    json.dumps(good, allow_nan=False)


def test_not_toml_has_line_and_column(bench: Bench) -> None:
    (problem,) = bench.check("format = 1\ntitle = \n").errors
    assert (problem.line, problem.code) == (2, "not-toml")
    assert "line 2 column 9" in problem.message


def test_unknown_profile_is_a_mistake_of_the_file(bench: Bench) -> None:
    (problem,) = bench.dose(BACLOFEN | {"profile": "implant-4"}, "800 ug/day").errors
    assert (problem.line, problem.key, problem.code) == (2, "profile", "profile")
    assert "did you mean" in problem.message


def test_load_regimen_insists(bench: Bench) -> None:
    with pytest.raises(document.RegimenError, match="10 mistakes"):
        check_module.load_regimen(EXAMPLES / "mistakes.toml", bench.library)
    assert check_module.load_regimen(EXAMPLES / "c5-baclofen-800.toml", bench.library).program is not None


def test_previous_with_mistakes_is_refused(bench: Bench) -> None:
    with pytest.raises(DosebenchError, match="has mistakes itself"):
        check_regimen(EXAMPLES / "c5-baclofen-800.toml", bench.library, EXAMPLES / "mistakes.toml")


def test_the_format_page_is_complete(bench: Bench) -> None:
    page = (ROOT / "docs" / "REGIMEN.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert example is not None
    result = bench.check(example[1])
    assert result.ok
    assert not result.warnings
    source = "".join((ROOT / "host" / "dosebench" / "regimen" / f"{name}.py").read_text() for name in RULE_FILES)
    used = set(re.findall(r"""(?:error|warning)\(\s*facts,\s.*?"([a-z-]+)"(?:, confirm=False)?,?\s*\)\n""", source))
    assert len(used) > 50
    built = {f"{name}-{limit}" for name in ("bolus", "square", "patient") for limit in ("hard-max", "soft-max")}
    for name in used | built | set(summarize_check(result)) | {"unknown-key", "not-toml"}:
        assert f"`{name}`" in page, name


def optional(data: st.DataObject, text: str, values: st.SearchStrategy[Any]) -> str:
    """A line of a file, or none."""
    return data.draw(st.just("") | values.map(text.format))


def draw_regimen(data: st.DataObject) -> tuple[str, str]:
    """A profile and a regimen whose figures lie on both sides of every limit of that pump, mostly within."""
    name = data.draw(st.sampled_from(load.builtin_names()))
    pump = load.load_profile(name)
    step = int(pump.delivery.step_volume)
    least, most = (pump.count_steps(rate * DAY_MS) for rate in (pump.delivery.rate_min, pump.caps.day / DAY_MS))
    daily = data.draw(st.decimals(int(least) - 1, int(most) + 1, places=3))
    near = st.integers(-2, 3)
    hour = near.map(lambda extra: (int(daily) * 241 // 240 // 24 + extra) * step)
    day = near.map(lambda extra: (int(daily) * 241 // 240 + extra) * step)
    content = int(pump.count_steps(pump.reservoir.capacity))
    filled = data.draw(st.integers(content * 9 // 10, content + 1)) * step
    text = f'format = 1\nprofile = "{name}"\n[drug]\nname = "unlisted"\n'
    concentration = data.draw(st.sampled_from(["2000", "2002", "25", "4", "333.333"]))
    text += f'concentration = "{concentration} ug/mL"\n[reservoir]\nfilled = "{filled} nL"\n'
    text += optional(data, 'low = "{} nL"\n', st.integers(filled - 2 * step, filled + 1) | st.just(4 * step))
    text += optional(data, 'empty = "{} nL"\n', st.integers(step, 5 * step))
    text += f'[therapy]\nmode = "{data.draw(st.sampled_from(["continuous", "minimum_rate", "stopped"]))}"\n'
    text += f'dose = "{daily * step} nL/day"\n'
    text += optional(data, 'minimum = "{} nL/day"\n', near.map(lambda extra: (int(least) + extra) * step))
    text += optional(
        data,
        '[bolus]\nmax = "{} nL"\n',
        near.map(lambda extra: (int(pump.count_steps(pump.caps.bolus)) + extra) * step),
    )
    text += "[limits]\n" + optional(data, 'per_hour = "{} nL"\n', hour | st.just(int(pump.caps.hour)))
    return name, text + optional(data, 'per_day = "{} nL"\n', day | st.just(int(pump.caps.day)))


@pytest.mark.requirement("R12")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(data=st.data())
def test_what_passes_the_check_is_taken_by_the_pump(bench: Bench, pump: SimpleNamespace, data: st.DataObject) -> None:
    name, text = draw_regimen(data)
    result = bench.check(text)
    assert result.ok == (result.program is not None)
    if result.program is not None:
        device = pump.Profile(load.load_profile(name).device_config())
        assert pump.Therapy(result.program.encode_program()).check(device) == (0, 0), text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(at=st.integers(0, 700), put=st.text(max_size=6), cut=st.integers(0, 8))
def test_any_damage_gives_an_answer(bench: Bench, at: int, put: str, cut: int) -> None:
    text = (EXAMPLES / "morphine-tolerant.toml").read_text(encoding="utf-8")
    result = bench.check(text[:at] + put + text[at + cut :])
    assert result.ok == (not result.errors)
    json.dumps(summarize_check(result), allow_nan=False)
