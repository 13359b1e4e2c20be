# From a reset to the loop: what the flash knows, what the reset cost, the proof of the watchdog, the self-tests, and
# whether what was running goes on.

from pump import wire
from pump.dosing.therapy import Therapy
from pump.small_int import mul_div
from pump.storage.records import UNKNOWN
from pump.version import FIRMWARE

_FIRMWARE_PACKED = FIRMWARE[0] << 16 | FIRMWARE[1] << 8 | FIRMWARE[2]


class Boot:
    """Begins a pump whose parts are made. `cause` is why the board was reset; `first_record` and `first_high` are
    what journal and lifetime steps were at before this boot."""

    def __init__(self, pump, distrusted):
        """`distrusted`: the pump starts over because of what it found in RAM (see integrity/ram_check.py)."""
        self._pump = pump
        self._distrusted = distrusted
        ledger = pump.ledger
        ledger.replay()
        self._armed = ledger.facts.watchdog_armed
        # The bite of the proof hides why the board was reset before it.
        self.cause = ledger.facts.boot_cause if self._armed else pump.board.reset_cause
        self.first_high = ledger.facts.high
        self.first_record = ledger.journal.next

    def run(self):
        """Everything up to the loop; while the watchdog is being proven, ready() is still to come."""
        pump, ledger = self._pump, self._pump.ledger
        self._end_boluses(ledger)
        pump.effects.report_damage()
        self._report_loss()
        if self._distrusted:
            pump.effects.raise_alarm(wire.ALARM_SELFTEST_FAILED, 1 << wire.TEST_MEMORY)
        if ledger.facts.clock_was_set:
            pump.effects.raise_alarm(wire.ALARM_CLOCK_UNKNOWN, 0)
        if ledger.facts.generation:
            self._load_therapy()
        pump.supervisor.boot(pump.board.reset_cause, self._armed)
        if pump.supervisor.proving:
            # What the boot took so far, on slow flash half a second, is no part of the wait for the bite.
            pump.clock.update(pump.board.ticks())
        else:
            self.ready()

    def _end_boluses(self, ledger):
        facts = ledger.facts
        bolus, kind, square = facts.open_bolus, facts.open_kind, facts.open_square
        self._write(ledger)
        if bolus:
            # A bolus that a reset cut is over: its lease counts as delivered, and it is never repeated.
            ledger.write(wire.RECORD_BOLUS_END, kind, ledger.facts.low, ledger.facts.high, 0, bolus, 0)
        if square:
            ledger.write(wire.RECORD_SQUARE_END, 0, ledger.facts.low, ledger.facts.high, 0, square, 0)

    def _write(self, ledger):
        ledger.write(
            wire.RECORD_BOOT,
            self._pump.board.reset_cause,
            # The boot before a bite that was wanted never listened to anybody: both count as one.
            ledger.facts.boot_count if self._armed else ledger.facts.boot_count + 1,
            ledger.facts.low,
            ledger.facts.high + ledger.facts.allowance,
            _FIRMWARE_PACKED,
            ledger.journal.voids,
        )

    def _report_loss(self):
        """A flash that something else than this firmware emptied: nothing is known then, and nothing is made up."""
        pump, ledger = self._pump, self._pump.ledger
        known = pump.profile.sound and (pump.profile.commissioned or pump.store.any() or ledger.faults.next)
        if self.first_record == 0 and known:
            pump.effects.raise_alarm(wire.ALARM_THERAPY_LOST, 0)
        elif ledger.has_lost_records():
            pump.effects.raise_alarm(wire.ALARM_JOURNAL_DAMAGED, 0)

    def _load_therapy(self):
        pump, ledger = self._pump, self._pump.ledger
        if not pump.store.load(ledger.facts.generation, ledger.facts.hash_head.to_bytes(4, "little")):
            pump.effects.raise_alarm(wire.ALARM_THERAPY_LOST, ledger.facts.generation)
            return
        pump.effects.mend_store()
        therapy = Therapy(pump.store.program)
        if pump.profile.sound:
            self._recount(therapy)
        pump.delivery.load_therapy(therapy)
        if pump.profile.sound:
            self._judge(therapy)

    def _recount(self, therapy):
        """A pump that was calibrated, and flashed with what came out, has other steps than those that were counted."""
        ledger, profile = self._pump.ledger, self._pump.profile
        old_num, old_den = ledger.facts.step_nl_num, ledger.facts.step_nl_den
        if not old_num:
            old_num, old_den = therapy.step_nl_num, therapy.step_nl_den
        num, den = profile.step_nl_num, profile.step_nl_den
        if mul_div(old_num, den, num) == (old_den, 0):
            return
        content = ledger.facts.reservoir
        if content != UNKNOWN:
            # At a boot, never while dosing: these products may need heap integers.
            content = content * (old_num * den) // (old_den * num)
        ledger.write(wire.RECORD_CALIBRATION, 0, num, den, old_num, old_den, content)

    def _judge(self, therapy):
        """A therapy that this pump would not take now is not delivered either: its steps mean something else."""
        reason, _ = therapy.check(self._pump.profile)
        if reason == wire.REASON_DONE:
            self._pump.effects.end_alarm(wire.ALARM_THERAPY_UNFIT)
        else:
            self._pump.effects.raise_alarm(wire.ALARM_THERAPY_UNFIT, reason)

    def ready(self):
        """The watchdog is known to bite, or to be none: self-tests, then what was running goes on."""
        pump = self._pump
        resets = pump.ledger.facts.boots_within(pump.profile.resets_ms)
        if resets > pump.profile.resets_max:
            pump.effects.raise_alarm(wire.ALARM_RESETS_REPEATED, resets)
        pump.selftest.at_boot()
        pump.selftest.judge()
        pump.monitor.judge()
        pump.delivery.ram_check.renew_checksum()
        if pump.ledger.facts.running:
            self._resume()

    def _resume(self):
        pump, ledger = self._pump, self._pump.ledger
        # With records lost that no later one repeats, nobody knows whether it is to run.
        unknown = ledger.journal.lost or ledger.has_lost_records() or pump.delivery.therapy is None
        if unknown or pump.alarms.on(wire.ALARMS_SAFE | wire.ALARMS_HALT):
            ledger.halt(wire.STOP_REASON_FAULT)
            return
        pump.delivery.resume_delivery()
        pump.effects.renew_lease()
