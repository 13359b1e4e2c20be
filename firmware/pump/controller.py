# The pump: a next-event loop. run() does what is due and returns how long nothing will be.
#
# deliver() is the dosing path: plan, schedule, guard, motor and counters. It allocates nothing (tests run it with the
# heap locked on a 32-bit port). Everything that writes flash happens behind it, between steps.

from pump import wire
from pump.clock import DAY_MS, Clock
from pump.commands import FIRMWARE, Commands
from pump.guard import Guard
from pump.history import History
from pump.journal import Journal
from pump.ledger import UNKNOWN, Ledger
from pump.link import Link
from pump.motor import Motor
from pump.orders import Orders
from pump.plan import Plan
from pump.profile import Profile
from pump.schedule import Schedule
from pump.store import TherapyStore
from pump.therapy import Therapy
from pump.whole import mul_div
from pump.wire import const

_SECTOR_BYTES = const(4096)
_FIRMWARE_PACKED = FIRMWARE[0] << 16 | FIRMWARE[1] << 8 | FIRMWARE[2]
# Longest that requests which write flash are held so that the write does not delay a step.
_QUIET_MS = const(400)
_HOLD_MS_MAX = const(1_000)
_WAKE_MS_MAX = const(3_600_000)
_BATTERY_MS = const(180_000)

FAULTS = (
    wire.ALARM_MOTOR_STALL
    | wire.ALARM_MOTOR_RUNAWAY
    | wire.ALARM_THERAPY_LOST
    | wire.ALARM_GUARD_DISAGREES
    | wire.ALARM_FLASH_FAILED
)


