# From a reset to the loop: replay, what the reset cost, the program in force, the proof of the watchdog, self-tests. At
# the end delivery resumes if it was running.

from pump import wire
from pump.dosing.therapy import Therapy
from pump.part import NEVER
from pump.small_int import mul_div
from pump.storage.records import UNKNOWN
from pump.version import FIRMWARE

_FIRMWARE_PACKED = FIRMWARE[0] << 16 | FIRMWARE[1] << 8 | FIRMWARE[2]


class Boot:
    """Starts a pump whose parts are made. `cause` is why the board was reset. `first_record` and `first_high` are what
    journal and lifetime steps were at before this boot."""

    def __init__(
        self,
        board,
        profile,
        clock,
        ledger,
        store,
        delivery,
        effects,
        supervisor,
        monitor,
        selftest,
        distrusted,
    ):
        """`distrusted`: the pump starts over because of what was found in RAM (see integrity/ram_check.py)."""
        self._board = board
        self._profile = profile
        self._clock = clock
        self._ledger = ledger
        self._facts = ledger.facts
        self._store = store
        self._delivery = delivery
        self._effects = effects
        self._supervisor = supervisor
        self._monitor = monitor
        self._selftest = selftest
        self._distrusted = distrusted
        self._armed = False
        self.cause = wire.RESET_CAUSE_UNKNOWN
        self.first_high = 0
        self.first_record = 0

    def run(self):
        """Does everything from the reset to the loop. While the watchdog is being proven, finish() is still to come."""
        began = self._clock.ticks()
        # The motor comes first: nothing moves before its lease is known.
        self._delivery.motor.secure()
        self._monitor.take_first_samples()
        self._replay_journal()
        self._record_boot()
        self._report_loss()
        self._report_doubts()
        if self._facts.generation:
            self._load_program()
        self._prove_watchdog()
        self._selftest.set_boot_ms((self._board.ticks() - began) & NEVER)

    def finish(self):
        """Tests the pump, and resumes delivery if it was running. The watchdog is proven, or none."""
        resets = self._facts.count_boots(self._profile.resets_ms)
        if resets > self._profile.resets_max:
            self._effects.raise_alarm(wire.ALARM_RESETS_REPEATED, resets)
        self._selftest.run_at_boot()
        self._selftest.report_failures()
        self._monitor.update_alarms()
        self._delivery.ram_check.renew_checksum()
        if self._facts.running:
            self._resume_delivery()

    # The steps

    def _replay_journal(self):
        ledger, facts = self._ledger, self._facts
        ledger.replay()
        self._armed = facts.watchdog_armed
        # The bite of the proof hides why the board was reset before it.
        self.cause = facts.boot_cause if self._armed else self._board.reset_cause
        self.first_high = facts.high
        self.first_record = ledger.journal.next

    def _record_boot(self):
        """Records the boot, and the end of each bolus that was open. The open lease counts as delivered, and a bolus
        that a reset cut is not repeated."""
        ledger, facts = self._ledger, self._facts
        # As the journal has them: the record of the boot changes nothing of them, but they must not depend on it.
        bolus, kind, square = facts.open_bolus, facts.open_kind, facts.open_square
        # The boot that ended with the bite of the proof had no loop: both count as one.
        count = facts.boot_count if self._armed else facts.boot_count + 1
        high = facts.high + facts.allowance
        voids = ledger.journal.voids
        ledger.write(wire.RECORD_BOOT, self._board.reset_cause, count, facts.low, high, _FIRMWARE_PACKED, voids)
        if bolus:
            # What was delivered of it is not known.
            code = kind << wire.SHIFT_BOLUS_END_BOLUS_KIND | wire.END_REASON_RESET << wire.SHIFT_BOLUS_END_END_REASON
            ledger.write(wire.RECORD_BOLUS_END, code, facts.low, facts.high, 0, bolus, bolus)
        if square:
            ledger.write(wire.RECORD_SQUARE_END, wire.END_REASON_RESET, facts.low, facts.high, 0, square, square)

    def _report_loss(self):
        """Reports a flash that something else than this firmware changed. Facts that are lost stay unknown."""
        if self._ledger.is_foreign():
            # Nothing of it can be told here. The self-test of the journal fails, and its alarm stops the pump.
            return
        self._effects.report_damage()
        profile = self._profile
        used = profile.commissioned or self._store.has_copy() or self._ledger.faults.next
        if self.first_record == 0 and profile.is_valid and used:
            self._effects.raise_alarm(wire.ALARM_THERAPY_LOST, 0)
        elif self._ledger.has_lost_records():
            self._effects.raise_alarm(wire.ALARM_JOURNAL_DAMAGED, 0)

    def _report_doubts(self):
        if self._distrusted:
            self._effects.raise_alarm(wire.ALARM_SELFTEST_FAILED, 1 << wire.TEST_MEMORY)
        if self._facts.clock_was_set:
            self._effects.raise_alarm(wire.ALARM_CLOCK_UNKNOWN, 0)

    def _load_program(self):
        store, facts = self._store, self._facts
        if not store.load_program(facts.generation, facts.hash_head):
            self._effects.raise_alarm(wire.ALARM_THERAPY_LOST, facts.generation)
            return
        self._effects.mend_store()
        therapy = Therapy(store.program)
        if self._profile.is_valid:
            self._convert_steps(therapy)
        self._delivery.load_therapy(therapy)
        if self._profile.is_valid:
            self._judge_therapy(therapy)

    def _convert_steps(self, therapy):
        """Converts the content into the steps of a pump that was calibrated since, and flashed with the result."""
        facts, profile = self._facts, self._profile
        old_num, old_den = facts.step_nl_num, facts.step_nl_den
        if not old_num:
            old_num, old_den = therapy.step_nl_num, therapy.step_nl_den
        num, den = profile.step_nl_num, profile.step_nl_den
        if mul_div(old_num, den, num) == (old_den, 0):
            return
        content = facts.reservoir
        if content != UNKNOWN:
            # At a boot, never while dosing: these products may need heap integers.
            content = content * (old_num * den) // (old_den * num)
        self._ledger.write(wire.RECORD_CALIBRATION, 0, num, den, old_num, old_den, content)

    def _judge_therapy(self, therapy):
        """Raises an alarm about a therapy that this pump would refuse now: its steps mean something else."""
        reason, _ = therapy.check(self._profile)
        if reason == wire.REASON_DONE:
            self._effects.end_alarm(wire.ALARM_THERAPY_UNFIT)
        else:
            self._effects.raise_alarm(wire.ALARM_THERAPY_UNFIT, reason)

    def _prove_watchdog(self):
        self._supervisor.start_proof(self._board.reset_cause, self._armed)
        if self._supervisor.proving:
            # The time that the boot has needed, on slow flash half a second, is no part of the wait for the bite.
            self._clock.update(self._board.ticks())
        else:
            self.finish()

    def _resume_delivery(self):
        ledger, facts = self._ledger, self._facts
        # If records are lost that no later one repeats, it is not known whether the pump was to run.
        unknown = ledger.journal.lost or ledger.has_lost_records() or self._delivery.therapy is None
        if unknown or facts.traits & (wire.TRAIT_SAFE | wire.TRAIT_HALT):
            ledger.record_halt(wire.STOP_REASON_FAULT)
            return
        self._delivery.resume_delivery()
        self._effects.renew_lease()
