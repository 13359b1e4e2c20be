# What each message does. Form was checked by the link, and the gate says who may send it; here are command ids, the
# stage, and the answers.

from binascii import crc32

from pump import wire
from pump.dosing.therapy import Therapy
from pump.guard.program import Program
from pump.link.session import Gate
from pump.link.upload import STAGE_ABORTED, STAGE_REPLACED, STAGE_TIMEOUT, Stage
from pump.refusal import Refusal
from pump.storage.outcomes import Outcome
from pump.storage.records import UNKNOWN
from pump.storage.therapy_store import program_hash
from pump.version import FIRMWARE
from pump.wire import const

_STAGE_MS_MAX = const(120_000)
_RECORDS_MAX = const(25)
_SHOWN_MAX = const(65_535)
_BROADCAST = b"\x00\x00\x00\x00"
_COMMAND_ID_BYTES = const(8)


class Commands:
    def __init__(self, pump, link):
        self._pump = pump
        self._link = link
        self.gate = Gate(pump.board, pump.device_id)
        self.stage = None
        self._record = bytearray(wire.RECORD_BYTES)
        self._asks = {
            wire.HELLO: self._hello,
            wire.SESSION_OPEN: self._session_open,
            wire.SESSION_CLOSE: self._session_close,
            wire.STATUS: self._status,
            wire.THERAPY_BEGIN: self._therapy_begin,
            wire.THERAPY_CHUNK: self._therapy_chunk,
            wire.THERAPY_VERIFY: self._therapy_verify,
            wire.THERAPY_ABORT: self._therapy_abort,
            wire.THERAPY_READ: self._therapy_read,
            wire.OUTCOME: self._outcome,
            wire.JOURNAL_INFO: self._journal_info,
            wire.JOURNAL_READ: self._journal_read,
            wire.FAULT_INFO: self._journal_info,
            wire.FAULT_READ: self._journal_read,
            wire.SELFTEST: self._selftest,
            wire.COUNTERS: self._counters,
            wire.MEMORY: self._memory,
            wire.SENSORS: self._sensors,
            wire.SERVICE: self._service,
            wire.TELEMETRY_TABLE: self._telemetry_table,
        }
        # Answered later, and more than once.
        self._streams = {
            wire.JOURNAL_STREAM: pump.stream.ask,
            wire.TELEMETRY_SUBSCRIBE: pump.telemetry.ask,
        }
        orders = pump.orders
        # Decoder of the request, and what carries it out.
        self._acts = {
            wire.THERAPY_COMMIT: (wire.unpack_therapy_commit_request, self._therapy_commit),
            wire.START: (wire.unpack_start_request, orders.start),
            wire.STOP: (wire.unpack_stop_request, orders.stop),
            wire.BOLUS: (wire.unpack_bolus_request, orders.bolus),
            wire.BOLUS_CANCEL: (wire.unpack_bolus_cancel_request, orders.bolus_cancel),
            wire.PATIENT_BOLUS: (wire.unpack_patient_bolus_request, orders.patient_bolus),
            wire.SQUARE_BOLUS: (wire.unpack_square_bolus_request, orders.square_bolus),
            wire.SQUARE_CANCEL: (wire.unpack_square_cancel_request, orders.square_cancel),
            wire.PRIME_ARM: (wire.unpack_prime_arm_request, orders.prime_arm),
            wire.PRIME: (wire.unpack_prime_request, orders.prime),
            wire.PATENCY: (wire.unpack_patency_request, orders.patency),
            wire.REFILL: (wire.unpack_refill_request, orders.refill),
            wire.ALARM_CLEAR: (wire.unpack_alarm_clear_request, orders.alarm_clear),
            wire.ALARM_SILENCE: (wire.unpack_alarm_silence_request, orders.silence),
            wire.CLOCK_SET: (wire.unpack_clock_set_request, orders.clock_set),
            wire.IMPLANT: (wire.unpack_implant_request, orders.implant),
        }

    def needs_flash(self):
        """Whether the waiting request writes flash, and may wait until no step is near. STOP never waits."""
        message = self._link.type
        if message == wire.STOP:
            return False
        return message in self._acts or message in (wire.THERAPY_BEGIN, wire.THERAPY_ABORT, wire.SESSION_CLOSE)

    def handle(self):
        """Answer the waiting request."""
        self._link.answer = None
        try:
            self._handle()
        except Refusal as refusal:
            self._reject(refusal.reason, refusal.detail)
        except ValueError:
            # A stop that cannot be read has stopped all the same.
            self._pump.settle()
            self._reject(wire.REASON_MALFORMED, 0)

    def _handle(self):
        link = self._link
        self._check_address(link)
        if link.type == wire.STOP:
            # Before anything else is judged: it is taken from anyone, however wrong the rest is.
            self._pump.halt_motion()
        self._admit(link)
        ask = self._asks.get(link.type)
        if ask is not None:
            out = link.out()
            link.reply(link.type | 0x80, ask(link, out))
            return
        stream = self._streams.get(link.type)
        if stream is not None:
            stream(link)
            link.answer = None
            link.pending = False
            return
        unpack, act = self._acts[link.type]
        self._carry_out(unpack(link.frame, link.body, link.body_end), act)

    def _check_address(self, link):
        if link.version != wire.PROTOCOL_VERSION:
            raise Refusal(wire.REASON_WRONG_VERSION, wire.PROTOCOL_VERSION)
        if link.device != self._pump.device_id and not (link.type == wire.HELLO and link.device == _BROADCAST):
            raise Refusal(wire.REASON_WRONG_DEVICE)

    def _admit(self, link):
        try:
            self.gate.admit(link)
        except Refusal:
            if link.type != wire.STOP:
                raise
        finally:
            if self.gate.changed:
                # What another session staged is not this one's to commit.
                self.gate.changed = False
                self._drop_stage(STAGE_ABORTED)

    def _reject(self, reason, detail):
        out = self._link.out()
        self._link.reply(wire.REJECTED, wire.pack_rejected(out, self._link.body_out, self._link.type, reason, detail))

    # Commands: at most once each

    def _carry_out(self, fields, act):
        link, ledger = self._link, self._pump.ledger
        message, host, counter = link.type, fields[0], fields[1]
        if not self._pump.profile.sound:
            # Where the flash is to be written, the settings do not say for sure: nothing could be made durable.
            raise Refusal(wire.REASON_SAFE_STATE, ledger.facts.alarms)
        if message == wire.STOP and link.answer is None:
            self._stop_for_anyone(host, counter)
            return
        if counter > wire.COUNT_MAX:
            raise ValueError
        content = crc32(memoryview(link.frame)[link.body + _COMMAND_ID_BYTES : link.body_end]) & wire.COUNT_MAX
        newest = ledger.watermark(host)
        if counter <= newest:
            # Only a new counter is a new record; a stop has stopped all the same.
            self._pump.settle()
            self._answer_again(ledger.outcome(host), message, counter, content)
            return
        ledger.commanded_by(link.answer.role, content)
        try:
            act(fields)
        except Refusal as refusal:
            self._pump.orders.refuse(host, counter, message, refusal.reason)
        ledger.commanded_by(wire.ROLE_NONE, 0)
        if self._pump.distrusted or ledger.corrupted:
            # What it came to is not known before the pump has started over: no answer is the honest one.
            return
        self._answer(ledger.outcome(host))

    def _stop_for_anyone(self, host, counter):
        """A stop that no key vouches for: nothing of it counts for the host that it names. A pump that is stopped
        already writes nothing, so that a flood wears no flash."""
        pump, ledger = self._pump, self._pump.ledger
        counter &= wire.COUNT_MAX
        record = ledger.journal.next - 1
        facts = ledger.facts
        if facts.running or facts.bolus_left or facts.square_left:
            record = pump.orders.stop((host, counter))
        self._answer(Outcome(host, counter, wire.STOP, wire.REASON_DONE, 0, facts.low, facts.high, record))

    def _answer_again(self, known, message, counter, content):
        if known is None or counter < known.counter:
            raise Refusal(wire.REASON_COUNTER_OLD, self._pump.ledger.facts.floor if known is None else known.counter)
        # After a reset the content is not known any more.
        if known.type != message or known.content not in (0, content):
            raise Refusal(wire.REASON_COUNTER_USED, known.counter)
        self._answer(known)

    def _answer(self, outcome):
        self._link.reply(self._link.type | 0x80, self._pack_outcome(self._link.out(), outcome))

    def _pack_outcome(self, out, known):
        return wire.pack_outcome(
            out,
            self._link.body_out,
            known.host,
            known.counter,
            known.reason,
            known.accepted,
            known.low,
            known.high,
            known.record,
        )

    def _outcome(self, link, out):
        host, counter = wire.unpack_outcome_request(link.frame, link.body, link.body_end)
        ledger = self._pump.ledger
        known, newest = ledger.outcome(host), ledger.watermark(host)
        if counter > newest:
            raise Refusal(wire.REASON_OUTCOME_UNKNOWN, newest)
        if known is None or counter < newest:
            # It may have been carried out: the journal knows.
            raise Refusal(wire.REASON_COUNTER_OLD, newest)
        return self._pack_outcome(out, known)

    # Sessions

    def _session_open(self, link, out):
        role, host, nonce = wire.unpack_session_open_request(link.frame, link.body, link.body_end)
        ledger = self._pump.ledger
        if ledger.journal.failed:
            # The boot count may not be durable, and no command could be.
            raise Refusal(wire.REASON_FLASH_FAILED)
        link.answer, mine = self.gate.offer(role, host, nonce, ledger.facts.boot_count)
        return wire.pack_session_open_reply(
            out,
            link.body_out,
            mine,
            ledger.facts.boot_count,
            wire.SESSION_IDLE_MS,
            ledger.watermark(host),
            ledger.journal.next,
            ledger.journal.chain(),
        )

    def _session_close(self, link, out):
        self._drop_stage(STAGE_ABORTED)
        self.gate.close()
        journal = self._pump.ledger.journal
        return wire.pack_session_close_reply(out, link.body_out, journal.next, journal.chain())

    # Asking

    def _hello(self, link, out):
        wire.unpack_hello_request(link.frame, link.body, link.body_end)
        pump = self._pump
        board = pump.board
        major, minor, patch = FIRMWARE
        return wire.pack_hello_reply(
            out,
            link.body_out,
            wire.PROTOCOL_VERSION,
            wire.SCHEMA_HASH,
            pump.device_id,
            major,
            minor,
            patch,
            pump.ledger.facts.boot_count,
            pump.boot.cause,
            wire.BODY_BYTES_MAX,
            board.heap_free(),
            board.name.encode(),
            board.runtime.encode(),
            pump.profile.name.encode(),
        )

    def _status(self, link, out):
        pump = self._pump
        ledger, clock = pump.ledger, pump.clock
        therapy = pump.therapy
        num, den = pump.rate()
        return wire.pack_status_reply(
            out,
            link.body_out,
            pump.delivery(),
            ledger.facts.stop_reason,
            therapy.mode if therapy is not None else wire.MODE_STOPPED,
            ledger.facts.alarms,
            ledger.facts.generation,
            therapy.therapy_id if therapy is not None else bytes(8),
            clock.day,
            clock.ms,
            1 if clock.known else 0,
            clock.local_days() if clock.known else 0,
            clock.local_ms() if clock.known else 0,
            ledger.facts.low,
            ledger.facts.high,
            ledger.facts.missed,
            num,
            den,
            pump.schedule.bolus_left,
            pump.reservoir(),
            1 if pump.reservoir_known() else 0,
            pump.monitor.battery.mv,
            ledger.journal.first(),
            ledger.journal.next,
            ledger.facts.boot_count,
            link.bad_frames,
            self.stage.received if self.stage is not None else 0,
            ledger.facts.bolus_kind,
            pump.schedule.square_left,
            pump.orders.lockout_left_ms(),
            pump.orders.patient_left(),
            pump.plan.bridge_left,
            pump.plan.lag_ms(),
            pump.plan.titration_day,
            pump.guard.windows(),
            pump.alarms.priority(),
            pump.alarms.silenced_ms,
            pump.empty_minutes(),
            pump.standstill.ms(),
            1 if self.gate.paired else 0,
            self.gate.role(),
            self.gate.left_ms(),
            self.gate.bad_tags,
            self.gate.replays,
            self.gate.sessionless,
            pump.profile.step_nl_num,
            pump.profile.step_nl_den,
        )

    def _selftest(self, link, out):
        tests = self._pump.selftest
        return wire.pack_selftest_reply(out, link.body_out, tests.boot_ms, tests.since_ms, tests.rows())

    def _counters(self, link, out):
        pump = self._pump
        wakes = pump.wakes.by_cause
        return wire.pack_counters_reply(
            out,
            link.body_out,
            pump.wakes.up_minutes,
            pump.ledger.facts.high - pump.boot.first_high,
            wakes[0],
            wakes[1],
            wakes[2],
            wakes[3],
            wakes[4],
            pump.alarms.tones,
            pump.ledger.journal.next - pump.boot.first_record,
        )

    def _sensors(self, link, out):
        return wire.pack_sensors_reply(out, link.body_out, self._pump.monitor.rows())

    def _service(self, link, out):
        pump = self._pump
        ledger, service = pump.ledger, pump.service
        left_days, left_ms = service.left()
        return wire.pack_service_reply(
            out,
            link.body_out,
            ledger.facts.implant_days,
            service.cap_days(),
            ledger.facts.replacement_local,
            left_ms,
            left_days,
            UNKNOWN if ledger.facts.filled_steps == UNKNOWN else pump.clock.day - ledger.facts.filled_day,
        )

    def _ring(self, link):
        """The ring that a request means: faults and journal are read in the same way."""
        ledger = self._pump.ledger
        return ledger.faults if link.type in (wire.FAULT_INFO, wire.FAULT_READ) else ledger.journal

    def _memory(self, link, out):
        ledger, store = self._pump.ledger, self._pump.store
        journal, faults = ledger.journal, ledger.faults
        return wire.pack_memory_reply(
            out,
            link.body_out,
            journal.first(),
            journal.next,
            journal.sectors(),
            journal.opened(),
            min(journal.voids, _SHOWN_MAX),
            min(journal.damaged, _SHOWN_MAX),
            faults.first(),
            faults.next,
            faults.sectors(),
            faults.opened(),
            min(faults.voids, _SHOWN_MAX),
            min(faults.damaged, _SHOWN_MAX),
            ledger.facts.generation,
            min(store.mended, _SHOWN_MAX),
        )

    def _journal_info(self, link, out):
        journal = self._ring(link)
        return wire.pack_journal_info_reply(out, link.body_out, journal.first(), journal.next, journal.chain())

    def _journal_read(self, link, out):
        first, count = wire.unpack_journal_read_request(link.frame, link.body, link.body_end)
        journal = self._ring(link)
        if first < journal.first():
            raise Refusal(wire.REASON_RECORD_GONE, journal.first())
        if first >= journal.next:
            raise Refusal(wire.REASON_RECORD_FUTURE, journal.next)
        count = min(count, _RECORDS_MAX, journal.next - first)
        records = bytearray(count * wire.RECORD_BYTES)
        for at in range(count):
            if not journal.read(first + at, self._record):
                raise Refusal(wire.REASON_RECORD_GONE, first + at + 1)
            records[at * wire.RECORD_BYTES : (at + 1) * wire.RECORD_BYTES] = self._record
        return wire.pack_journal_read_reply(out, link.body_out, first, records)

    def _telemetry_table(self, link, out):
        return wire.pack_telemetry_table_reply(out, link.body_out, wire.TELEMETRY_SUM, wire.TELEMETRY_TEXT)

    # Therapy transfer

    def expire_stage(self):
        self._drop_stage(STAGE_TIMEOUT)

    def stage_left_ms(self):
        return _STAGE_MS_MAX - self.stage.idle_ms if self.stage is not None else 0x3FFFFFFF

    def _drop_stage(self, why):
        stage = self.stage
        self.stage = None
        if stage is not None:
            self._pump.ledger.write(
                wire.RECORD_STAGE_DROPPED, why, stage.received, len(stage.data), 0, 0, 0
            )

    def _open_stage(self):
        if self.stage is None:
            raise Refusal(wire.REASON_NO_STAGE)
        self.stage.idle_ms = 0
        return self.stage

    def _therapy_begin(self, link, out):
        length, expected_hash = wire.unpack_therapy_begin_request(link.frame, link.body, link.body_end)
        if length == 0 or length > wire.THERAPY_BYTES_MAX:
            raise Refusal(wire.REASON_TOO_LONG, wire.THERAPY_BYTES_MAX)
        if self.stage is None or self.stage.hash != expected_hash or len(self.stage.data) != length:
            self._drop_stage(STAGE_REPLACED)
            self.stage = Stage(length, expected_hash)
        self._open_stage()
        return wire.pack_therapy_begin_reply(out, link.body_out, length)

    def _therapy_chunk(self, link, out):
        offset, data = wire.unpack_therapy_chunk_request(link.frame, link.body, link.body_end)
        stage = self._open_stage()
        if offset > stage.received:
            raise Refusal(wire.REASON_STAGE_GAP, stage.received)
        if offset + len(data) > len(stage.data):
            raise Refusal(wire.REASON_TOO_LONG, len(stage.data))
        stage.data[offset : offset + len(data)] = data
        stage.received = max(stage.received, offset + len(data))
        stage.therapy = None
        return wire.pack_therapy_chunk_reply(out, link.body_out, stage.received)

    def _therapy_verify(self, link, out):
        stage = self._open_stage()
        if stage.received < len(stage.data):
            raise Refusal(wire.REASON_STAGE_INCOMPLETE, stage.received)
        if program_hash(stage.data) != stage.hash:
            raise Refusal(wire.REASON_STAGE_HASH)
        therapy = Therapy(stage.data)
        reason, detail = therapy.check(self._pump.profile)
        if reason == wire.REASON_DONE:
            reason = self._pump.orders.check_against(stage.data, therapy)
        if reason != wire.REASON_DONE:
            raise Refusal(reason, detail)
        stage.therapy = therapy
        program = Program(stage.data)
        read = program.reading()
        days, limit = read["refill"]
        return wire.pack_therapy_verify_reply(
            out,
            link.body_out,
            program.therapy_id,
            stage.hash,
            program.mode,
            program.drug,
            read["daily_steps"],
            read["daily_dose_ng"],
            read["daily_volume_nl"],
            read["hour_dose_ng"],
            days,
            limit,
            program.bolus_steps_max,
            read["weekly_dose_ng"],
            read["periodic_dose_ng"],
            read["patient_dose_ng"],
            read["bridge_ms"],
            program.caps,
        )

    def _therapy_commit(self, fields):
        host, counter, expected_hash = fields
        stage = self._open_stage()
        if stage.therapy is None:
            raise Refusal(wire.REASON_NOT_VERIFIED)
        if stage.hash != expected_hash:
            raise Refusal(wire.REASON_STAGE_HASH)
        self._pump.orders.commit(host, counter, stage)
        self.stage = None

    def _therapy_abort(self, link, out):
        dropped = self.stage is not None
        self._drop_stage(STAGE_ABORTED)
        return wire.pack_therapy_abort_reply(out, link.body_out, 1 if dropped else 0)

    def _therapy_read(self, link, out):
        (offset,) = wire.unpack_therapy_read_request(link.frame, link.body, link.body_end)
        store = self._pump.store
        if not store.program:
            raise Refusal(wire.REASON_NOT_PROGRAMMED)
        data = store.program[offset : offset + wire.CHUNK_BYTES_MAX]
        return wire.pack_therapy_read_reply(
            out, link.body_out, store.generation, len(store.program), offset, data
        )
