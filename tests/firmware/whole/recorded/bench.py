"""What is done to a recorded pump: the one layer that knows how a client and a twin are called.

An act is a method of `Bench`. Each that speaks to the pump begins at a whole five seconds of virtual time, in a session
that is open already; the line is so fast that a frame arrives within a millisecond, and flash takes no time: no length
of a handshake, a frame or a record moves an event. What the pump answers is kept: `done`, or the reason of a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from chip import Chip
from dosebench.link.client import EarlierCommandError, LinkError, RefusedError, program_hash
from dosebench.link.command_ids import MemoryIds
from dosebench.profile.calibrated import calibrate_profile
from dosebench.profile.device_config import seal_config
from dosebench.profile.load import load_profile
from dosebench.twin.flash import SECTOR_BYTES, When
from dosebench.twin.persistent import profile_settings
from dosebench.twin.runtimes import RuntimeName
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin
from dosebench_protocol import codec
from dosebench_protocol.frame import DELIMITER, Frame, encode
from dosebench_protocol.records import decode_records
from dosebench_protocol.tables import RECORD_BYTES
from pumpside import Client, therapy
from reading import digest, events_of, fault_events, plain, ring_of

GRID_US = 5_000_000
READING_US = 120_000_000
BAUD = 10_000_000
"""The longest frame takes 1.2 ms at it, any other less than one."""
HEADER_BYTES = 16
FLIPPED_BYTE = 12
JOURNAL_SECTOR = 2
"""The first sector of the journal, behind the two copies of the therapy."""
FLEETING = (
    "journal_first",
    "journal_next",
    "bad_frames",
    "staged_bytes",
    "battery_mv",
    "session_role",
    "session_left_ms",
)
"""What a status tells of the line, of record numbers and of the battery, which pays for the flash."""


@dataclass
class Bench:
    """A pump, the host that speaks to it now, and all that was heard."""

    twin: Twin
    profile: str
    config: dict[str, int]
    client: Client
    ids: dict[bytes, MemoryIds] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    journal: bytes = b""
    faults: bytes = b""
    role: str = "programmer"
    _last: dict[bytes, str] = field(default_factory=dict)
    _program: bytes = b""

    # Speaking

    def settle(self) -> None:
        """Let time pass to the next whole five seconds."""
        self.twin.advance_us((self.twin.machine.now_us // GRID_US + 1) * GRID_US)

    def _ready(self) -> None:
        self.settle()
        # A session that has run out is noticed here, and opened anew before the act begins.
        self.client.read_status()
        self.client.open_session(self.role)
        self.settle()

    def _say(self, name: str, call: Callable[[], Any], ready: bool = True) -> None:
        try:
            if ready:
                self._ready()
            answer = call()
        except RefusedError as refused:
            self.answers.append(f"{name}: {refused.reason}")
        except EarlierCommandError as earlier:
            self.answers.append(f"{name}: not sent; {'; '.join(one.reason for one in earlier.outcomes)}")
        except LinkError as error:
            self.answers.append(f"{name}: {type(error).__name__}")
        else:
            self.answers.append(f"{name}: {self._short(name, answer)}")
        if ready:
            self._last[self.client._ids.host_id] = name

    @staticmethod
    def _short(name: str, answer: Any) -> str:
        if not isinstance(answer, dict):
            return "answered"
        # What an alarm_clear accepts is a set of alarms, as the format has it.
        shown = ("reason", *(() if name == "alarm_clear" else ("accepted",)), "low_steps", "high_steps")
        return " ".join(str(answer[name]) for name in shown if name in answer) or "answered"

    def host(self, name: str, role: str = "programmer") -> None:
        """From now on another host speaks, in a session of that role."""
        self.client._end_session()
        self.role = role
        ids = self.ids.setdefault(name.encode(), MemoryIds(name.encode()))
        known = self.client
        self.client = Client(known.port, ids)
        # What a host reads to compute a dose or a refill would take time on the line.
        self.client.program, self.client.step_volume = known.program, known.step_volume
        self.wake()

    # Therapy

    def stage(self, **changes: Any) -> None:
        """Send a therapy and let the pump read it back."""
        self._program = therapy(**changes)
        self._say("stage", lambda: self.client.stage_program(self._program))

    def stage_part(self, **changes: Any) -> None:
        """Begin to send a therapy, and send no more than a part."""
        data = therapy(**changes)
        named = program_hash(data)
        self._say(
            "therapy_begin", lambda: self.client._ask_question("program_begin", length=len(data), program_hash=named)
        )
        self._say("therapy_chunk", lambda: self.client._ask_question("program_chunk", offset=0, data=data[:100]))

    def commit(self) -> None:
        """Put what was staged last in force."""
        self._say("commit", lambda: self.client.commit_program(self._program))

    def abort(self) -> None:
        """Drop the stage."""
        self._say("abort", self.client.abort_stage)

    def program(self, **changes: Any) -> None:
        """Stage and commit."""
        self.stage(**changes)
        self.commit()

    # Delivery

    def start(self) -> None:
        """Start delivery."""
        self._say("start", self.client.start_delivery)

    def stop(self) -> None:
        """Stop in a session."""
        self._say("stop", self.client.stop_delivery)

    def stop_plainly(self) -> None:
        """Stop without a session, as any host may."""
        self.client._end_session()
        self.settle()
        self._say("stop", self.client.stop_delivery, ready=False)

    def bolus(self, steps: int) -> None:
        """A clinician's bolus."""
        self._say("bolus", lambda: self.client.give_bolus(steps))

    def bolus_cancel(self) -> None:
        """End a bolus."""
        self._say("bolus_cancel", self.client.bolus_cancel)

    def patient(self) -> None:
        """A patient's bolus."""
        self._say("patient_bolus", self.client.patient_bolus)

    def square(self, steps: int, seconds: int) -> None:
        """A square bolus."""
        self._say("square_bolus", lambda: self.client.square_bolus(steps, seconds * 1000))

    def square_cancel(self) -> None:
        """End a square bolus."""
        self._say("square_cancel", self.client.square_cancel)

    def prime_arm(self, steps: int, path_version: int) -> None:
        """Arm a priming bolus."""
        self._say("prime_arm", lambda: self.client.prime_arm(steps, path_version))

    def prime(self, steps: int) -> None:
        """Deliver an armed priming bolus."""
        self._say("prime", lambda: self.client.give_priming(steps))

    def patency(self, steps: int) -> None:
        """The test volume of a patency check."""
        self._say("patency", lambda: self.client.test_patency(steps))

    # Supplies, clock, alarms

    def refill(self, steps: int, withdrawn: int | None = None) -> None:
        """Fill the reservoir, and say so."""
        plant = self.twin.plant
        plant.refill_reservoir(steps * plant.settings.step_nl, self.twin.machine.now_us)
        self.say_refill(steps, withdrawn)

    def say_refill(self, steps: int, withdrawn: int | None = None) -> None:
        """Say that the reservoir was filled, and fill nothing."""
        self._say("refill", lambda: self.client.record_refill(steps, withdrawn))

    def implant(self, day: str) -> None:
        """State the date of implant."""
        self._say("implant", lambda: self.client.record_implant(date.fromisoformat(day)))

    def clock(self, local: str) -> None:
        """Set the calendar."""
        self._say("clock", lambda: self.client.set_clock(datetime.fromisoformat(local)))

    def clear(self, *alarms: str) -> None:
        """Clear alarms by name."""
        self._say("alarm_clear", lambda: self.client.alarm_clear(list(alarms)))

    def silence(self, seconds: int) -> None:
        """Silence the tones."""
        self._say("silence", lambda: self.client.alarm_silence(seconds * 1000))

    def look(self) -> None:
        """Keep what the status says now: alarms, delivery, rate and what is left of boluses."""
        self.settle()
        status = self.client.read_status()
        alarms = " ".join(sorted(status["alarms"])) or "no alarm"
        left = "/".join(str(status[f"{name}_left_steps"]) for name in ("bolus", "square", "bridge"))
        self.answers.append(
            f"status: {status['delivery']}, {status['rate_num']}/{status['rate_den']}, {left} left, {alarms}"
        )

    # Hosts and the line

    def again(self, name: str, back: int = 0, **fields: Any) -> None:
        """Send a command with a counter that this host has used, `back` commands ago."""

        def send() -> dict[str, Any]:
            ids = self.ids[self.client._ids.host_id]
            role = codec.by_name(name).role
            computed: dict[str, Any] = {}
            if name == "bolus":
                computed = self.client._computed(fields["steps"])
            elif name == "refill":
                computed = dict(self.client.step_volume or {})
            return self.client._ask_in_session(name, role, counter=ids.counter - back, **fields, **computed)

        self._say(f"again {name}", send)

    def find_out(self) -> None:
        """Ask what became of commands that were never answered."""
        self._ready()
        self.answers += [f"settled {one.command}: {one.reason}" for one in self.client.resolve_commands()]

    def strangers(self, count: int, forged: bool = False) -> None:
        """Commands of somebody without a session; `forged`: within this host's session, with a tag that no key made."""
        self._ready()
        session = self.client.session
        assert session is not None
        body = codec.encode_request("bolus", counter=1, steps=9, program_hash=bytes(8), ng=0)
        for _ in range(count):
            self.settle()
            sequence = self.client.next_sequence()
            frame = Frame(codec.by_name("bolus").type, self.twin.machine.device_id, sequence=sequence, body=body)
            if forged:
                frame = replace(session.seal(frame), tag=bytes(16))
            self.twin.host_write(DELIMITER + encode(frame))
        self.settle()
        self.twin.host_read(1 << 20)

    # The board and its world

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.twin.advance_time(seconds)

    def fault(self, name: str, value: Any = None) -> None:
        """Break something, or mend it."""
        self.twin.set_fault(name, value)

    def battery(self, mv: int) -> None:
        """The battery's voltage becomes `mv`."""
        plant = self.twin.plant
        self.twin.set_fault("battery_offset", 0.0)
        self.twin.set_fault("battery_offset", mv - plant.battery_mv(self.twin.machine.now_us))

    def fill(self, steps: int) -> None:
        """Fill the true reservoir and say nothing."""
        plant = self.twin.plant
        plant.refill_reservoir(steps * plant.settings.step_nl, self.twin.machine.now_us)

    def code_flip(self, flipped: bool) -> None:
        """One bit of the firmware's code is not what was flashed."""
        self.twin.machine.code_flipped = flipped

    def reset(self, off_s: int = 1, cause: str = "brown_out") -> None:
        """Lose power, and boot."""
        self.twin.power_cycle(off_s, cause)
        self.wake()

    def power_off(self) -> None:
        """Cut the power."""
        self.twin.power_off()

    def power_on(self, cause: str = "brown_out") -> None:
        """Boot a pump without power."""
        self.twin.power_on(cause)
        self.wake()

    def wake(self) -> None:
        """Wait until the pump has booted, and say hello. What it answers has another length on each interpreter."""
        self.settle()
        self.client.connect()
        self.settle()

    def cut_record(self, when: When, before: int = 0) -> None:
        """The power fails at the next record, or at a later one."""
        self._chip.plan = (True, before, when)

    def cut_other(self, when: When, before: int = 0) -> None:
        """The power fails at the next operation that writes no record: an erase, or a page of a therapy."""
        self._chip.plan = (False, before, when)

    def flip_copy(self, copy: int, mask: int = 8, at: int = 100) -> None:
        """Flip bits in a copy of the therapy."""
        self.twin.flash.data[copy * SECTOR_BYTES + at] ^= mask

    def flip_record(self, kind: str, mask: int, nth: int = 0) -> None:
        """Flip bits in a record of the journal's first sector: the `nth` of its kind."""
        start = JOURNAL_SECTOR * SECTOR_BYTES + HEADER_BYTES
        slots = (SECTOR_BYTES - HEADER_BYTES) // RECORD_BYTES
        records = decode_records(bytes(self.twin.flash.data[start : start + slots * RECORD_BYTES]))
        slot = [at for at, record in enumerate(records) if record.kind == kind][nth]
        self.twin.flash.data[start + slot * RECORD_BYTES + FLIPPED_BYTE] ^= mask

    def flip_header(self, sector: int, mask: int, at: int = 6) -> None:
        """Flip bits in the header of a sector of the journal."""
        self.twin.flash.data[(JOURNAL_SECTOR + sector) * SECTOR_BYTES + at] ^= mask

    def deaf_flash(self, deaf: bool) -> None:
        """Flash takes nothing from now on, or again."""
        self._chip.deaf = deaf

    def slow_flash(self, seconds: int) -> None:
        """Each write takes so long."""
        self._chip.slow_s = seconds

    @property
    def _chip(self) -> Chip:
        assert isinstance(self.twin.flash, Chip)
        return self.twin.flash

    def flashed(self, step_nl: tuple[int, int], **config: int) -> None:
        """Flash the settings of a pump with that step volume, and let it boot."""
        settings = dict(calibrate_profile(load_profile(self.profile), Fraction(*step_nl)).device_config())
        self.twin.power_off()
        self.twin.machine.config = seal_config(settings | self.config | config | {"commissioned": 1})
        self.client.step_volume = _step_volume(self.twin)
        self.twin.power_on()
        if self.twin.powered:
            self.wake()

    # What it comes to

    def collect(self) -> None:
        """Read the records that came since the last time: a ring overwrites them. It takes two minutes, whatever there
        is to read."""
        self.settle()
        until_us = self.twin.machine.now_us + READING_US
        for ring, read in (("journal", self.client.read_journal), ("faults", self.client.read_faults)):
            held: bytes = getattr(self, ring)
            known = decode_records(held)[-1].sequence + 1 if held else 0
            setattr(self, ring, held + b"".join(read(known)))
        assert self.twin.machine.now_us < until_us
        self.twin.advance_us(until_us)

    def recording(self) -> dict[str, Any]:
        """All that is compared. The pump is read, then reset, and asked what it knows."""
        now_us, times = self.twin.machine.now_us, self.twin.step_times_ms()
        self.collect()
        return {
            "end_ms": now_us // 1000,
            "steps": {"count": len(times), "sha256": digest(",".join(map(str, times)).encode())},
            "journal": ring_of(self.journal),
            "faults": ring_of(self.faults),
            "answers": self.answers,
            "events": events_of(decode_records(self.journal)),
            "fault_events": fault_events(decode_records(self.faults)),
            "state": self._replayed(),
        }

    def _replayed(self) -> dict[str, Any]:
        """What the pump knows after a loss of power."""
        self.client._end_session()
        self._chip.deaf, self._chip.slow_s = False, 0
        self.reset()
        self._ready()
        status = {name: value for name, value in self.client.read_status().items() if name not in FLEETING}
        return {
            "status": plain(status),
            "service": plain(self.client.read_service()),
            "therapy": self._therapy(),
            "hosts": {ids.host.hex(): self._outcome(ids) for ids in self.ids.values() if ids.counter},
        }

    def _therapy(self) -> Any:
        try:
            generation, data = self.client.read_program()
        except RefusedError as refused:
            return refused.reason
        fields = codec.decode_struct("program", data)
        return {"generation": generation} | {name: plain(value) for name, value in fields.items() if name != "format"}

    def _outcome(self, ids: MemoryIds) -> dict[str, Any]:
        # A pump tells a host of its own commands alone.
        self.client._end_session()
        self.client = Client(self.client.port, ids)
        self.wake()
        self._ready()
        try:
            outcome = self.client._ask_in_session("outcome", "operator", counter=ids.counter)
        except RefusedError as refused:
            return {"counter": ids.counter, "refused": refused.reason}
        left_out = ("record", "host", *(("accepted",) if self._last.get(ids.host) == "alarm_clear" else ()))
        return {name: plain(value) for name, value in outcome.items() if name not in left_out}


def _step_volume(twin: Twin) -> dict[str, Any]:
    """Volume of a step, as the settings have it."""
    return {name: twin.machine.config[name] for name in ("step_nl_num", "step_nl_den")}


@contextmanager
def benched(runtime: RuntimeName, seed: int, profile: str, config: dict[str, int]) -> Iterator[Bench]:
    """A fresh pump, powered and connected. There is no watchdog unless `config` says so."""
    settings = profile_settings(profile, runtime, seed, BAUD)
    settings.config = seal_config(settings.config | {"watchdog_ms": 0} | config)
    with Twin(settings) as twin:
        twin.machine.flash = Chip(int(settings.config["flash_sectors"]), seed=seed)
        twin.power_on()
        ids = MemoryIds(b"main")
        client = Client(Serial(twin=twin, baudrate=twin.machine.baud, timeout=0.1), ids)
        client.program, client.step_volume = therapy(), _step_volume(twin)
        made = Bench(twin, profile, {"watchdog_ms": 0} | config, client, {ids.host: ids})
        made.wake()
        yield made
