# What an alarm does to delivery, and which alarms follow from delivery.

from pump import wire
from pump.part import Part
from pump.storage.records import UNKNOWN


class AlarmEffects(Part):
    """Raises and ends alarms for all parts, and does to delivery what the table of alarms says. All alarms of the safe
    state stop the pump in the same way."""

    def __init__(self, alarms, ledger, store, delivery):
        self._alarms = alarms
        self._ledger = ledger
        self._facts = ledger.facts
        self._store = store
        self._delivery = delivery
        self._damage_reported = 0

    def raise_alarm(self, alarm, detail):
        """Raises an alarm that is not on, after what it stops has stopped."""
        delivery, facts = self._delivery, self._facts
        traits = wire.alarm_traits(alarm)
        if traits & wire.TRAIT_SAFE:
            delivery.halt_motion()
            delivery.motor.clear_faults()
        elif traits & wire.TRAIT_HALT and delivery.is_moving():
            delivery.halt_motion()
        new = self._alarms.record_raised(alarm, detail)
        if traits & (wire.TRAIT_SAFE | wire.TRAIT_HALT) and (facts.running or facts.bolus_left):
            empty = alarm == wire.ALARM_RESERVOIR_EMPTY
            self._ledger.record_halt(wire.STOP_REASON_RESERVOIR_EMPTY if empty else wire.STOP_REASON_FAULT)
        if new:
            delivery.apply_fallbacks()
            if self._alarms.is_repeated(alarm):
                self.raise_alarm(wire.ALARM_ALARM_REPEATED, alarm)

    def end_alarm(self, alarm):
        """Ends an alarm whose cause is gone."""
        if self._alarms.record_ended(alarm):
            self._delivery.apply_fallbacks()

    def watch(self):
        """Raises what follows from the steps: faults, refusals, missed steps, ended boluses, levels."""
        delivery = self._delivery
        if delivery.has_findings():
            self._report_findings()
        therapy, facts = delivery.therapy, self._facts
        if therapy is None or delivery.distrusted or facts.reservoir == UNKNOWN:
            return
        if facts.reservoir <= therapy.low_steps and wire.ALARM_RESERVOIR_LOW not in facts.latched:
            self.raise_alarm(wire.ALARM_RESERVOIR_LOW, facts.reservoir)
        if facts.reservoir <= therapy.empty_steps and self._delivery.is_moving():
            self.raise_alarm(wire.ALARM_RESERVOIR_EMPTY, facts.reservoir)

    def _report_findings(self):
        delivery = self._delivery
        motor = delivery.motor
        if motor.stalled:
            self.raise_alarm(wire.ALARM_MOTOR_STALL, motor.lost)
        if motor.ran_away:
            self.raise_alarm(wire.ALARM_MOTOR_RUNAWAY, self._facts.low)
        if delivery.was_refused():
            self.raise_alarm(delivery.judge_refusals(), delivery.refused)
        if delivery.missed:
            missed = delivery.record_missed()
            if missed:
                self.raise_alarm(wire.ALARM_MISSED_VOLUME, missed)
        delivery.record_ends()

    def renew_lease(self):
        """Renews the lease, once all that decides was found as it must be."""
        if self._delivery.is_trusted():
            self.mend_store()
            if not self._delivery.write_lease():
                self.raise_alarm(wire.ALARM_FLASH_FAILED, 0)

    # Flash

    def mend_store(self):
        """Brings both copies of the program to the one in force."""
        if not self._delivery.mend_store():
            self.raise_alarm(wire.ALARM_FLASH_FAILED, self._store.generation)

    def report_damage(self):
        """Reports records that a flipped bit had hit, once for each that was found."""
        damaged = self._ledger.journal.damaged + self._ledger.faults.damaged
        if damaged != self._damage_reported:
            self._damage_reported = damaged
            self.raise_alarm(wire.ALARM_JOURNAL_DAMAGED, damaged)

    def report_flash(self):
        """Reports a flash that did not take a record."""
        if self._ledger.has_failed():
            self.raise_alarm(wire.ALARM_FLASH_FAILED, 0)
