# The pump: a next-event loop. run() does what is due and returns how long nothing will be.
#
# deliver() is the dosing path: schedule, guard, motor and counters. It allocates nothing (tests run it with the heap
# locked on a 32-bit port). Everything that writes flash happens behind it, between steps.

from pump import wire
from pump.clock import Clock
from pump.commands import Commands, Refusal
from pump.guard import Guard
from pump.journal import Journal
from pump.ledger import UNKNOWN, Ledger
from pump.link import Link
from pump.motor import Motor
from pump.profile import Profile
from pump.schedule import Schedule
from pump.store import TherapyStore
from pump.therapy import Therapy
from pump.whole import mul_div
from pump.wire import const

_SECTOR_BYTES = const(4096)
_FIRMWARE_PACKED = const(0x000100)
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
        self.guard = Guard(profile.hard_hour_steps, profile.hard_day_steps)
        self.motor = Motor(board, profile.step_ms, profile.activation_steps_max, profile.activation_ms_max)
        self.motor.off()
        journal = Journal(board, self.clock, 2 * _SECTOR_BYTES, profile.flash_sectors - 2)
        self.ledger = Ledger(journal, self.clock, self.guard)
        self.store = TherapyStore(board, (0, _SECTOR_BYTES))
        self.therapy = None
        self.battery_mv = board.battery_mv()
        self._battery_ms = 0
        self._held_ms = 0
        self._skipped_basal = 0
        self._skipped_bolus = 0
        self._missed = 0
        self._bolus_cut = 0
        self.link = Link(board, self.device_id)
        self.commands = Commands(self, self.link)
        self._boot()

    # Boot

    def _boot(self):
        ledger, journal = self.ledger, self.ledger.journal
        ledger.replay()
        bolus = ledger.bolus_left
        ledger.write(
            wire.RECORD_BOOT,
            self.board.reset_cause,
            ledger.boot_count + 1,
            ledger.low,
            ledger.high + ledger.allowance,
            _FIRMWARE_PACKED,
            journal.voids,
        )
        if bolus:
            # A bolus that a reset cut is over: its lease counts as delivered, and it is never repeated.
            ledger.write(wire.RECORD_BOLUS_END, 0, ledger.low, ledger.high, 0, bolus, 0)
        if journal.damaged:
            self._raise(wire.ALARM_JOURNAL_DAMAGED, journal.damaged)
        if ledger.clock_was_set:
            self._raise(wire.ALARM_CLOCK_UNKNOWN, 0)
        if ledger.generation:
            self._load_therapy()
        self._resume()

    def _load_therapy(self):
        if not self.store.load(self.ledger.generation, self.ledger.hash_head.to_bytes(4, "little")):
            self._raise(wire.ALARM_THERAPY_LOST, self.ledger.generation)
            return
        self._adopt(Therapy(self.store.program))

    def _adopt(self, therapy):
        self.therapy = therapy
        self.guard.adopt(self.store.program)
        num, den = therapy.rate()
        self.schedule.basal.retune(num, den)

    def _resume(self):
        if self.therapy is not None:
            num, den = self.therapy.rate()
            self.schedule.basal.restart(num, den)
        if not self.ledger.running:
            return
        if self.therapy is None or self.ledger.alarms & FAULTS:
            self.ledger.halt(wire.STOP_REASON_FAULT)
            return
        self._go()

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
        self._battery_ms += passed
        self._held_ms += passed
        if self.commands.stage is not None:
            self.commands.stage.idle_ms += passed
        stray = self.motor.watch()
        if stray:
            self.guard.moved(stray)
            self.ledger.moved(0, stray)
        schedule = self.schedule
        if schedule.advance(passed) == 0:
            return
        basal = schedule.basal_due
        if basal > 1:
            # No catch-up: what a late wake left behind is reported, not delivered.
            self._missed += basal - 1
            basal = 1
        self._move(basal, schedule.bolus_due)

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
        self.guard.moved(moved if moved > commanded else commanded)
        self.ledger.moved(commanded, moved)
        if granted > basal:
            self.schedule.bolus_left -= granted - basal

    def _after_steps(self):
        """What follows from the steps: faults, levels, the end of a bolus, the next lease."""
        if self.motor.stalled:
            self._fault(wire.ALARM_MOTOR_STALL, self.ledger.low)
        if self.motor.ran_away:
            self._fault(wire.ALARM_MOTOR_RUNAWAY, self.ledger.low)
        if self._skipped_basal or self._skipped_bolus:
            self._refused_by_guard()
        if self._missed:
            self._report_missed()
        if self.ledger.bolus_left and self.schedule.bolus_left == 0:
            self._bolus_done()
        self._check_reservoir()
        self._check_battery()
        if self.commands.stage_left_ms() <= 0:
            self.commands.expire_stage()
        if self.guard.allowance() < self._next_need():
            self._lease()

    def _next_need(self):
        """Steps that the next event may ask for: the lease must cover them before they are due."""
        schedule = self.schedule
        basal = 1 if schedule.running and schedule.basal.num else 0
        return basal + (1 if schedule.bolus_left else 0)

    def _serve(self):
        if self.commands.needs_flash() and self.schedule.next_ms() < _QUIET_MS and self._held_ms < _HOLD_MS_MAX:
            return
        self.commands.handle()
        if self.ledger.journal.failed:
            self._fault(wire.ALARM_FLASH_FAILED, 0)

    def _sleep_ms(self):
        # What was done may have taken time, in which a step came near.
        late = (self.board.ticks() - self.clock.ticks()) & 0x3FFFFFFF
        wake = self.schedule.next_ms()
        stage = self.commands.stage_left_ms()
        wake = min(wake, stage)
        wake = min(wake, _BATTERY_MS - self._battery_ms)
        if self.link.pending and wake > _HOLD_MS_MAX:
            wake = _HOLD_MS_MAX
        wake = min(wake, _WAKE_MS_MAX)
        return wake - late if wake > late else 0

    # Delivery

    def delivering(self):
        return self.schedule.running or self.schedule.bolus_left > 0

    def delivery(self):
        if self.ledger.alarms & FAULTS:
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

    def _go(self):
        self._apply_level()
        self.schedule.running = True
        self.guard.enable(True)
        self._lease()

    def _lease(self):
        basal = self.schedule.basal
        steps = 0
        if self.schedule.running and basal.num:
            steps = max(1, mul_div(self.profile.lease_ms, basal.num, basal.den)[0])
        allowance = steps + self.schedule.bolus_left
        ledger = self.ledger
        ledger.write(wire.RECORD_LEASE, 0, ledger.low, ledger.high, allowance, ledger.missed, ledger.reservoir)
        self.guard.allow(0 if ledger.journal.failed else allowance)
        if ledger.journal.failed:
            self._fault(wire.ALARM_FLASH_FAILED, 0)

    def halt_motion(self):
        """Nothing moves from here on. Always works, writes nothing."""
        self.guard.enable(False)
        self.guard.allow(0)
        self.schedule.running = False
        self.schedule.cancel_bolus()
        self.motor.off()

    def settle(self):
        """Make a stop durable that came without a record of its own."""
        if self.ledger.running and not self.schedule.running:
            self.ledger.halt(wire.STOP_REASON_COMMAND)

    def _fault(self, alarm, detail):
        self.halt_motion()
        self.motor.clear()
        if not self.ledger.alarms & alarm:
            self._raise(alarm, detail)
        if self.ledger.running:
            self.ledger.halt(wire.STOP_REASON_FAULT)

    def _raise(self, alarm, detail):
        alarms = self.ledger.alarms | alarm
        if alarms == self.ledger.alarms:
            return
        self.ledger.write(wire.RECORD_ALARM_RAISED, 0, alarm & ~self.ledger.alarms, alarms, detail, 0, 0)
        self.board.tone(2 if alarm & FAULTS else 1)

    def _drop_alarm(self, alarm):
        if self.ledger.alarms & alarm:
            left = self.ledger.alarms & ~alarm
            self.ledger.write(wire.RECORD_ALARM_ENDED, 0, self.ledger.alarms & alarm, left, 0, 0, 0)

    def _refused_by_guard(self):
        basal, bolus = self._skipped_basal, self._skipped_bolus
        self._skipped_basal = 0
        self._skipped_bolus = 0
        if not self.guard.sound() or (self.guard.hour.room() and self.guard.day.room()):
            # No cap stands in the way: schedule and guard do not agree about what may move.
            self._fault(wire.ALARM_GUARD_DISAGREES, basal + bolus)
            return
        self._missed += basal
        if bolus:
            # A clinician bolus is cut at the moment the cap is reached.
            self._bolus_cut = self.schedule.cancel_bolus()
        self._raise(wire.ALARM_DOSE_CAP, basal + bolus)

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
        asked = ledger.bolus_left
        delivered = asked - self._bolus_cut
        self._bolus_cut = 0
        ledger.write(wire.RECORD_BOLUS_END, 0, ledger.low, ledger.high, delivered, asked, 0)

    def _check_reservoir(self):
        therapy, ledger = self.therapy, self.ledger
        if therapy is None or ledger.reservoir == UNKNOWN:
            return
        if ledger.reservoir <= therapy.low_steps and not ledger.alarms & wire.ALARM_RESERVOIR_LOW:
            self._raise(wire.ALARM_RESERVOIR_LOW, ledger.reservoir)
            self._apply_level()
        if ledger.reservoir <= therapy.empty_steps and self.delivering():
            self.halt_motion()
            ledger.halt(wire.STOP_REASON_RESERVOIR_EMPTY)
            self._raise(wire.ALARM_RESERVOIR_EMPTY, ledger.reservoir)

    def _apply_level(self):
        """The basal rate that the therapy gives at this reservoir level."""
        therapy = self.therapy
        num, den = therapy.rate()
        if self.ledger.alarms & wire.ALARM_RESERVOIR_LOW:
            if therapy.on_low == wire.ON_LOW_MINIMUM_RATE:
                num, den = therapy.minimum_num, therapy.minimum_den
            elif therapy.on_low == wire.ON_LOW_STOP:
                num, den = 0, 1
        self.schedule.basal.retune(num, den)

    def _check_battery(self):
        if self._battery_ms < _BATTERY_MS:
            return
        self._battery_ms = 0
        self.battery_mv = self.board.battery_mv()
        if self.battery_mv < self.profile.battery_low_mv:
            self._raise(wire.ALARM_BATTERY_LOW, self.battery_mv)

    # What commands do. Each writes one record that holds the command id and the effect, or raises Refusal.

    def refuse(self, host, counter, message, reason):
        ledger = self.ledger
        ledger.write(
            wire.RECORD_REFUSED, reason, int.from_bytes(host, "little"), counter, message, ledger.low, ledger.high
        )

    def start(self, fields):
        host, counter = fields
        ledger = self.ledger
        self._refuse_unless_ready()
        if ledger.running:
            raise Refusal(wire.REASON_ALREADY_RUNNING)
        ledger.command(wire.RECORD_START, host, counter, 0, ledger.low, ledger.high)
        self._go()

    def _refuse_unless_ready(self):
        ledger = self.ledger
        if ledger.alarms & FAULTS:
            raise Refusal(wire.REASON_SAFE_STATE, ledger.alarms)
        if self.therapy is None:
            raise Refusal(wire.REASON_NOT_PROGRAMMED)
        if ledger.reservoir == UNKNOWN or ledger.reservoir <= self.therapy.empty_steps:
            raise Refusal(wire.REASON_RESERVOIR_EMPTY)

    def stop(self, fields):
        host, counter = fields
        self.halt_motion()
        ledger = self.ledger
        ledger.command(wire.RECORD_STOP, host, counter, 0, ledger.low, ledger.high)
        ledger.write(
            wire.RECORD_CLOSE, wire.STOP_REASON_COMMAND, ledger.low, ledger.high, 0, ledger.missed, ledger.reservoir
        )

    def bolus(self, fields):
        host, counter, steps = fields
        ledger, therapy = self.ledger, self.therapy
        self._refuse_unless_ready()
        if not ledger.running:
            raise Refusal(wire.REASON_NOT_RUNNING)
        if ledger.bolus_left:
            raise Refusal(wire.REASON_BOLUS_RUNNING)
        if steps == 0:
            raise Refusal(wire.REASON_BOLUS_ZERO)
        if steps > therapy.bolus_steps_max:
            raise Refusal(wire.REASON_BOLUS_OVER_MAXIMUM)
        if self.guard.hour.room() == 0 or self.guard.day.room() == 0:
            raise Refusal(wire.REASON_BOLUS_OVER_CAP)
        allowance = self.guard.allowance() + steps
        ledger.command(wire.RECORD_BOLUS, host, counter, steps, ledger.low, allowance)
        self.guard.allow(allowance)
        self.schedule.start_bolus(steps, therapy.bolus_num, therapy.bolus_den)

    def bolus_cancel(self, fields):
        host, counter = fields
        ledger = self.ledger
        if not ledger.bolus_left:
            raise Refusal(wire.REASON_NO_BOLUS)
        left = self.schedule.cancel_bolus()
        ledger.command(wire.RECORD_BOLUS_CANCEL, host, counter, left, ledger.low, ledger.high)
        self._lease()

    def refill(self, fields):
        host, counter, steps = fields
        ledger = self.ledger
        if steps > self.profile.reservoir_steps_max:
            raise Refusal(wire.REASON_RESERVOIR_SIZE)
        ledger.command(wire.RECORD_REFILL, host, counter, steps, ledger.low, ledger.high)
        if self.therapy is not None and steps > self.therapy.low_steps:
            self._drop_alarm(wire.ALARM_RESERVOIR_LOW | wire.ALARM_RESERVOIR_EMPTY)
            self._apply_level()

    def alarm_clear(self, fields):
        host, counter, alarms = fields
        ledger = self.ledger
        present = 0
        if self.therapy is None and ledger.generation:
            present |= wire.ALARM_THERAPY_LOST
        if ledger.journal.failed:
            present |= wire.ALARM_FLASH_FAILED
        if not self.clock.known and ledger.clock_was_set:
            present |= wire.ALARM_CLOCK_UNKNOWN
        if alarms & present:
            raise Refusal(wire.REASON_ALARM_PRESENT, alarms & present)
        ledger.command(wire.RECORD_ALARM_CLEARED, host, counter, alarms, ledger.low, ledger.high)

    def clock_set(self, fields):
        host, counter, days, ms = fields
        self.ledger.command(wire.RECORD_CLOCK, host, counter, days, ms, 0)
        self.clock.set_local(days, ms)
        self._drop_alarm(wire.ALARM_CLOCK_UNKNOWN)

    def commit(self, host, counter, program, therapy):
        """Replace the therapy. The journal record is the commit: before it the old one runs, after it the new one."""
        ledger = self.ledger
        generation = ledger.generation + 1
        if not self.store.save(program, generation):
            raise Refusal(wire.REASON_FLASH_FAILED)
        first = ledger.generation == 0
        head = int.from_bytes(self.commands.stage.hash[:4], "little")
        ledger.command(wire.RECORD_COMMIT, host, counter, generation, head, ledger.low)
        if not self.store.adopt(program, generation):
            self._fault(wire.ALARM_FLASH_FAILED, generation)
        if first and ledger.reservoir == UNKNOWN:
            ledger.reservoir = therapy.reservoir_steps
            ledger.write_state()
        self._adopt(therapy)
        if ledger.running:
            self._apply_level()
            self._lease()
