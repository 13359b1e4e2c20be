"""The tables of a bench file: quantities, ratios and pins are read exactly, and what is none is refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from dosebench.bench.schema import (
    COUNTS_MAX,
    PIN_MAX,
    RAW_MAX,
    AnalogueInput,
    BenchTables,
    CalibrationStep,
    DcMotor,
    Encoder,
    FlowInput,
    LoadCell,
    RotaryMechanics,
    Sensors,
    Sleep,
    SolenoidMotor,
    StepDirMotor,
    Storage,
    StrokeMechanics,
    SyringeMechanics,
    Table,
    Tone,
    UartPort,
    UnipolarMotor,
    UsbPort,
    parse_level,
)
from pydantic import ValidationError

MOTOR = {"kind": "step_dir", "step": 2, "dir": 3, "enable": 4, "pulse": "1 ms"}
SYRINGE = {"kind": "syringe", "bore": "26.7 mm", "lead": "0.8 mm"}
BENCH: dict[str, Any] = {
    "format": 1,
    "name": "a-bench",
    "board": "pico",
    "profile": "implant-40",
    "port": {"kind": "usb"},
    "motor": MOTOR,
    "mechanics": SYRINGE,
}


def refused(table: type[Table], values: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Places of the mistakes in the values of a table."""
    with pytest.raises(ValidationError) as caught:
        table.model_validate(values)
    return [error["loc"] for error in caught.value.errors()]


def test_a_whole_bench() -> None:
    made = BenchTables.model_validate(BENCH)
    assert isinstance(made.port, UsbPort)
    assert isinstance(made.motor, StepDirMotor)
    assert isinstance(made.mechanics, SyringeMechanics)
    assert made.mechanics.bore == Fraction("26.7")
    assert (made.encoder, made.sense, made.tone, made.calibration) == (None, None, None, None)
    assert (made.sleep, made.storage.kind) == (Sleep.model_validate({}), "files")


@pytest.mark.parametrize("key", BENCH)
def test_every_key_of_it_is_needed(key: str) -> None:
    assert refused(BenchTables, {name: value for name, value in BENCH.items() if name != key})[0][0] == key


@pytest.mark.parametrize(
    ("key", "kind", "table", "rest"),
    [
        ("port", "uart", UartPort, {"id": 0, "tx": 0, "rx": 1}),
        ("motor", "unipolar", UnipolarMotor, {"coils": [2, 3, 4, 5], "half_step": "2 ms"}),
        ("motor", "dc", DcMotor, {"pin": 2, "turn": "100 ms"}),
        ("motor", "solenoid", SolenoidMotor, {"pin": 2, "on_time": "30 ms", "off_time": "40 ms"}),
        ("mechanics", "rotary", RotaryMechanics, {"turn_volume": "12 uL"}),
        ("mechanics", "stroke", StrokeMechanics, {"stroke": "6 uL"}),
    ],
)
def test_the_kind_chooses_the_table(key: str, kind: str, table: type[Table], rest: dict[str, Any]) -> None:
    made = BenchTables.model_validate(BENCH | {key: {"kind": kind, **rest}})
    assert isinstance(getattr(made, key), table)
    assert refused(BenchTables, BENCH | {key: {"kind": "other", **rest}})[0][0] == key


@pytest.mark.parametrize(
    ("text", "value"), [("26.7 mm", "26.7"), ("  1mm ", "1"), ("0 mm", "0"), ("26,7 mm", None), ("1 cm", None),
                        ("-1 mm", None), (26.7, None), ("mm", None), ("1 mm 2", None)],
)  # fmt: skip
def test_a_length(text: object, value: str | None) -> None:
    if value is None:
        assert refused(SyringeMechanics, SYRINGE | {"bore": text}) == [("bore",)]
    else:
        assert SyringeMechanics.model_validate(SYRINGE | {"bore": text}).bore == Fraction(value)


@pytest.mark.parametrize(
    ("text", "value"), [("5:1", 5), (" 5 : 2 ", Fraction(5, 2)), ("63.7:1", Fraction("63.7")), ("0:1", None),
                        ("1:0", None), ("5", None), ("5:1:1", None), (5, None)],
)  # fmt: skip
def test_a_gear_is_turns_of_the_motor_to_turns_of_the_pump(text: object, value: Fraction | None) -> None:
    if value is None:
        assert refused(SyringeMechanics, SYRINGE | {"gear": text}) == [("gear",)]
    else:
        assert SyringeMechanics.model_validate(SYRINGE | {"gear": text}).gear == value
    assert SyringeMechanics.model_validate(SYRINGE).gear == 1


