"""The tables of a regimen file: what each key accepts, and that what is needed is said with an example that works."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from dosebench.regimen.schema import (
    DRUG_BYTES_MAX,
    ELSEWHERE,
    NEEDED_BY,
    NEEDED_IN,
    NEEDED_IN_MODE,
    REQUIRED,
    TABLES,
    WEEKDAYS,
    DrugTable,
    PatientBolusTable,
    PatternStepTable,
    PatternTable,
    RegimenFile,
    Table,
)
from dosebench_protocol.tables import PATIENT_BOLUSES_MAX
from pydantic import ValidationError


@pytest.mark.parametrize("path", TABLES)
def test_any_key_may_be_absent_and_no_other_may_be_there(path: str) -> None:
    table = TABLES[path]
    assert table.model_validate({})
    with pytest.raises(ValidationError, match="extra"):
        table.model_validate({"no-such-key": 1})


def test_every_table_is_under_its_path() -> None:
    for path, table in TABLES.items():
        at: type[Table] = RegimenFile
        for name in path.split(".") if path else ():
            found = [
                one
                for one in TABLES.values()
                if re.search(rf"\b{one.__name__}\b", str(at.model_fields[name].annotation))
            ]
            assert len(found) == 1, path
            at = found[0]
        assert at is table


@pytest.mark.parametrize(("text", "minute"), [("00:00", 0), ("06:30", 390), ("23:59", 1439)])
def test_a_time_of_day_is_a_minute(text: str, minute: int) -> None:
    assert PatternStepTable.model_validate({"at": text}).at == minute


@pytest.mark.parametrize("text", ["24:00", "6:30", "06:60", "06:30:00", " 06:30", "0630", 390, None])
def test_what_is_no_time_of_day_is_refused(text: object) -> None:
    with pytest.raises(ValidationError, match="time of day"):
        PatternStepTable.model_validate({"at": text})


def test_weekdays_are_numbered_from_monday() -> None:
    assert PatternTable.model_validate({"days": list(WEEKDAYS)}).days == [0, 1, 2, 3, 4, 5, 6]
    with pytest.raises(ValidationError, match='"sun"'):
        PatternTable.model_validate({"days": ["Sunday"]})
    with pytest.raises(ValidationError, match="mon, tue"):
        PatternTable.model_validate({"days": ["x"]})


@pytest.mark.parametrize("name", ["b", "b" * DRUG_BYTES_MAX, "é" * 15])
def test_a_drug_name_that_fits_the_pump(name: str) -> None:
    assert DrugTable.model_validate({"name": name}).name == name


@pytest.mark.parametrize("name", ["", "b" * (DRUG_BYTES_MAX + 1), "é" * 16, "a\tb", "a\nb"])
def test_a_drug_name_that_does_not(name: str) -> None:
    with pytest.raises(ValidationError, match=f"1 to {DRUG_BYTES_MAX} bytes"):
        DrugTable.model_validate({"name": name})


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("per_day", [1, PATIENT_BOLUSES_MAX], [0, PATIENT_BOLUSES_MAX + 1, "4", 4.0, True]),
        ("dose", ["10 ug", "10 uL"], ["10", "10 ug/day", 10]),
        ("lockout", ["2 h", "30 min"], ["2 uL", 2]),
    ],
)
def test_figures_have_their_ends_and_their_units(key: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert getattr(PatientBolusTable.model_validate({key: value}), key) is not None
    for value in bad:
        with pytest.raises(ValidationError):
            PatientBolusTable.model_validate({key: value})


# What is said of a key that is missing


def _example(text: str) -> str | None:
    """The TOML in a message."""
    found = re.search(r"(\w+ = (?:\[.*\]|\"[^\"]*\"|\d+))", text)
    return found[1] if found else None


HINTS = {
    **{key: (key, text) for key, text in REQUIRED.items()},
    **{key: (key, text) for key, text in NEEDED_IN_MODE.values()},
    **{f"{table}.{key}": (f"{table}.{key}", text) for table, keys in NEEDED_IN.items() for key, text in keys.items()},
}


@pytest.mark.parametrize("name", HINTS)
def test_the_example_for_a_missing_key_is_right(name: str) -> None:
    key, text = HINTS[name]
    table, _, last = key.rpartition(".")
    assert last in TABLES[table].model_fields
    example = _example(text)
    if example is None or '"..."' in example:
        assert last in ("pattern", "mode", "steps"), "only these are too long for one line, or a choice"
        return
    made = tomllib.loads(example)
    assert set(made) == {last}
    assert getattr(TABLES[table].model_validate(made), last) is not None


def test_needs_and_pointers_name_tables() -> None:
    for table in NEEDED_BY:
        assert table in TABLES
    for name in ELSEWHERE:
        assert name not in RegimenFile.model_fields
