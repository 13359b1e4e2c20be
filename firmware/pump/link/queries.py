# Read requests. answers() names the method for each: it writes the body of the reply into `out` of the link and returns
# its end. It changes nothing.

from const import const

from pump import wire
from pump.refusal import Refusal
from pump.storage.records import UNKNOWN
from pump.version import FIRMWARE

_RECORDS_MAX = const(25)
_SHOWN_MAX = const(65_535)


class PumpQueries:
    """Answers questions about the pump: who it is, what it does, the state of its parts."""

    def __init__(
        self,
        board,
        profile,
        clock,
        ledger,
        boot,
        delivery,
        orders,
        alarms,
        monitor,
        standstill,
        service,
        selftest,
        wakes,
        gate,
        upload,
    ):
        self._board = board
        self._profile = profile
        self._clock = clock
        self._ledger = ledger
        self._boot = boot
        self._delivery = delivery
        self._orders = orders
        self._alarms = alarms
        self._monitor = monitor
        self._standstill = standstill
        self._service = service
        self._selftest = selftest
        self._wakes = wakes
        self._gate = gate
        self._upload = upload

    def answers(self):
        return {
            wire.HELLO: self._answer_hello,
            wire.STATUS: self._answer_status,
            wire.SELFTEST: self._answer_selftest,
            wire.COUNTERS: self._answer_counters,
            wire.SENSORS: self._answer_sensors,
            wire.SERVICE: self._answer_service,
            wire.TELEMETRY_TABLE: self._answer_telemetry_table,
        }

    def _answer_hello(self, link):
        link.decode_body(wire.unpack_hello_request)
        board = self._board
        major, minor, patch = FIRMWARE
        return wire.pack_hello_reply(
            link.out,
            wire.HEADER_BYTES,
            wire.PROTOCOL_VERSION,
            wire.SCHEMA_HASH,
            board.device_id,
            major,
            minor,
            patch,
            self._ledger.facts.boot_count,
            self._boot.cause,
            wire.BODY_BYTES_MAX,
            board.heap_free(),
            board.name.encode(),
            board.runtime.encode(),
            self._profile.name.encode(),
        )

    def _answer_status(self, link):
        ledger, clock, gate, profile = self._ledger, self._clock, self._gate, self._profile
        delivery, orders, alarms = self._delivery, self._orders, self._alarms
        facts, journal = ledger.facts, ledger.journal
        therapy, schedule, plan = delivery.therapy, delivery.schedule, delivery.plan
        num, den = delivery.rate()
        known = facts.reservoir != UNKNOWN
        return wire.pack_status_reply(
            link.out,
            wire.HEADER_BYTES,
            delivery.state(),
            facts.stop_reason,
            therapy.mode if therapy is not None else wire.MODE_STOPPED,
            facts.alarms,
            facts.generation,
            therapy.therapy_id if therapy is not None else bytes(8),
            clock.day,
            clock.ms,
            1 if clock.known else 0,
            clock.local_days() if clock.known else 0,
            clock.local_ms() if clock.known else 0,
            facts.low,
            facts.high,
            facts.missed,
            num,
            den,
            schedule.bolus_left,
            facts.reservoir if known else 0,
            1 if known else 0,
            self._monitor.battery.mv,
            journal.first(),
            journal.next,
            facts.boot_count,
            link.bad_frames,
            self._upload.received_bytes(),
            facts.bolus_kind,
            schedule.square_left,
            orders.lockout_left_ms(),
            orders.patient_boluses_left(),
            plan.bridge_left,
            plan.lag_ms(),
            plan.titration_day,
            delivery.guard.window_rows(),
            alarms.priority(),
            alarms.silenced_ms,
            delivery.empty_minutes(),
            self._standstill.stopped_ms(),
            1 if gate.paired else 0,
            gate.role(),
            gate.left_ms(),
            gate.bad_tags,
            gate.replays,
            gate.sessionless,
            profile.step_nl_num,
            profile.step_nl_den,
        )

    def _answer_selftest(self, link):
        tests = self._selftest
        return wire.pack_selftest_reply(link.out, wire.HEADER_BYTES, tests.boot_ms, tests.since_ms, tests.rows())

    def _answer_counters(self, link):
        ledger, boot, wakes = self._ledger, self._boot, self._wakes
        by_cause = wakes.by_cause
        return wire.pack_counters_reply(
            link.out,
            wire.HEADER_BYTES,
            wakes.up_minutes,
            ledger.facts.high - boot.first_high,
            by_cause[0],
            by_cause[1],
            by_cause[2],
            by_cause[3],
            by_cause[4],
            self._alarms.tones,
            ledger.journal.next - boot.first_record,
        )

    def _answer_sensors(self, link):
        return wire.pack_sensors_reply(link.out, wire.HEADER_BYTES, self._monitor.rows())

    def _answer_service(self, link):
        facts, service = self._ledger.facts, self._service
        left_days, left_ms = service.time_left()
        return wire.pack_service_reply(
            link.out,
            wire.HEADER_BYTES,
            facts.implant_days,
            service.cap_days(),
            facts.replacement_local,
            left_ms,
            left_days,
            UNKNOWN if facts.filled_steps == UNKNOWN else self._clock.day - facts.filled_day,
        )

    def _answer_telemetry_table(self, link):
        return wire.pack_telemetry_table_reply(link.out, wire.HEADER_BYTES, wire.TELEMETRY_SUM, wire.TELEMETRY_TEXT)


