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
        local = clock.known
        return wire.pack_status_reply(
            link.out,
            wire.HEADER_BYTES,
            delivery=delivery.state(),
            stop_reason=facts.stop_reason,
            mode=therapy.mode if therapy is not None else wire.MODE_STOPPED,
            alarms=facts.latched,
            generation=facts.generation,
            therapy_id=therapy.therapy_id if therapy is not None else bytes(8),
            day=clock.day,
            ms=clock.ms,
            clock_known=1 if local else 0,
            local_days=clock.local_days() if local else 0,
            local_ms=clock.local_ms() if local else 0,
            low_steps=facts.low,
            high_steps=facts.high,
            missed_steps=facts.missed,
            rate_num=num,
            rate_den=den,
            bolus_left_steps=schedule.bolus_left,
            reservoir_steps=facts.reservoir if known else 0,
            reservoir_known=1 if known else 0,
            battery_mv=self._monitor.battery.mv,
            journal_first=journal.first(),
            journal_next=journal.next,
            boot_count=facts.boot_count,
            bad_frames=link.bad_frames,
            staged_bytes=self._upload.received_bytes(),
            bolus_kind=facts.bolus_kind,
            square_left_steps=schedule.square_left,
            lockout_left_ms=orders.lockout_left_ms(),
            patient_left=orders.patient_boluses_left(),
            bridge_left_steps=plan.bridge_left,
            pattern_lag_ms=plan.lag_ms(),
            titration_day=plan.titration_day,
            window_ng=delivery.guard.window_rows(),
            priority=facts.priority,
            silenced_ms=alarms.silenced_ms,
            empty_minutes=delivery.empty_minutes(),
            stopped_ms=self._standstill.stopped_ms(),
            paired=1 if gate.paired else 0,
            session_role=gate.role(),
            session_left_ms=gate.left_ms(),
            bad_tags=gate.bad_tags,
            replays=gate.replays,
            sessionless=gate.sessionless,
            step_nl_num=profile.step_nl_num,
            step_nl_den=profile.step_nl_den,
            path_nl=therapy.path_nl if therapy is not None else 0,
            path_filled_nl=0,
            old_left_steps=0,
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
