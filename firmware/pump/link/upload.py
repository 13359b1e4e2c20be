# The upload of a program: begin, chunks, verify, commit or abort; and reading back the program in force.

from const import const

from pump import wire
from pump.dosing.therapy import Therapy
from pump.guard.reading import Reading
from pump.part import NEVER, Part
from pump.refusal import Refusal
from pump.storage.therapy_store import program_hash

_STAGE_MS_MAX = const(120_000)


class Stage:
    """A program that arrives. `therapy` is None until the program was verified. Nothing of it is in force."""

    def __init__(self, length, expected_hash):
        self.data = bytearray(length)
        self.hash = expected_hash
        self.received = 0
        self.therapy = None

    def write_chunk(self, offset, data):
        """Adds a chunk, which may overlap what was received. Raises Refusal."""
        if offset > self.received:
            raise Refusal(wire.REASON_STAGE_GAP, self.received)
        if offset + len(data) > len(self.data):
            raise Refusal(wire.REASON_TOO_LONG, len(self.data))
        self.data[offset : offset + len(data)] = data
        self.received = max(self.received, offset + len(data))
        self.therapy = None

    def verify_program(self, profile, orders):
        """Decodes the complete program and checks it against the pump. Raises Refusal."""
        if self.received < len(self.data):
            raise Refusal(wire.REASON_STAGE_INCOMPLETE, self.received)
        if program_hash(self.data) != self.hash:
            raise Refusal(wire.REASON_STAGE_HASH)
        therapy = Therapy(self.data)
        reason, detail = therapy.check(profile)
        if reason == wire.REASON_DONE:
            reason = orders.check_change(self.data, therapy)
        if reason != wire.REASON_DONE:
            raise Refusal(reason, detail)
        self.therapy = therapy


class Upload(Part):
    """Holds one stage at a time. It is dropped when it is idle for two minutes."""

    def __init__(self, ledger, store, profile, orders):
        self._ledger = ledger
        self._store = store
        self._profile = profile
        self._orders = orders
        self._stage = None
        self._idle_ms = 0

    def answers(self):
        """Returns the method for each request. It writes the reply into `out` of the link and returns its end."""
        return {
            wire.PROGRAM_BEGIN: self._start_stage,
            wire.PROGRAM_CHUNK: self._receive_chunk,
            wire.PROGRAM_VERIFY: self._verify_stage,
            wire.PROGRAM_ABORT: self._abort_stage,
            wire.PROGRAM_READ: self._read_program,
        }

    def pass_time(self, ms):
        """Counts the time. Allocates nothing: it runs with every turn of the loop."""
        if self._stage is not None:
            self._idle_ms += ms

    def next_ms(self):
        """Milliseconds until the stage expires."""
        return NEVER if self._stage is None else _STAGE_MS_MAX - self._idle_ms

    def watch(self):
        """Drops a stage that has expired."""
        if self.next_ms() <= 0:
            self.drop_stage(wire.STAGE_DROP_TIMEOUT)

    def received_bytes(self):
        """Bytes of the stage that have arrived."""
        return 0 if self._stage is None else self._stage.received

    def drop_stage(self, why):
        """Drops the stage, if there is one, and records that. Returns whether there was one."""
        stage = self._stage
        if stage is None:
            return False
        self._stage = None
        self._ledger.write(wire.RECORD_STAGE_DROPPED, why, stage.received, len(stage.data), 0, 0, 0)
        return True

    def commit(self, session, fields):
        """Replaces the program in force by the verified stage. Raises Refusal."""
        stage = self._open_stage()
        if stage.therapy is None:
            raise Refusal(wire.REASON_NOT_VERIFIED)
        if stage.hash != fields[1]:
            raise Refusal(wire.REASON_STAGE_HASH)
        self._orders.commit_program(session, fields, stage)
        self._stage = None

    def _open_stage(self):
        if self._stage is None:
            raise Refusal(wire.REASON_NO_STAGE)
        self._idle_ms = 0
        return self._stage

    def _start_stage(self, link):
        length, expected_hash = link.decode_body(wire.unpack_program_begin_request)
        if length == 0 or length > wire.PROGRAM_BYTES_MAX:
            raise Refusal(wire.REASON_TOO_LONG, wire.PROGRAM_BYTES_MAX)
        stage = self._stage
        if stage is None or stage.hash != expected_hash or len(stage.data) != length:
            self.drop_stage(wire.STAGE_DROP_NEW_STAGE)
            self._stage = Stage(length, expected_hash)
        self._open_stage()
        return wire.pack_program_begin_reply(link.out, wire.HEADER_BYTES, length)

    def _receive_chunk(self, link):
        offset, data = link.decode_body(wire.unpack_program_chunk_request)
        stage = self._open_stage()
        stage.write_chunk(offset, data)
        return wire.pack_program_chunk_reply(link.out, wire.HEADER_BYTES, stage.received)

    def _verify_stage(self, link):
        stage = self._open_stage()
        stage.verify_program(self._profile, self._orders)
        # The host confirms the reading of the guard, which decodes the bytes independently.
        reading = Reading(stage.data)
        figures = reading.figures()
        days, limit = figures["refill"]
        return wire.pack_program_verify_reply(
            link.out,
            wire.HEADER_BYTES,
            reading.therapy_id,
            stage.hash,
            reading.mode,
            figures["daily_steps"],
            figures["daily_volume_nl"],
            days,
            limit,
            reading.bolus_steps_max,
            figures["bridge_ms"],
            figures["doses"],
            reading.drug_names,
            reading.caps,
        )

    def _abort_stage(self, link):
        dropped = self.drop_stage(wire.STAGE_DROP_ABORT)
        return wire.pack_program_abort_reply(link.out, wire.HEADER_BYTES, 1 if dropped else 0)

    def _read_program(self, link):
        (offset,) = link.decode_body(wire.unpack_program_read_request)
        store = self._store
        if not store.program:
            raise Refusal(wire.REASON_NOT_PROGRAMMED)
        data = store.program[offset : offset + wire.CHUNK_BYTES_MAX]
        return wire.pack_program_read_reply(
            link.out, wire.HEADER_BYTES, store.generation, len(store.program), offset, data
        )