@pytest.mark.parametrize(
    ("number", "value"), [(2, 2), (1.555, Fraction("1.555")), (0.1, Fraction(1, 10)), (10, 10), (0.099, None),
                          (10.01, None), ("2", None), (True, None)],
)  # fmt: skip
def test_a_divider_is_exact(number: object, value: Fraction | None) -> None:
    if value is None:
        assert refused(AnalogueInput, {"pin": 1, "divider": number}) == [("divider",)]
    else:
        assert AnalogueInput.model_validate({"pin": 1, "divider": number}).divider == value
    assert AnalogueInput.model_validate({"pin": 1}).divider == 1
    assert AnalogueInput.model_validate({"pin": 1}).offset == 0


@pytest.mark.parametrize(
    ("table", "values", "key", "good", "bad"),
    [
        (Tone, {"pin": 1}, "pin", [0, PIN_MAX], [-1, PIN_MAX + 1, "1", 1.0, True]),
        (UartPort, {"kind": "uart", "id": 0, "tx": 0, "rx": 1}, "baud", [9_600, 1_000_000], [9_599, 1_000_001]),
        (UartPort, {"kind": "uart", "id": 0, "tx": 0, "rx": 1}, "id", [0, 2], [-1, 3]),
        (SyringeMechanics, SYRINGE, "microsteps", [1, COUNTS_MAX], [0, COUNTS_MAX + 1]),
        (FlowInput, {"pin": 1}, "counts", [1, 1_000], [0, 1_001]),
        (Encoder, {"kind": "pulse", "a": 1, "counts_per_turn": 4}, "counts_per_turn", [1], [0]),
        (LoadCell, {"kind": "hx711", "data": 1, "clock": 2, "empty": 0, "full": 1}, "empty",
         [-RAW_MAX, RAW_MAX - 1], [-RAW_MAX - 1, RAW_MAX]),
        (UnipolarMotor, {"kind": "unipolar", "coils": [1, 2, 3, 4], "half_step": "2 ms"}, "coils",
         [[5, 6, 7, 8]], [[1, 2, 3], [1, 2, 3, 4, 5]]),
        (Storage, {}, "label", ["vfs", "a" * 16], ["", "A", "a" * 17]),
        (StepDirMotor, MOTOR, "enable_on", ["high", "low"], ["on", 1]),
        (BenchTables, BENCH, "name", ["a", "a-0", "a" * 31], ["", "-a", "A", "a" * 32]),
        (BenchTables, BENCH, "title", ["x" * 80], ["x" * 81]),
    ],
)  # fmt: skip
def test_the_ends_of_each_range(
    table: type[Table], values: dict[str, Any], key: str, good: list[Any], bad: list[Any]
) -> None:
    for value in good:
        assert getattr(table.model_validate(values | {key: value}), key) == value
    for value in bad:
        assert refused(table, values | {key: value})[0][0] == key


def test_a_level_sensor_is_an_input_or_a_load_cell() -> None:
    cell = {"kind": "hx711", "data": 1, "clock": 2, "empty": 0, "full": 1}
    assert isinstance(Sensors.model_validate({"level": cell}).level, LoadCell)
    assert isinstance(Sensors.model_validate({"level": {"pin": 1}}).level, AnalogueInput)
    assert Sensors.model_validate({}).without == []
    assert refused(Sensors, {"without": ["battery"]}) == [("without", 0)]


STEP = {
    **{"measured": "2026-03-01T08:00:00", "step_volume": "0.26 uL", "uncertainty": "1 nL", "before": "0.25 uL"},
    **{"spread": "1 nL", "runs": 3, "steps": 30, "method": "mass"},
}


def test_a_calibration_step() -> None:
    made = CalibrationStep.model_validate(STEP)
    assert (made.step_volume, made.before, made.measured) == (260, 250, "2026-03-01T08:00:00")
    for text in ("2026-03-01", "2026-03-01T08:00", "2026-03-01 08:00:00", "2026-03-01T08:00:00Z", 5, None):
        assert refused(CalibrationStep, STEP | {"measured": text}) == [("measured",)]


def test_a_level_of_a_pin() -> None:
    assert (parse_level("high"), parse_level("low")) == (1, 0)
