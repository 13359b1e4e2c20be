"""The bench: a pump, the line to it, and what can be asked of its surroundings.

`TwinBench` makes a new simulated pump for every test; `PortBench` brings whatever answers on a port into a known state.
What a bench can do besides is a set of features; `FEATURES` says which there are and what brings each.
"""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, cast

from dosebench.base.errors import DosebenchError
from dosebench.link.client import PumpClient, RefusedError
from dosebench.link.command_ids import MemoryIds
from dosebench.link.ports import BAUD, open_port
from dosebench.profile.load import load_profile
from dosebench.twin.twin import one_core

from dosebench_hil.features import FEATURES, TWIN_FEATURES, features_of
from dosebench_hil.line import Line
from dosebench_hil.wire import Wire

if TYPE_CHECKING:
    from dosebench.profile.model import Profile
    from dosebench.twin.faults import Value
    from dosebench.twin.runtimes import RuntimeName
    from dosebench.twin.twin import Twin

DEFAULT_PROFILE: Final = "implant-40"
TWIN_HOST: Final = b"hil\x00"
"""Host id of commands to a new twin: the same for every run, so that the journal is."""
POLL_S: Final = 0.5
ROUND_S: Final = 180.0
"""From one round over the pump's sensors to the next (`[supervision] sense`)."""
PATIENT_ROUNDS: Final = 24
"""After so many rounds a pump has seen that its sensors and its reservoir are well: half an hour and some means."""
"""How often `Bench.wait_until` looks, in seconds of the pump."""


class FeatureMissingError(DosebenchError):
    """This bench cannot do what was asked of it."""


class StateError(DosebenchError):
    """The pump could not be brought into the known state."""


class Fault:
    """Something that was broken; leaving it as a context manager puts back what was there before."""

    def __init__(self, twin: Twin, name: str, value: Value | str | None) -> None:
        self._twin = twin
        present = asdict(twin.plant.faults)
        twin.set_fault(name, value)
        self._before = present if name == "none" else {name: present[name]}

    def __enter__(self) -> Fault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_fault()

    def end_fault(self) -> None:
        """Put back what was there before."""
        for name, value in self._before.items():
            self._twin.set_fault(name, value)


class Bench(ABC):
    """A connected pump and its surroundings.

    Attributes:
        features: What can be asked of this bench (see `FEATURES`).
        client: The connected client.
        line: The port, which keeps the last frames and can lose some.
        wire: Frames by hand on the same line.
        profile: What the pump is.
    """

    features: frozenset[str]
    client: PumpClient
    line: Line
    wire: Wire
    profile: Profile

    # What every bench can do

    @abstractmethod
    def renew_pump(self) -> None:
        """A pump in the known state: a new one if this bench can make one, else this one after `reset_pump`."""

    @abstractmethod
    def advance_time(self, seconds: float) -> None:
        """Let `seconds` of the pump's time pass."""

    @abstractmethod
    def now_s(self) -> float:
        """The bench's clock, in seconds of the pump's time since an arbitrary moment."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the pump; nothing is delivered from here on."""

    def wait_until(self, condition: Callable[[], bool], within_s: float, every_s: float = POLL_S) -> bool:
        """Let time pass until `condition()` holds, at most `within_s` seconds of the pump; return whether it does."""
        end = self.now_s() + within_s
        while not condition():
            if self.now_s() >= end:
                return False
            self.advance_time(every_s)
        return True

    def put_noise(self, data: bytes) -> None:
        """Put bytes on the line that no client sent."""
        self.line.write(data)

    def reset_pump(self) -> None:
        """Bring this very pump into the known state: stopped, nothing staged, no alarms, clock set, reservoir full.

        It may hold a therapy. Raises StateError when an alarm stays, or the client's errors.
        """
        self.line.mend_line()
        if "faults" in self.features:
            self.no_faults()
        client = self.client
        client.stop_delivery()
        client.abort_stage()
        client.set_clock(datetime.now())
        capacity = self.profile.reservoir.capacity
        if "reservoir_level" in self.features:
            twin = self.get_twin("reservoir_level")
            twin.plant.refill_reservoir(float(capacity), twin.machine.now_us)
        client.record_refill(int(self.profile.count_steps(capacity)))
        self._clear_alarms()
        status = client.read_status()
        # A pump that has been stopped for long says so until it is started.
        if set(status["alarms"]) - {"pump_stopped"} or status["delivery"] not in ("stopped", "unprogrammed"):
            raise StateError(
                f"the pump is {status['delivery']} with alarms {', '.join(status['alarms']) or 'none'} after a stop "
                "and an alarm clear",
                hint="put the cause right by hand, then run the tests again",
            )

    def _clear_alarms(self) -> None:
        """Clear what is on; where time can be moved, let the pump see first that its sensors are well again."""
        rounds = PATIENT_ROUNDS if "reservoir_level" in self.features else 1
        for left in range(rounds - 1, -1, -1):
            alarms = [name for name in self.client.read_status()["alarms"] if name != "pump_stopped"]
            try:
                if alarms:
                    self.client.alarm_clear(alarms)
                return
            except RefusedError as refused:
                if refused.reason != "alarm_present" or not left:
                    raise
                self.advance_time(ROUND_S)

    # What only some benches can do

    def need_feature(self, feature: str) -> None:
        """Raise FeatureMissingError unless this bench has `feature`."""
        if feature not in self.features:
            raise FeatureMissingError(f"this bench has no {feature}: {FEATURES[feature].brought_by}")

    def power_cycle(self, off_s: float = 1.0) -> None:
        """Cut the pump's power wherever it is, and give it back after `off_s` seconds (power_cycle)."""
        self.get_twin("power_cycle").power_cycle(off_s)

    def steps_ms(self) -> list[int]:
        """When the motor really stepped since the last boot, in milliseconds of pump time (step_counter)."""
        twin = self.get_twin("step_counter")
        booted_ms = twin.machine.booted_us // 1000
        shift = booted_ms - self.client.boot_ms()
        return [at - shift for at in twin.step_times_ms() if at >= booted_ms]

    def count_steps(self) -> int:
        """How many steps the motor really made in its life (step_counter)."""
        return len(self.get_twin("step_counter").plant.steps_us)

    def reservoir_nl(self) -> float:
        """What the reservoir really holds, in nanolitres (reservoir_level)."""
        return self.get_twin("reservoir_level").plant.reservoir_nl()

    def set_fault(self, name: str, value: Value | str | None = None) -> Fault:
        """Break something from now on (faults): a name of docs/TWIN.md and its value, else the usual one.

        As a context manager it is as it was before at the end of the block. Raises FaultError.
        """
        return Fault(self.get_twin("faults"), name, value)

    def no_faults(self) -> None:
        """Mend everything (faults)."""
        self.get_twin("faults").set_fault("none")

    def get_twin(self, feature: str) -> Twin:
        """The simulation behind the port, for what `feature` covers. Raises FeatureMissingError."""
        self.need_feature(feature)
        return cast("Twin", self.line.twin)

    def _connect_pump(self, port: Any, host: bytes) -> None:
        clock = getattr(port, "monotonic", time.monotonic)
        self.line = Line(port, clock)
        self.ids = MemoryIds(host)
        self.client = PumpClient(self.line, self.ids)
        self.client.connect()
        self.wire = Wire(self.line, self.client)

    def _load_profile(self, name: str | None) -> None:
        self.profile = load_profile(name or self.client.hello_reply["profile"].decode())


