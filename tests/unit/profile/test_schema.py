"""The tables of a pump profile: quantities become exact base values, and each table refuses what it does not know."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

import pytest
from dosebench.base import units
from dosebench.profile import schema
from dosebench.profile.schema import (
    AirDetector,
    Alarms,
    Ambient,
    Battery,
    Catheter,
    Delivery,
    Energy,
    Journal,
    LevelSensor,
    Power,
    Sensors,
    Table,
    Watch,
)
from dosebench_protocol.tables import COUNT_MAX
from pydantic import TypeAdapter, ValidationError

DELIVERY: dict[str, Any] = {
    "step_volume": "0.25 uL",
    "rate_min": "48 uL/day",
    "rate_max": "24 mL/day",
    "step_time": "100 ms",
    "activation_steps_max": 4,
    "activation_time_max": "600 ms",
    "lease": "1 h",
}


def test_quantities_become_exact_base_values() -> None:
    made = Delivery.model_validate(DELIVERY)
    assert made.step_volume == 250
    assert made.rate_min == Fraction(48_000, 86_400_000)
    assert (made.step_time, made.lease) == (100, 3_600_000)


def test_tables_do_not_change() -> None:
    made = Delivery.model_validate(DELIVERY)
    with pytest.raises(ValidationError):
        made.lease = Fraction(1)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"step_volume": "0.25 mg"}, "step_volume"),
        ({"step_volume": "0.25"}, "step_volume"),
        ({"step_volume": 250}, "step_volume"),
        ({"step_time": "100 uL"}, "step_time"),
        ({"rate_max": "24 mL"}, "rate_max"),
        ({"activation_steps_max": 0}, "activation_steps_max"),
        ({"activation_steps_max": COUNT_MAX + 1}, "activation_steps_max"),
        ({"activation_steps_max": "4"}, "activation_steps_max"),
        ({"activation_steps_max": 4.0}, "activation_steps_max"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_mistake_is_named_by_its_key(change: dict[str, Any], key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Delivery.model_validate(DELIVERY | change)
    assert [error["loc"] for error in caught.value.errors()] == [(key,)]


def test_every_key_of_delivery_is_needed() -> None:
    with pytest.raises(ValidationError) as caught:
        Delivery.model_validate({})
    assert {error["loc"][0] for error in caught.value.errors()} == set(DELIVERY)


@pytest.mark.parametrize("table", [Catheter, Ambient, Watch, Power, Energy, Sensors])
def test_tables_whose_keys_may_all_be_absent_have_usual_figures(table: type[Table]) -> None:
    made = table.model_validate({})
    for name, value in made:
        assert value is None or isinstance(value, Fraction), name


def test_usual_figures_are_read_as_texts_are() -> None:
    assert Catheter.model_validate({}).compliance == Catheter.model_validate({"compliance": "250 nL/kPa"}).compliance
    assert Energy.model_validate({}).reserve == Energy.model_validate({"reserve": "10 %"}).reserve
    assert Energy.model_validate({}).service_years is None
    assert Power.model_validate({}).asleep == units.parse_value("6 uA", units.CURRENT)


@pytest.mark.parametrize(
    ("table", "key", "good", "bad"),
    [
        (Energy, "service_years", [1, 50], [0, 51, "7", True]),
        (Journal, "flash_sectors", [1, COUNT_MAX], [0, COUNT_MAX + 1]),
        (Alarms, "repeat_times", [2, 16], [1, 17]),
        (Alarms, "resets_max", [1, 15], [0, 16]),
        (Battery, "replaceable", [True, False], [1, "yes"]),
        (Battery, "cell", ["linear", "alkaline"], ["lead"]),
    ],
)
def test_the_ends_of_each_range(table: type[Table], key: str, good: list[Any], bad: list[Any]) -> None:
    field = table.model_fields[key]
    # The first metadata changes nothing: an annotation needs one.
    alone = TypeAdapter(Annotated[(field.annotation, key, *field.metadata)])  # type: ignore[valid-type]
    for value in good:
        assert alone.validate_python(value) == value
    for value in bad:
        with pytest.raises(ValidationError):
            alone.validate_python(value)


def test_a_level_sensor_has_outputs_and_a_range() -> None:
    keys = {"low_output": "500 mV", "high_output": "2500 mV", "noise": "5 mV", "low": "0 mL", "high": "40 mL"}
    made = LevelSensor.model_validate(keys)
    assert (made.low_output, made.high_output, made.low, made.high) == (500, 2_500, 0, 40_000_000)
    with pytest.raises(ValidationError):
        LevelSensor.model_validate(keys | {"high": "40 kPa"})


def test_an_air_detector_has_a_threshold_of_its_own() -> None:
    keys = {"liquid_output": "300 mV", "air_output": "2700 mV", "threshold": "1500 mV", "noise": "10 mV"}
    assert AirDetector.model_validate(keys).threshold == 1_500


def test_a_reader_accepts_only_its_dimensions() -> None:
    read = schema.quantity_reader(units.MASS, units.VOLUME).func
    assert read("2 ug") == units.parse_value("2 ug", units.MASS)  # type: ignore[call-arg]
    assert read("2 uL") == 2_000  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="mV"):
        read("2 mV")  # type: ignore[call-arg]
