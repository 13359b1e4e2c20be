"""Figures of parts that profiles and twins share."""

from __future__ import annotations

import pytest
from dosebench.profile.load import builtin_names, load_profile
from dosebench.profile.parts import (
    BATTERY_DIVIDER,
    ERASE_US,
    PAGE_BYTES,
    RAIL_MV,
    SECTOR_BYTES,
    WRITE_US_PER_PAGE,
)
from dosebench_protocol.tables import RECORD_BYTES


def test_a_sector_has_whole_pages_and_a_record_fits_a_page() -> None:
    assert SECTOR_BYTES % PAGE_BYTES == 0
    assert RECORD_BYTES <= PAGE_BYTES


def test_flash_times_are_those_of_the_data_sheet() -> None:
    # W25Q16JV: page program 0.4 ms typical, sector erase 45 ms typical.
    assert (WRITE_US_PER_PAGE, ERASE_US) == (400, 45_000)


@pytest.mark.parametrize("name", builtin_names())
def test_every_fresh_battery_and_every_sensor_is_within_the_converters_reach(name: str) -> None:
    pump = load_profile(name)
    assert pump.battery.start < RAIL_MV * BATTERY_DIVIDER
    for sensor in (pump.sensors.level, pump.sensors.pressure, pump.sensors.temperature):
        if sensor is not None:
            assert min(sensor.low_output, sensor.high_output) > 0
            assert max(sensor.low_output, sensor.high_output) < RAIL_MV