@dataclass(frozen=True)
class TwinOptions:
    """What a twin of a test is made of. `runtime` None takes the best that is installed."""

    profile: str = DEFAULT_PROFILE
    runtime: RuntimeName | None = None
    seed: int = 0
    baud: int = BAUD


class TwinBench(Bench):
    """A simulated pump of its own for every test. Time is virtual: waiting costs nothing but the firmware's work."""

    features = TWIN_FEATURES

    def __init__(self, options: TwinOptions) -> None:
        self.options = options
        self._kept = ExitStack()
        self._kept.enter_context(one_core())
        try:
            self._open_twin()
        except BaseException:
            self._kept.close()
            raise

    def _open_twin(self) -> None:
        given = self.options
        url = f"sim://?profile={given.profile}&seed={given.seed}&baud={given.baud}"
        url += f"&runtime={given.runtime}" if given.runtime else ""
        port = open_port(url, given.baud)
        try:
            self._connect_pump(port, TWIN_HOST)
            self._load_profile(given.profile)
            self.reset_pump()
        except BaseException:
            port.close()
            raise

    def renew_pump(self) -> None:
        self.client.close()
        self._open_twin()

    def close(self) -> None:
        self.client.close()
        self._kept.close()

    def advance_time(self, seconds: float) -> None:
        self.get_twin("virtual_time").advance_time(seconds)

    def now_s(self) -> float:
        return self.get_twin("virtual_time").now_s


class PortBench(Bench):
    """The pump on a port: a board, a PTY, a socket, or a kept simulation.

    The port stays open between tests: opening one resets some boards.

    Args:
        url: What `dosebench.link.ports.open_port` takes.
        baud: Bits per second.
        profile: Name of the pump's profile; None asks the pump.
        speed: Seconds of the pump in a second of this computer: above 1 for a simulation that runs faster.
    """

    def __init__(self, url: str, baud: int = BAUD, profile: str | None = None, speed: float = 1.0) -> None:
        self.features = features_of(url)
        self._speed = speed
        port = open_port(url, baud)
        try:
            # A new host id for each run: its counter starts at 1, and the device must not know it.
            self._connect_pump(port, secrets.token_bytes(4))
            self._load_profile(profile)
            self.reset_pump()
        except BaseException:
            port.close()
            raise

    def renew_pump(self) -> None:
        self.client.connect()
        self.reset_pump()

    def close(self) -> None:
        """Stop the pump and close its port. Raises the client's errors when the stop is not heard."""
        self.line.mend_line()
        try:
            self.client.stop_delivery()
        finally:
            self.client.close()

    def advance_time(self, seconds: float) -> None:
        if "virtual_time" in self.features:
            self.get_twin("virtual_time").advance_time(seconds)
        else:
            time.sleep(seconds / self._speed)

    def now_s(self) -> float:
        if "virtual_time" in self.features:
            return self.get_twin("virtual_time").now_s
        return time.monotonic() * self._speed