class Pump:
    def __init__(self, board):
        self.board = board
        self.device_id = board.device_id
        self.profile = Profile(board.config)
        profile = self.profile
        self.clock = Clock(board.ticks())
        self.schedule = Schedule()
        self.plan = Plan()
        self.guard = Guard(profile.hard_hour_steps, profile.hard_day_steps)
        self.motor = Motor(board, profile.step_ms, profile.activation_steps_max, profile.activation_ms_max)
        self.motor.off()
        journal = Journal(board, self.clock, 2 * _SECTOR_BYTES, profile.flash_sectors - 2)
        self.ledger = Ledger(journal, self.clock)
        self._history = History(self.ledger, self.guard, self.clock)
        self.store = TherapyStore(board, (0, _SECTOR_BYTES))
        self.therapy = None
        self.battery_mv = board.adc(0)
        self._battery_ms = 0
        self._held_ms = 0
        self._skipped_basal = 0
        self._skipped_bolus = 0
        self._missed = 0
        self._bolus_cut = 0
        self._square_cut = 0
        self.link = Link(board, self.device_id)
        self.orders = Orders(self)
        self.commands = Commands(self, self.link)
        self._boot()

    # Boot

    def _boot(self):
        ledger, journal = self.ledger, self.ledger.journal
        ledger.replay()
        bolus, kind, square = ledger.bolus_left, ledger.bolus_kind, ledger.square_left
        self._write_boot(ledger, journal.voids)
        if bolus:
            # A bolus that a reset cut is over: its lease counts as delivered, and it is never repeated.
            ledger.write(wire.RECORD_BOLUS_END, kind, ledger.low, ledger.high, 0, bolus, 0)
        if square:
            ledger.write(wire.RECORD_SQUARE_END, 0, ledger.low, ledger.high, 0, square, 0)
        if journal.damaged:
            self._raise(wire.ALARM_JOURNAL_DAMAGED, journal.damaged)
        if ledger.clock_was_set:
            self._raise(wire.ALARM_CLOCK_UNKNOWN, 0)
        if ledger.generation:
            self._load_therapy()
        ledger.window_drug = self._window_drug
        self._resume()

    def _write_boot(self, ledger, voids):
        ledger.write(
            wire.RECORD_BOOT,
            self.board.reset_cause,
            ledger.boot_count + 1,
            ledger.low,
            ledger.high + ledger.allowance,
            _FIRMWARE_PACKED,
            voids,
        )

    def _window_drug(self):
        return [nanograms for _, nanograms, _ in self.guard.windows()]

    def _load_therapy(self):
        ledger = self.ledger
        if not self.store.load(ledger.generation, ledger.hash_head.to_bytes(4, "little")):
            self._raise(wire.ALARM_THERAPY_LOST, ledger.generation)
            return
        self._take(Therapy(self.store.program), False)

    def announce(self, therapy):
        """Before a commit: a record of what a step will hold and has held. It counts when the commit follows."""
        old = self.therapy
        again = old is None or _periodic(old) != _periodic(therapy)
        self.ledger.write(
            wire.RECORD_WORTH,
            1 if again else 0,
            therapy.step_ng_num,
            therapy.step_ng_den,
            0 if old is None else old.step_ng_num,
            1 if old is None else old.step_ng_den,
            therapy.bridge_steps,
        )

    def take_over(self, program, generation, therapy):
        """A new therapy is committed: hold it, and let guard and plan read it."""
        old = self.therapy
        if not self.store.adopt(program, generation):
            self._fault(wire.ALARM_FLASH_FAILED, generation)
        if old is not None:
            self.guard.change_worth(
                therapy.step_ng_num, therapy.step_ng_den, old.step_ng_num, old.step_ng_den, therapy.bridge_steps
            )
        self._take(therapy, True)

    def _take(self, therapy, live):
        ledger = self.ledger
        self.therapy = therapy
        if not self.guard.adopt(self.store.program) or not live:
            self._history.tell()
        pumped = ledger.high - ledger.commit_high
        left = therapy.bridge_steps - pumped if therapy.bridge_steps > pumped else 0
        self.guard.resume_bridge(left, (therapy.bridge_ng_num, therapy.bridge_ng_den))
        self.plan.load(therapy, left, ledger.titration_day)
        self._set_periodic(therapy, live)
        self.apply_alarms()

    def _set_periodic(self, therapy, live):
        period = _periodic(therapy)
        if live and self.schedule.same_periodic(*period):
            return
        left = therapy.periodic_ms
        if not live:
            since = self.ledger.since(self.ledger.periodic_from)
            left = left - since if left > since else 1
        self.schedule.set_periodic(*period, left)

    def _resume(self):
        if not self.ledger.running:
            return
        if self.therapy is None or self.faulty():
            self.ledger.halt(wire.STOP_REASON_FAULT)
            return
        self._begin()

    # The loop

    def run(self):
        """Do what is due; return the milliseconds until something will be."""
        self.deliver()
        self._after_steps()
        waiting = self.link.pending
        if self.link.poll():
            if not waiting:
                self._held_ms = 0
            self._serve()
        return self._sleep_ms()

    def deliver(self):
        """Advance time and move what is due, as far as the guard permits. Allocates nothing."""
        passed = self.clock.update(self.board.ticks())
        self.guard.advance(passed)
        self.orders.pass_time(passed)
        self._battery_ms += passed
        self._held_ms += passed
        if self.commands.stage is not None:
            self.commands.stage.idle_ms += passed
        stray = self.motor.watch()
        if stray:
            self.guard.moved(stray)
            self.ledger.moved(0, stray)
        self._pass_time(passed)
        schedule = self.schedule
        basal = schedule.basal_due
        if basal > 1:
            # No catch-up: what a late wake left behind is reported, not delivered.
            self._missed += basal - 1
            basal = 1
        if basal or schedule.bolus_due or schedule.square_due:
            self._move(basal, schedule.bolus_due + schedule.square_due)

    def _pass_time(self, passed):
        """Cut the time where the basal rate changes, so that each part is delivered at its own rate."""
        schedule, plan = self.schedule, self.plan
        schedule.begin()
        while True:
            part = plan.next_ms(schedule.running)
            if part > passed:
                part = passed
            schedule.advance(part)
            plan.advance(part, schedule.running)
            self.follow_plan()
            passed -= part
            if passed == 0:
                return

    def follow_plan(self):
        """Let the schedule run at the plan's rate."""
        basal, plan = self.schedule.basal, self.plan
        if plan.num != basal.num or plan.den != basal.den:
            basal.retune(plan.num, plan.den)

    def _move(self, basal, bolus):
        due = basal + bolus
        granted = self.guard.permit(due)
        if granted < due:
            # The basal comes first; a bolus step that is not granted ends the bolus.
            self._skipped_basal += basal - granted if granted < basal else 0
            self._skipped_bolus += due - granted if granted > basal else bolus
            if granted == 0:
                return
        commanded = self.motor.activate(granted)
        moved = self.motor.moved
        most = moved if moved > commanded else commanded
        self.guard.moved(most)
        self.ledger.moved(commanded, moved)
        self.plan.pumped(most)
        self.follow_plan()
        if granted > basal:
            if self.schedule.bolus_due:
                self.schedule.bolus_left -= 1
            else:
                self.schedule.square_left -= 1

    def _after_steps(self):
        """What follows from the steps: faults, levels, the end of a bolus, the next lease."""
        schedule, ledger = self.schedule, self.ledger
        if self.motor.stalled:
            self._fault(wire.ALARM_MOTOR_STALL, ledger.low)
        if self.motor.ran_away:
            self._fault(wire.ALARM_MOTOR_RUNAWAY, ledger.low)
        if self._skipped_basal or self._skipped_bolus:
            self._refused_by_guard()
        if self._missed:
            self._report_missed()
        if ledger.bolus_left and schedule.bolus_left == 0:
            self._bolus_done()
        if ledger.square_left and schedule.square_left == 0:
            self._square_done()
        if schedule.periodic_began:
            self._periodic_began()
        self._check_reservoir()
        self._check_battery()
        if self.commands.stage_left_ms() <= 0:
            self.commands.expire_stage()
        if self.guard.allowance() < self._next_need():
            self.lease()

    def _next_need(self):
        """Steps that the next event may ask for: the lease must cover them before they are due."""
        schedule = self.schedule
        basal = 1 if schedule.running and schedule.basal.num else 0
        return basal + (1 if schedule.bolus_left or schedule.square_left else 0)

    def _serve(self):
        if self.commands.needs_flash() and self._next_event_ms() < _QUIET_MS and self._held_ms < _HOLD_MS_MAX:
            return
        self.commands.handle()
        if self.ledger.journal.failed:
            self._fault(wire.ALARM_FLASH_FAILED, 0)

    def _next_event_ms(self):
        schedule = self.schedule
        event = schedule.next_ms()
        change = self.plan.next_ms(schedule.running)
        return change if change < event else event

    def _sleep_ms(self):
        # What was done may have taken time, in which a step came near.
        late = (self.board.ticks() - self.clock.ticks()) & 0x3FFFFFFF
        wake = self._next_event_ms()
        stage = self.commands.stage_left_ms()
        if stage < wake:
            wake = stage
        if _BATTERY_MS - self._battery_ms < wake:
            wake = _BATTERY_MS - self._battery_ms
        if self.link.pending and wake > _HOLD_MS_MAX:
            wake = _HOLD_MS_MAX
        if wake > _WAKE_MS_MAX:
            wake = _WAKE_MS_MAX
        return wake - late if wake > late else 0

    # State

    def faulty(self):
        return self.ledger.alarms & FAULTS != 0

    def delivery(self):
        if self.faulty():
            return wire.DELIVERY_SAFE
        if self.ledger.running:
            return wire.DELIVERY_RUNNING
        return wire.DELIVERY_UNPROGRAMMED if self.therapy is None else wire.DELIVERY_STOPPED

    def rate(self):
        """The basal rate that runs now, in steps per millisecond."""
        if not self.schedule.running:
            return 0, 1
        return self.schedule.basal.num, self.schedule.basal.den

    def reservoir_known(self):
        return self.ledger.reservoir != UNKNOWN

    def reservoir(self):
        return self.ledger.reservoir if self.reservoir_known() else 0

    def too_fast(self, num, den):
        """Whether a bolus at this rate on top of the therapy's largest basal passes the pump's highest rate."""
        basal_num, basal_den = self.therapy.largest_rate()
        most = mul_div(DAY_MS, self.profile.rate_max_num, self.profile.rate_max_den)[0]
        return mul_div(DAY_MS, basal_num, basal_den)[0] + mul_div(DAY_MS, num, den)[0] > most + 1

    # Delivery

    def go(self):
        """Start delivery; a periodic bolus is due a period from now."""
        self.schedule.set_periodic(*_periodic(self.therapy), self.therapy.periodic_ms)
        self._begin()

    def _begin(self):
        self.apply_alarms()
        self.schedule.running = True
        self.guard.enable(True)
        self.lease()

    def go_on(self):
        """A commit is through: deliver the new therapy, if the old one was delivered."""
        if self.ledger.running:
            self.lease()

    def lease(self):
        """Make durable how much may move from here on."""
        basal, ledger = self.schedule.basal, self.ledger
        steps = 0
        if self.schedule.running and basal.num:
            steps = max(1, mul_div(self.profile.lease_ms, basal.num, basal.den)[0])
        allowance = steps + self.schedule.bolus_left + self.schedule.square_left
        self._write_lease(allowance)
        self.guard.allow(0 if ledger.journal.failed else allowance)
        if ledger.journal.failed:
            self._fault(wire.ALARM_FLASH_FAILED, 0)

    def _write_lease(self, allowance):
        ledger, day = self.ledger, self.plan.titration_day
        ledger.write(
            wire.RECORD_LEASE, day, ledger.low, ledger.high, allowance, ledger.missed, ledger.reservoir
        )

    def extend_lease(self, steps):
        """Show what was delivered, before a command's record adds `steps` to the lease; return the lease with them."""
        allowance = self.guard.allowance()
        self._write_lease(allowance)
        return allowance + steps

    def begin_bolus(self, kind, steps, num, den, allowance):
        """A bolus whose lease is durable begins now."""
        self.guard.allow(allowance)
        self.schedule.start_bolus(kind, steps, num, den)

    def after_bolus(self):
        """A bolus is over: what it leased and did not use is given back, and one that waited begins."""
        self.guard.end_prime()
        self.schedule.begin_waiting_periodic()
        if self.schedule.running:
            self.lease()
        else:
            self._close()

    def _close(self):
        ledger = self.ledger
        self.guard.enable(False)
        self.guard.allow(0)
        ledger.write(wire.RECORD_CLOSE, 0, ledger.low, ledger.high, 0, ledger.missed, ledger.reservoir)

    def _periodic_began(self):
        ledger, schedule = self.ledger, self.schedule
        schedule.periodic_began = False
        allowance = self.guard.allowance() + schedule.bolus_left
        ledger.write(
            wire.RECORD_PERIODIC_BOLUS, 0, ledger.low, ledger.high, schedule.bolus_left, allowance, 0
        )
        self.guard.allow(allowance)

    def halt_motion(self):
        """Nothing moves from here on. Always works, writes nothing."""
        self.guard.enable(False)
        self.guard.allow(0)
        self.guard.end_prime()
        self.schedule.running = False
        self.schedule.cancel_bolus()
        self.schedule.cancel_square()
        self.schedule.periodic_waits = False
        self.schedule.periodic_began = False
        self.motor.off()

    def settle(self):
        """Make a stop durable that came without a record of its own."""
        ledger = self.ledger
        if (ledger.running and not self.schedule.running) or (ledger.bolus_left and not self.schedule.bolus_left):
            ledger.halt(wire.STOP_REASON_COMMAND)

    def _fault(self, alarm, detail):
        self.halt_motion()
        self.motor.clear()
        if not self.ledger.alarms & alarm:
            self._raise(alarm, detail)
        if self.ledger.running or self.ledger.bolus_left:
            self.ledger.halt(wire.STOP_REASON_FAULT)

    # Alarms

    def _raise(self, alarm, detail):
        alarms = self.ledger.alarms | alarm
        if alarms == self.ledger.alarms:
            return
        self.ledger.write(wire.RECORD_ALARM_RAISED, 0, alarm & ~self.ledger.alarms, alarms, detail, 0, 0)
        self.board.tone(2 if alarm & FAULTS else 1)

    def drop_alarm(self, alarm):
        """End alarms whose cause is gone."""
        if self.ledger.alarms & alarm:
            left = self.ledger.alarms & ~alarm
            self.ledger.write(wire.RECORD_ALARM_ENDED, 0, self.ledger.alarms & alarm, left, 0, 0, 0)

    def apply_alarms(self):
        """What a low reservoir and a reached cap make of the basal rate."""
        therapy, alarms = self.therapy, self.ledger.alarms
        if therapy is None:
            return
        low = alarms & wire.ALARM_RESERVOIR_LOW
        cap = alarms & wire.ALARM_DOSE_CAP
        self.plan.closed = bool(
            (low and therapy.on_low == wire.ON_LOW_STOP) or (cap and therapy.on_cap == wire.ON_CAP_STOP)
        )
        self.plan.at_minimum = bool((low and therapy.on_low == wire.ON_LOW_MINIMUM_RATE) or cap)
        self.plan.select()
        self.follow_plan()

    def cap_reached(self, steps):
        """A dose did not fit into a window: say so, and fall back."""
        self._raise(wire.ALARM_DOSE_CAP, steps)
        self.apply_alarms()

    def _refused_by_guard(self):
        basal, bolus = self._skipped_basal, self._skipped_bolus
        self._skipped_basal = 0
        self._skipped_bolus = 0
        if not self.guard.sound() or not self.guard.full():
            # No cap stands in the way: schedule and guard do not agree about what may move.
            self._fault(wire.ALARM_GUARD_DISAGREES, basal + bolus)
            return
        self._missed += basal
        if bolus:
            # A bolus is cut at the moment the cap is reached.
            self._bolus_cut += self.schedule.cancel_bolus()
            self._square_cut += self.schedule.cancel_square()
        self.cap_reached(basal + bolus)

    def _report_missed(self):
        # One record when it begins; later amounts go with the leases, so that a long shortage wears no flash.
        missed = self._missed
        self._missed = 0
        if self.ledger.alarms & wire.ALARM_MISSED_VOLUME:
            self.ledger.missed += missed
            return
        self.ledger.write(wire.RECORD_MISSED, 0, missed, self.ledger.missed + missed, 0, 0, 0)
        self._raise(wire.ALARM_MISSED_VOLUME, missed)

    def _bolus_done(self):
        ledger = self.ledger
        asked, kind = ledger.bolus_left, ledger.bolus_kind
        delivered = asked - self._bolus_cut
        self._bolus_cut = 0
        ledger.write(wire.RECORD_BOLUS_END, kind, ledger.low, ledger.high, delivered, asked, 0)
        self.guard.end_prime()
        self.schedule.begin_waiting_periodic()
        if not self.schedule.running:
            self._close()

    def _square_done(self):
        ledger = self.ledger
        asked = ledger.square_left
        delivered = asked - self._square_cut
        self._square_cut = 0
        ledger.write(wire.RECORD_SQUARE_END, 0, ledger.low, ledger.high, delivered, asked, 0)

    def _check_reservoir(self):
        therapy, ledger = self.therapy, self.ledger
        if therapy is None or ledger.reservoir == UNKNOWN:
            return
        if ledger.reservoir <= therapy.low_steps and not ledger.alarms & wire.ALARM_RESERVOIR_LOW:
            self._raise(wire.ALARM_RESERVOIR_LOW, ledger.reservoir)
            self.apply_alarms()
        moving = self.schedule.running or self.schedule.bolus_left
        if ledger.reservoir <= therapy.empty_steps and moving:
            self.halt_motion()
            ledger.halt(wire.STOP_REASON_RESERVOIR_EMPTY)
            self._raise(wire.ALARM_RESERVOIR_EMPTY, ledger.reservoir)

    def _check_battery(self):
        if self._battery_ms < _BATTERY_MS:
            return
        self._battery_ms = 0
        self.battery_mv = self.board.adc(0)
        if self.battery_mv < self.profile.battery_low_mv:
            self._raise(wire.ALARM_BATTERY_LOW, self.battery_mv)


def _periodic(therapy):
    return therapy.periodic_steps, therapy.periodic_num, therapy.periodic_den, therapy.periodic_ms