class FlashQueries:
    """Answers questions about the flash: the two rings, which are read in the same way, and their state."""

    def __init__(self, ledger, store):
        self._ledger = ledger
        self._store = store
        self._record = bytearray(wire.RECORD_BYTES)

    def answers(self):
        return {
            wire.JOURNAL_INFO: self._answer_info,
            wire.JOURNAL_READ: self._answer_read,
            wire.FAULT_INFO: self._answer_info,
            wire.FAULT_READ: self._answer_read,
            wire.MEMORY: self._answer_memory,
        }

    def _ring(self, link):
        """The ring that the request names."""
        ledger = self._ledger
        return ledger.faults if link.type in (wire.FAULT_INFO, wire.FAULT_READ) else ledger.journal

    def _answer_info(self, link):
        ring = self._ring(link)
        return wire.pack_journal_info_reply(link.out, wire.HEADER_BYTES, ring.first(), ring.next, ring.chain())

    def _answer_read(self, link):
        first, count = link.decode_body(wire.unpack_journal_read_request)
        ring = self._ring(link)
        if first < ring.first():
            raise Refusal(wire.REASON_RECORD_GONE, ring.first())
        if first >= ring.next:
            raise Refusal(wire.REASON_RECORD_FUTURE, ring.next)
        count = min(count, _RECORDS_MAX, ring.next - first)
        records = bytearray(count * wire.RECORD_BYTES)
        for at in range(count):
            if not ring.read(first + at, self._record):
                raise Refusal(wire.REASON_RECORD_GONE, first + at + 1)
            records[at * wire.RECORD_BYTES : (at + 1) * wire.RECORD_BYTES] = self._record
        return wire.pack_journal_read_reply(link.out, wire.HEADER_BYTES, first, records)

    def _answer_memory(self, link):
        ledger, store = self._ledger, self._store
        journal, faults = ledger.journal, ledger.faults
        return wire.pack_memory_reply(
            link.out,
            wire.HEADER_BYTES,
            journal.first(),
            journal.next,
            journal.sectors(),
            journal.opened_sectors(),
            min(journal.voids, _SHOWN_MAX),
            min(journal.damaged, _SHOWN_MAX),
            faults.first(),
            faults.next,
            faults.sectors(),
            faults.opened_sectors(),
            min(faults.voids, _SHOWN_MAX),
            min(faults.damaged, _SHOWN_MAX),
            ledger.facts.generation,
            min(store.mended, _SHOWN_MAX),
        )
