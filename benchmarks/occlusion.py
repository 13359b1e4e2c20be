"""Time from an occlusion to its alarm, and the bolus that comes with its release, on the twin of the implant profile.

The catheter closes at a random moment of a running basal, seed by seed; posture and sensor noise are those of the
profile. The pump runs as it is, and once more with the slope switched off, so that the threshold is alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from statistics import median
from typing import Any, Final

from dosebench.base.units import DAY_MS
from dosebench.link.client import PumpClient
from dosebench.link.command_ids import MemoryIds
from dosebench.profile.device_config import seal_config
from dosebench.profile.load import load_profile
from dosebench.profile.model import Profile
from dosebench.twin.persistent import profile_settings
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin
from dosebench_protocol.codec import decode_struct, encode_struct

from .measure import Figure
from .therapy import PROFILE, encode_program

RATES_NL_PER_DAY: Final = (48_000, 100_000, 500_000, 2_400_000, 24_000_000)
SEEDS: Final = 9
STEPS_MAX: Final = 200
OPEN_S: Final = 600.0
"""How long the released catheter is watched."""
UNBOUNDED: Final = {"hard_day_steps": 1 << 20, "hard_hour_steps": 1 << 20}
"""The pump's own caps forbid the highest rate for a whole day; they are no part of the question."""


@dataclass(frozen=True)
class Found:
    """One occlusion: seconds and motor steps until its alarm, and nL that came with its release."""

    seconds: float
    steps: int
    bolus_nl: float


def measure_figures() -> list[Figure]:
    """Median and worst of the seeds, by rate: with the slope, and with the threshold alone."""
    found = []
    for rate in RATES_NL_PER_DAY:
        for name, config in (("slope", {}), ("threshold", {"occlusion_rise_pa": 1 << 20})):
            runs = [measure_occlusion(rate, seed, config) for seed in range(SEEDS)]
            title = f"occlusion: {rate / 1e6:g} mL/day, {name}"
            found += [
                Figure(f"{title}, time", median(run.seconds for run in runs) / 60, "min"),
                Figure(f"{title}, longest", max(run.seconds for run in runs) / 60, "min"),
                Figure(f"{title}, bolus", median(run.bolus_nl for run in runs) / 1000, "uL"),
                Figure(f"{title}, largest", max(run.bolus_nl for run in runs) / 1000, "uL"),
            ]
    return found


def measure_occlusion(rate_nl_per_day: int, seed: int, config: dict[str, int]) -> Found:
    """Close the catheter of a running pump and wait for the alarm; then open it."""
    profile = load_profile(PROFILE)
    settings = profile_settings(PROFILE, "cpython", seed)
    settings.config = seal_config(settings.config | {"watchdog_ms": 0} | UNBOUNDED | config)
    with Twin(settings) as twin:
        twin.power_on()
        client = PumpClient(Serial(twin=twin, baudrate=twin.machine.baud, timeout=0.1), MemoryIds())
        client.connect()
        step_s = _start_pump(client, profile, rate_nl_per_day)
        # Long enough for a steady state and for a baseline; the seed decides when in the posture's course it closes.
        twin.advance_time(step_s * 40 + seed * 137.0)
        plant = twin.plant
        twin.set_fault("occlusion")
        since_s, since_steps = twin.now_s, plant.commanded
        while "occlusion" not in client.read_status()["alarms"]:
            if plant.commanded - since_steps > STEPS_MAX:
                raise RuntimeError(f"no alarm within {STEPS_MAX} steps at {rate_nl_per_day} nL/day")
            twin.advance_time(step_s / 4)
        seconds, steps = twin.now_s - since_s, plant.commanded - since_steps
        before = plant.delivered_nl(twin.machine.now_us)
        twin.set_fault("occlusion", 0)
        twin.advance_time(OPEN_S)
        return Found(seconds, steps, plant.delivered_nl(twin.machine.now_us) - before)


def _start_pump(client: PumpClient, profile: Profile, rate_nl_per_day: int) -> float:
    """Let the pump run at this rate alone; return the seconds between two steps."""
    rate = Fraction(rate_nl_per_day, DAY_MS) / profile.delivery.step_volume
    fields: dict[str, Any] = decode_struct("program", encode_program())
    fields |= {"basal_num": rate.numerator, "basal_den": rate.denominator}
    fields |= {"bolus_num": 0, "bolus_den": 0, "bolus_steps_max": 0, "square_steps_max": 0}
    # Twice the basal, so that no cap is in the way.
    drug = fields["drugs"][0]
    day = 2 * int(rate * DAY_MS + 1) * drug["step_ng_num"] // drug["step_ng_den"]
    fields["caps"] = [{"drug": 0, "minutes": minutes, "ng": day} for minutes in (60, 1440)]
    data = encode_struct("program", **fields)
    client.stage_program(data)
    client.commit_program(data)
    client.start_delivery()
    return float(1 / rate) / 1000
