"""A pump whose line is in the test's hands: frames are made, kept and sent one by one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from dosebench.link.command_ids import MemoryIds
from dosebench.link.keys import BoardKeys
from dosebench.profile.device_config import seal_config
from dosebench.twin.persistent import profile_settings
from dosebench.twin.runtimes import RuntimeName
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin, derived_keys
from dosebench_protocol import codec
from dosebench_protocol.auth import Challenge, Session
from dosebench_protocol.frame import DELIMITER, Deframer, Frame, encode
from dosebench_protocol.records import UNKNOWN_STEPS, Record, decode_records
from dosebench_protocol.tables import NONCE_BYTES
from pumpside import THERAPY, Client, computed, therapy

RUNTIMES: list[RuntimeName] = ["cpython", "unix", "wasm"]
ANSWER_MS = 3_000
DOSES = ("bolus", "square_bolus", "prime")
BOOT_S = 30
"""Longer than a boot, with the proof of the watchdog and the self-tests, in seconds."""


class Keys:
    """Keys of simulated boards, for clients that remember the board (a `dosebench.link.keys.KeySource`)."""

    def __init__(self, pairing: bytes = b"pair", **other: bytes) -> None:
        self.pairing = pairing
        self.other = other

    def get_keys(self, device: bytes) -> BoardKeys | None:
        """The keys that the board was made with, or others."""
        return BoardKeys(self.pairing, derived_keys(device) | self.other)


class Wiretap:
    """A port that keeps every frame that the host sends."""

    def __init__(self, port: Serial) -> None:
        self._port = port
        self.frames: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def write(self, data: bytes) -> int:
        """Send, and keep the frames in `data`, each with its delimiter."""
        self.frames += [piece + DELIMITER for piece in bytes(data).split(DELIMITER) if piece]
        return int(self._port.write(data))


class Line:
    """The host's end of the line to one twin."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.device = twin.machine.device_id
        self.sequence = 0
        self._deframer = Deframer()

    def reset(self) -> None:
        """A loss of power, and the boot after it."""
        self.twin.power_cycle(1)
        self.twin.advance_time(BOOT_S)

    # Bytes and frames

    def send(self, data: bytes, wait_ms: int = 50) -> None:
        """Put bytes on the line and let the pump hear them."""
        self.twin.host_write(DELIMITER + data)
        machine = self.twin.machine
        self.twin.advance_us(max(machine.now_us, machine.to_device.idle_us()) + wait_ms * 1000)

    def heard(self) -> list[Frame]:
        """What the pump has said by now."""
        return self._deframer.feed(self.twin.host_read(1 << 20))

    def frame(self, name: str, **fields: Any) -> Frame:
        """A request with a number of its own, without session and tag."""
        self.sequence += 1
        if name == "refill":
            fields = {"withdrawn_steps": UNKNOWN_STEPS, "step_nl_num": 250, "step_nl_den": 1} | fields
        elif name in DOSES:
            fields = computed(therapy(), fields["steps"]) | fields
        body = codec.encode_request(name, **fields)
        return Frame(codec.by_name(name).type, self.device, sequence=self.sequence, body=body)

    def answer(self, frame: Frame) -> Frame:
        """Send a request once; return the reply to it."""
        self.heard()
        self.twin.host_write(DELIMITER + encode(frame))
        end = self.twin.machine.now_us + ANSWER_MS * 1000
        line = self.twin.machine.to_host
        while self.twin.machine.now_us < end:
            self.twin.advance_us(end, stop=lambda: line.count_arrived(self.twin.machine.now_us) > 0)
            for reply in self.heard():
                if reply.sequence == frame.sequence:
                    return reply
        raise AssertionError(f"no reply to {frame}")

    def reason(self, frame: Frame) -> str:
        """Send a request; return why it was refused, `done` or `answered`."""
        decoded = codec.decode_frame(self.answer(frame))
        if decoded.name == "rejected":
            return str(decoded.fields["reason"])
        return str(decoded.fields.get("reason", "answered"))

    def status(self) -> dict[str, Any]:
        """The status, asked without a session."""
        return codec.parse_reply("status", self.answer(self.frame("status")))

    def records(self, first: int = 0) -> list[Record]:
        """Journal records from `first` on."""
        at, data = first, b""
        while True:
            reply = self.answer(self.frame("journal_read", first=at, count=25))
            if reply.type == 0xFF:
                return decode_records(data)
            records = codec.parse_reply("journal_read", reply)["records"]
            data += records
            at += len(records) // 40

    # Sessions

    def offer(self, role: str = "programmer", host: bytes = b"host", key: bytes | None = None) -> Session:
        """Ask for a session and check the pump's proof. The first frame that the session seals opens it."""
        nonce = os.urandom(NONCE_BYTES)
        reply = self.answer(self.frame("session_open", role=role, host=host, nonce=nonce))
        fields = codec.parse_reply("session_open", reply)
        challenge = Challenge(self.device, reply.session, fields["boot_count"], role, host, nonce, fields["nonce"])
        session = Session(key if key is not None else self.twin.machine.keys[role], challenge)
        assert key is not None or session.is_ours(reply)
        return session

    def open(self, role: str = "programmer", host: bytes = b"host") -> Session:
        """An open session."""
        session = self.offer(role, host)
        self.ask(session, "status")
        return session

    def sealed(self, session: Session, name: str, **fields: Any) -> Frame:
        """A request in a session."""
        return session.seal(self.frame(name, **fields))

    def ask(self, session: Session, name: str, **fields: Any) -> dict[str, Any]:
        """A request in a session; its reply must bear a good tag, and is returned by its fields."""
        reply = self.answer(self.sealed(session, name, **fields))
        assert session.is_ours(reply), codec.decode_frame(reply)
        return dict(codec.decode_frame(reply).fields)

    def renumbered(self, session: Session, frame: Frame) -> Frame:
        """A frame again, under the next number."""
        self.sequence += 1
        return session.seal(replace(frame, sequence=self.sequence))


@contextmanager
def line(
    runtime: RuntimeName = "cpython", *, seed: int = 0, keys: dict[str, bytes] | None = None, **config: int
) -> Iterator[Line]:
    """The line to a new pump; `keys` {} makes an unpaired one, `config` replaces figures of its profile."""
    settings = profile_settings("implant-40", runtime, seed)
    settings.config = seal_config(settings.config | config)
    settings.keys = keys
    with Twin(settings) as twin:
        twin.power_on()
        twin.advance_time(BOOT_S)
        yield Line(twin)


def client_of(twin: Twin, ids: MemoryIds, keys: Keys | None = None, port: Any = None) -> Client:
    """A connected client of a twin."""
    port = port or Serial(twin=twin, baudrate=twin.machine.baud, timeout=0.1)
    client = Client(port, ids, keys)
    client.program = therapy()
    client.step_volume = THERAPY
    client.connect()
    return client


def set_running(twin: Twin, host: bytes = b"setp", **changes: Any) -> None:
    """Program a pump and start it, from a host of its own, whose session is closed then."""
    client = client_of(twin, MemoryIds(host))
    data = therapy(**changes)
    client.stage_program(data)
    client.commit_program(data)
    client.start_delivery()
    client.open_session("programmer")
    client._end_session()
