# Delivery: the basal rate, the moment of each step, the guard's permission, the motor, and the lease that makes steps
# durable.
#
# pass_time() is the dosing path: plan, schedule, guard, motor and counters. It allocates nothing (tests run it with the
# heap locked on a 32-bit port). Nothing here raises an alarm: findings stay in this object until AlarmEffects asks.

from pump import wire
from pump.dosing.motor import Motor
from pump.dosing.schedule import NEVER, Schedule
from pump.guard.recount import Recount
from pump.integrity.ram_check import RamCheck
from pump.part import Part
from pump.small_int import mul_div
from pump.storage.records import NOT_WRITTEN, UNKNOWN


class Delivery(Part):
    """`therapy` is the one in force, or None. While `distrusted`, RAM does not hold what it must (see ram_check.py):
    nothing moves any more, and the pump starts over at the end of the turn.

    Findings are `motor.stalled`, `motor.ran_away`, `missed` steps, and what judge_refusals() and record_ends() return.
    """

    def __init__(self, board, clock, profile, ledger, store, line, guard, plan):
        """`line` is the LineWatch, which samples the sensors around each activation."""
        self.plan = plan
        self.schedule = Schedule()
        self.guard = guard
        self.motor = Motor(board, profile.step_ms, profile.activation_steps_max, profile.activation_ms_max)
        self.ram_check = RamCheck(self, clock, profile, ledger, store)
        self.therapy = None
        self.distrusted = False
        self.missed = 0
        self.refused = 0
        self._profile = profile
        self._ledger = ledger
        self._facts = ledger.facts
        self._store = store
        self._line = line
        self._recount = Recount(ledger, self.guard, clock)
        self._skipped_basal = 0
        self._skipped_bolus = 0
        self._bolus_cut = 0
        self._square_cut = 0

    # The dosing path: allocates nothing

    def pass_time(self, ms):
        """Advances time and moves what is due, as far as the guard permits."""
        self.guard.advance(ms)
        stray = self.motor.count_stray()
        if stray:
            self._count(0, stray, stray)
            self._line.add_stray(stray)
        self._advance(ms)
        schedule = self.schedule
        basal = schedule.basal_due
        if basal > 1:
            if basal >= NEVER:
                self.distrust()
                return
            # No catch-up: what a late wake left behind is reported, not delivered.
            self.missed += basal - 1
            basal = 1
        if basal or schedule.bolus_due or schedule.square_due:
            self._move(basal, schedule.bolus_due + schedule.square_due)

    def _advance(self, ms):
        """Cuts the time where the basal rate changes, so that each part is delivered at its own rate."""
        schedule, plan = self.schedule, self.plan
        schedule.clear_due()
        while True:
            part = plan.next_ms(schedule.running)
            if part > ms:
                part = ms
            schedule.advance(part)
            plan.advance(part, schedule.running)
            self.follow_plan()
            ms -= part
            if ms == 0:
                return

    def follow_plan(self):
        """Lets the schedule run at the plan's rate."""
        basal, plan = self.schedule.basal, self.plan
        num, den = plan.num, plan.den
        if num != basal.num or den != basal.den:
            plan.select_rate()
            if num != plan.num or den != plan.den:
                # Nothing but a flipped bit makes a rate that the plan would not choose again.
                self.distrust()
                return
            basal.retune(num, den)

    def _move(self, basal, bolus):
        due = basal + bolus
        granted = self.guard.permit_steps(due)
        if granted < due:
            # The basal comes first; a bolus step that is not granted ends the bolus.
            self._skipped_basal += basal - granted if granted < basal else 0
            self._skipped_bolus += due - granted if granted > basal else bolus
            if granted == 0:
                return
        if not self._line.sample_before():
            # What the line says stops the pump before this step: it is missed.
            self.missed += basal
            return
        commanded = self.motor.activate(granted)
        moved = self.motor.moved
        self._line.sample_after(moved)
        self._count(commanded, moved, moved if moved > commanded else commanded)
        plan = self.plan
        if plan.bridge_left and plan.bridge_left != self.guard.bridge_left():
            self.distrust()
        self.follow_plan()
        if granted > basal:
            self.schedule.count_bolus_step()

    def _count(self, commanded, moved, most):
        self.guard.count_moved(most)
        self._ledger.count_steps(commanded, moved)
        self.plan.count_pumped(most)

    def next_ms(self):
        """Milliseconds until the next step, or until the rate may change."""
        schedule = self.schedule
        event = schedule.next_ms()
        change = self.plan.next_ms(schedule.running)
        return change if change < event else event

    # Trust in RAM

    def is_trusted(self):
        """True if everything that decides what moves is intact in RAM. If it is not, delivery is distrusted."""
        if not self.ram_check.is_intact():
            self.distrust()
        return not self.distrusted

    def distrust(self):
        self.distrusted = True
        self.halt_motion()

    # Findings

    def has_findings(self):
        """True if the last steps led to something that must be reported or recorded."""
        motor, schedule, facts = self.motor, self.schedule, self._facts
        return (
            motor.stalled
            or motor.ran_away
            or self.missed
            or self._skipped_basal
            or self._skipped_bolus
            or schedule.periodic_began
            or (facts.bolus_left and not schedule.bolus_left)
            or (facts.square_left and not schedule.square_left)
        )

    def was_refused(self):
        """True if the guard refused a step since the last judge_refusals()."""
        return self._skipped_basal or self._skipped_bolus

    def judge_refusals(self):
        """Returns the alarm that follows from the steps that the guard refused; `refused` is their number."""
        basal, bolus = self._skipped_basal, self._skipped_bolus
        self._skipped_basal = 0
        self._skipped_bolus = 0
        self.refused = basal + bolus
        if not self.guard.limits_intact() or not self.guard.is_full():
            # No cap stands in the way: schedule and guard do not agree about what may move.
            return wire.ALARM_GUARD_DISAGREES
        self.missed += basal
        if bolus:
            # A bolus is cut at the moment the cap is reached.
            self._bolus_cut += self.schedule.cancel_bolus()
            self._square_cut += self.schedule.cancel_square()
        return wire.ALARM_DOSE_CAP

    def record_missed(self):
        """Makes missed steps durable. Returns their number, or 0 while the alarm about them is on, or has no place
        among those that are."""
        missed = self.missed
        self.missed = 0
        # One record when it begins; later amounts go with the leases, so that a long shortage wears no flash.
        latched = self._facts.latched
        if wire.ALARM_MISSED_VOLUME in latched or len(latched) == wire.LATCHED_MAX:
            self._ledger.count_missed(missed)
            return 0
        self._ledger.write(wire.RECORD_MISSED, 0, missed, self._facts.missed + missed, 0, 0, 0)
        return missed

    def record_ends(self):
        """Records the boluses that ended, and a periodic one that began."""
        facts, schedule = self._facts, self.schedule
        if facts.bolus_left and schedule.bolus_left == 0:
            self._record_bolus_end()
            if self.distrusted:
                return
        if facts.square_left and schedule.square_left == 0:
            self._record_square_end()
        if schedule.periodic_began:
            self._record_periodic()

    def _record_bolus_end(self):
        facts = self._facts
        asked = facts.bolus_left
        delivered = asked - self._bolus_cut
        if self.schedule.bolus_made != delivered:
            self.distrust()
            return
        code = facts.bolus_kind | _end_reason(self._bolus_cut) << wire.SHIFT_BOLUS_END_END_REASON
        self._bolus_cut = 0
        self._ledger.write(wire.RECORD_BOLUS_END, code, facts.low, facts.high, delivered, delivered, asked)
        self.schedule.start_waiting_periodic()
        self.close_bolus()

    def _record_square_end(self):
        facts = self._facts
        asked = facts.square_left
        delivered = asked - self._square_cut
        reason = _end_reason(self._square_cut)
        self._square_cut = 0
        self._ledger.write(wire.RECORD_SQUARE_END, reason, facts.low, facts.high, delivered, delivered, asked)

    def _record_periodic(self):
        facts, left = self._facts, self.schedule.claim_periodic()
        allowance = self.guard.allowance() + left
        written = self._ledger.write(wire.RECORD_PERIODIC_BOLUS, 0, facts.low, facts.high, left, allowance, 0)
        if written != NOT_WRITTEN:
            self.guard.set_allowance(allowance)

    # The therapy

    def announce_therapy(self, therapy):
        """Records what a step will hold and has held. The record counts if a commit follows."""
        old = self.therapy
        again = old is None or old.periodic() != therapy.periodic()
        self._ledger.write(
            wire.RECORD_WORTH,
            1 if again else 0,
            therapy.step_ng_num,
            therapy.step_ng_den,
            0 if old is None else old.step_ng_num,
            1 if old is None else old.step_ng_den,
            therapy.bridge_steps,
        )

    def change_therapy(self, therapy):
        """Takes over a therapy that was committed just now, whose program the store holds."""
        old = self.therapy
        if old is not None:
            self.guard.change_worth(
                therapy.step_ng_num, therapy.step_ng_den, old.step_ng_num, old.step_ng_den, therapy.bridge_steps
            )
        self._load(therapy, True)

    def load_therapy(self, therapy):
        """Takes over the therapy that a boot found in force."""
        self._load(therapy, False)

    def _load(self, therapy, live):
        facts = self._facts
        self.therapy = therapy
        if not self.guard.adopt_program(self._store.program) or not live:
            self._recount.rebuild_windows()
        pumped = facts.high - facts.commit_high
        left = therapy.bridge_steps - pumped if therapy.bridge_steps > pumped else 0
        # The steps of the bridge that are left if nothing was delivered of what resets left open since the commit.
        most = therapy.bridge_steps + facts.unsure_since_commit() - pumped
        doubt = most - left if therapy.bridge_steps and most > left else 0
        self.guard.resume_bridge(left, doubt, (therapy.bridge_ng_num, therapy.bridge_ng_den))
        self.plan.load_therapy(therapy, left, facts.titration_day)
        self._set_periodic(therapy, live)
        self.apply_fallbacks()
        self.ram_check.renew_checksum()

    def _set_periodic(self, therapy, live):
        steps, num, den, period_ms = therapy.periodic()
        if live and self.schedule.has_periodic(steps, num, den, period_ms):
            return
        left = period_ms
        if not live and self._facts.periodic_from is not None:
            # Without that record a whole period passes again: late, never early.
            since = self._facts.ms_since(self._facts.periodic_from)
            left = left - since if left > since else 1
        self.schedule.set_periodic(steps, num, den, period_ms, left)

    def apply_fallbacks(self):
        """Sets the basal rate that follows from a low reservoir and a reached cap."""
        if self.therapy is not None:
            self.plan.set_fallbacks(*self.therapy.fallbacks(self._facts.latched))
            self.follow_plan()

    def follows_alarms(self):
        """True if the plan does what the alarms that are on ask for."""
        therapy = self.therapy
        return therapy is None or self.plan.fallbacks() == therapy.fallbacks(self._facts.latched)

    def set_local_time(self, days, ms):
        """Sets the calendar: `days` since 2000-01-01, and `ms` of that day."""
        self.plan.set_local_time(days, ms)
        self.follow_plan()

    # Start and stop

    def start_delivery(self):
        """Starts the basal; a periodic bolus is due a period from now. Steps need a lease from here on."""
        steps, num, den, period_ms = self.therapy.periodic()
        self.schedule.set_periodic(steps, num, den, period_ms, period_ms)
        self.resume_delivery()

    def resume_delivery(self):
        """Starts the basal where it was: after start_delivery() or after a boot."""
        self.apply_fallbacks()
        self._line.clear_baseline()
        self.schedule.start_basal()
        self.guard.set_enabled(True)

    def halt_motion(self):
        """Stops everything that moves. It needs no flash and cannot fail."""
        guard = self.guard
        guard.set_enabled(False)
        guard.set_allowance(0)
        guard.end_priming()
        self.schedule.end_all()
        self.motor.switch_off()

    def record_halt(self):
        """Makes a stop durable that has no record yet."""
        facts, schedule = self._facts, self.schedule
        if (facts.running and not schedule.running) or (facts.bolus_left and not schedule.bolus_left):
            self._ledger.record_halt(wire.STOP_REASON_COMMAND)

    def is_moving(self):
        return self.schedule.running or self.schedule.bolus_left != 0

    # Leases

    def needs_lease(self):
        """True if the next event may ask for more steps than the lease covers."""
        schedule = self.schedule
        steps = 1 if schedule.running and schedule.basal.num else 0
        if schedule.bolus_left or schedule.square_left:
            steps += 1
        return self.guard.allowance() < steps

    def mend_store(self):
        """Rewrites copies of the program that differ from the one in force; returns False if the flash fails."""
        store = self._store
        at = store.find_damaged()
        while at >= 0:
            if not store.mend_copy(at):
                return False
            self._ledger.write(wire.RECORD_MENDED, at, store.generation, 0, 0, 0, 0)
            at = store.find_damaged()
        return True

    def write_lease(self):
        """Makes the steps that may move next durable, and permits them; returns False if the flash failed."""
        basal = self.schedule.basal
        steps = 0
        if self.schedule.running and basal.num:
            steps = max(1, mul_div(self._profile.lease_ms, basal.num, basal.den)[0])
        allowance = steps + self.schedule.bolus_left + self.schedule.square_left
        written = self._record_lease(allowance) != NOT_WRITTEN
        self.guard.set_allowance(allowance if written else 0)
        return not self._ledger.has_failed()

    def _record_lease(self, allowance):
        facts, day = self._facts, self.plan.titration_day
        return self._ledger.write(
            wire.RECORD_LEASE, day, facts.low, facts.high, allowance, facts.missed, facts.reservoir
        )

    def extend_lease(self, steps):
        """Records what was delivered before a command adds `steps`; returns the allowance with them."""
        allowance = self.guard.allowance()
        self._record_lease(allowance)
        return allowance + steps

    # Boluses: the record of each holds its lease, and comes first

    def start_bolus(self, kind, steps, num, den, allowance):
        self.guard.set_allowance(allowance)
        self.schedule.start_bolus(kind, steps, num, den)

    def start_square(self, steps, duration_ms, allowance):
        self.schedule.start_square(steps, duration_ms)
        self.guard.set_allowance(allowance)

    def start_priming(self, steps, num, den):
        """Fills the path with `steps` that hold no dose."""
        self.guard.start_priming(steps)
        self.guard.set_enabled(True)
        self.start_bolus(wire.BOLUS_KIND_PRIMING, steps, num, den, steps)

    def start_patency(self, steps, every_ms):
        """Moves `steps` into the line of a stopped pump, one every `every_ms`."""
        self._line.clear_baseline()
        self.guard.set_enabled(True)
        self.start_bolus(wire.BOLUS_KIND_PATENCY, steps, 1, every_ms, steps)

    def close_bolus(self):
        """Ends priming, and the lease of a stopped pump, after a bolus."""
        self.guard.end_priming()
        if not self.schedule.running:
            self.guard.set_enabled(False)
            self.guard.set_allowance(0)
            self._ledger.close_lease(wire.STOP_REASON_NONE)

    def start_waiting_periodic(self):
        """Starts a periodic bolus that waited for the end of a cancelled one."""
        self.schedule.start_waiting_periodic()
        if self.schedule.periodic_began:
            self._record_periodic()

    # State

    def state(self):
        """The state of delivery, a wire.DELIVERY_*."""
        if self._facts.traits & wire.TRAIT_SAFE:
            return wire.DELIVERY_SAFE
        if self._facts.running:
            return wire.DELIVERY_RUNNING
        return wire.DELIVERY_UNPROGRAMMED if self.therapy is None else wire.DELIVERY_STOPPED

    def rate(self):
        """The basal rate that runs now, in steps per millisecond."""
        basal = self.schedule.basal
        return (basal.num, basal.den) if self.schedule.running else (0, 1)

    def empty_minutes(self):
        """Minutes that the reservoir lasts at the rate in force, less what a bolus still takes (R25)."""
        num, therapy, facts = self.plan.num, self.therapy, self._facts
        if therapy is None or facts.reservoir == UNKNOWN or num == 0:
            return wire.COUNT_MAX
        left = facts.reservoir - therapy.empty_steps - self.schedule.bolus_left - self.schedule.square_left
        return min(max(left, 0) * self.plan.den // (num * 60_000), wire.COUNT_MAX)


def _end_reason(cut_steps):
    """Why a bolus ended: only a dose cap cuts one that runs."""
    return wire.END_REASON_CAP if cut_steps else wire.END_REASON_COMPLETED
