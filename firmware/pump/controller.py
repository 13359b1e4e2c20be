# The pump: a next-event loop. run() does what is due and returns how long nothing will be.
#
# deliver() is the dosing path: plan, schedule, guard, motor and counters. It allocates nothing (tests run it with the
# heap locked on a 32-bit port). Everything that writes flash happens behind it, between steps.

from pump import wake_counts, wire
from pump.boot import Boot
from pump.clock import Clock
from pump.dosing.motor import Motor
from pump.dosing.plan import Plan
from pump.dosing.schedule import NEVER, Schedule
from pump.guard.guard import Guard
from pump.guard.recount import History
from pump.integrity import supervisor
from pump.integrity.ram_check import Memory
from pump.integrity.self_test import SelfTest
from pump.integrity.supervisor import Supervisor
from pump.link.dispatch import Dispatcher
from pump.link.frames import Link
from pump.link.journal_stream import QUIET_MS, JournalStream
from pump.link.queries import FlashQueries, IdentityQuery, StatusQuery, UpkeepQueries
from pump.link.session import Gate
from pump.link.telemetry import Telemetry
from pump.link.upload import Upload
from pump.monitoring.alarms import Alarms
from pump.monitoring.monitor import Monitor
from pump.monitoring.service_life import Service
from pump.monitoring.standstill import Standstill
from pump.orders import Orders
from pump.profile import Profile
from pump.small_int import mul_div
from pump.storage.journal import Journal
from pump.storage.ledger import Ledger
from pump.storage.records import UNKNOWN
from pump.storage.therapy_store import TherapyStore
from pump.wake_counts import Wakes
from pump.wire import const

_SECTOR_BYTES = const(4096)
_THERAPY_SECTORS = const(2)
# Longest that requests which write flash are held so that the write does not delay a step.
_QUIET_MS = const(400)
_HOLD_MS_MAX = const(1_000)
_WAKE_MS_MAX = const(3_600_000)
_NEVER = const(0x3FFFFFFF)


class Pump:
    def __init__(self, board, distrusted=False):
        """`distrusted` says that the pump starts over because of what it found in RAM (see memory.py)."""
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
        booted = board.ticks()
        journal, faults = self._rings(profile)
        self.ledger = Ledger(journal, faults, self.clock)
        self._history = History(self.ledger, self.guard, self.clock)
        self.store = TherapyStore(board, (0, _SECTOR_BYTES))
        self.therapy = None
        self.alarms = Alarms(board, self.ledger, profile)
        self.supervisor = Supervisor(board, self.ledger, profile.watchdog_ms)
        self.service = Service(self)
        self.monitor = Monitor(self)
        self.selftest = SelfTest(self)
        self.wakes = Wakes()
        self.standstill = Standstill(self)
        self._held_ms = 0
        self._skipped_basal = 0
        self._skipped_bolus = 0
        self._missed = 0
        self._bolus_cut = 0
        self._square_cut = 0
        self._damage_told = 0
        self.distrusted = False
        # Until the next reset: a person looks at the board first.
        self.started_over = distrusted
        self.link = Link(board, self.device_id)
        self.orders = Orders(
            self.ledger, self.store, profile, self.clock, self, self, self.alarms, self.monitor, self.selftest
        )
        self.stream = JournalStream(board, journal, self.link)
        self.telemetry = Telemetry(board, self.clock, self.ledger, self, self.monitor.battery, self.link)
        self.gate = Gate(board, self.device_id, self.ledger)
        self.upload = Upload(self.ledger, self.store, profile, self.orders)
        self.memory = Memory(self)
        self.boot = Boot(self, distrusted)
        self.dispatcher = self._dispatcher()
        # A checkpoint asks for these; before the replay there is none.
        self.ledger.window_drug = self._window_drug
        self.ledger.pattern_lag = self.plan.lag_ms
        self.boot.run()
        self.selftest.boot_ms = (board.ticks() - booted) & 0x3FFFFFFF

    def _dispatcher(self):
        board, profile, clock, ledger = self.board, self.profile, self.clock, self.ledger
        monitor, alarms, gate, upload = self.monitor, self.alarms, self.gate, self.upload
        queries = (
            IdentityQuery(board, profile, self.boot, ledger.facts),
            StatusQuery(
                profile, clock, ledger, self, self.orders, monitor, alarms, self.standstill, gate, upload
            ),
            UpkeepQueries(clock, ledger, self.boot, alarms, monitor, self.service, self.selftest, self.wakes),
            FlashQueries(ledger, self.store),
            upload,
        )
        return Dispatcher(
            self.device_id,
            profile,
            ledger,
            self,
            self.orders,
            self.link,
            gate,
            upload,
            queries,
            self.stream,
            self.telemetry,
        )

    def _rings(self, profile):
        """The two rings: therapy, routine journal and faults share the flash in this order. Both are closed while the
        settings do not say for sure where they are."""
        faults = profile.fault_sectors if profile.sound else 0
        routine = profile.flash_sectors - _THERAPY_SECTORS - faults if profile.sound else 0
        at = _THERAPY_SECTORS * _SECTOR_BYTES
        return (
            Journal(self.board, self.clock, at, routine),
            Journal(self.board, self.clock, at + routine * _SECTOR_BYTES, faults),
        )

    # What boot and commit share

    def judge_selftest(self):
        failed = self.selftest.unsaid()
        if failed:
            self.alarm(wire.ALARM_SELFTEST_FAILED, failed)

    def report_damage(self):
        """Records that a flipped bit had hit: said once for each that was found."""
        damaged = self.ledger.journal.damaged + self.ledger.faults.damaged
        if damaged != self._damage_told:
            self._damage_told = damaged
            self.alarm(wire.ALARM_JOURNAL_DAMAGED, damaged)

    def _window_drug(self):
        return [nanograms for _, nanograms, _ in self.guard.windows()]

    def mend_store(self):
        """Both copies hold the therapy in force, or the flash is said to have failed."""
        store = self.store
        at = store.damaged()
        while at >= 0:
            if not store.mend(at):
                self.alarm(wire.ALARM_FLASH_FAILED, store.generation)
                return
            self.ledger.write(wire.RECORD_MENDED, at, store.generation, 0, 0, 0, 0)
            at = store.damaged()

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
            self.alarm(wire.ALARM_FLASH_FAILED, generation)
        if old is not None:
            self.guard.change_worth(
                therapy.step_ng_num, therapy.step_ng_den, old.step_ng_num, old.step_ng_den, therapy.bridge_steps
            )
        self.selftest.note(wire.TEST_THERAPY, wire.TEST_RESULT_PASSED, generation)
        self.take(therapy, True)
        self.drop_alarm(wire.ALARM_THERAPY_UNFIT)

    def take(self, therapy, live):
        """Hold a therapy; `live`: it was committed just now, else a boot finds it in force."""
        ledger = self.ledger
        self.therapy = therapy
        if not self.guard.adopt(self.store.program) or not live:
            self._history.tell()
        pumped = ledger.facts.high - ledger.facts.commit_high
        left = therapy.bridge_steps - pumped if therapy.bridge_steps > pumped else 0
        # If nothing of what resets left open since the commit was delivered, so many of the bridge are left.
        most = therapy.bridge_steps + ledger.facts.unsure_since_commit() - pumped
        doubt = most - left if therapy.bridge_steps and most > left else 0
        self.guard.resume_bridge(left, doubt, (therapy.bridge_ng_num, therapy.bridge_ng_den))
        self.plan.load(therapy, left, ledger.facts.titration_day)
        self._set_periodic(therapy, live)
        self.apply_alarms()
        self.memory.seal()

    def _set_periodic(self, therapy, live):
        period = _periodic(therapy)
        if live and self.schedule.same_periodic(*period):
            return
        left = therapy.periodic_ms
        if not live:
            since = self.ledger.facts.since(self.ledger.facts.periodic_from)
            left = left - since if left > since else 1
        self.schedule.set_periodic(*period, left)

    # The loop

    def run(self):
        """Do what is due; return the milliseconds until something will be."""
        if self.supervisor.proving:
            return self._prove_watchdog()
        self.deliver()
        if not self.distrusted:
            self._after_steps()
        if not self.distrusted:
            self._listen()
        self.supervisor.report(supervisor.LINK)
        self.alarms.annunciate()
        self.supervisor.report(supervisor.ALARMS)
        self.supervisor.feed()
        if self.distrusted or self.ledger.corrupted:
            self._start_over()
            return 0
        return self._sleep_ms()

    def _listen(self):
        waiting = self.link.pending
        if self.link.receive():
            if not waiting:
                self._held_ms = 0
            self._serve()
        self._send_streams()

    # Trust in RAM (see memory.py)

    def is_trusted(self):
        """Whether everything that decides what moves is as it has to be. If not, nothing moves any more, and the pump
        starts over at the end of this turn."""
        if not self.memory.sound():
            self.distrust()
        return not self.distrusted

    def distrust(self):
        self.distrusted = True
        self.halt_motion()

    def _start_over(self):
        # As after a reset: all that is known comes from flash, and the open lease counts as delivered.
        self.motor.off()
        self.__init__(self.board, True)

    def _prove_watchdog(self):
        """Wait for the bite; coming back from the whole wait is its failure. What arrives meanwhile is lost with it."""
        self.link.receive()
        left = self.supervisor.wait_for_bite(self.clock.update(self.board.ticks()))
        if not self.supervisor.proving:
            self.boot.ready()
        return left

    def deliver(self):
        """Advance time and move what is due, as far as the guard permits. Allocates nothing."""
        passed = self.clock.update(self.board.ticks())
        self.wakes.wake(passed)
        self.selftest.clock(self.wakes.asked_ms, passed)
        self.guard.advance(passed)
        self.orders.pass_time(passed)
        self.monitor.pass_time(passed)
        self.alarms.pass_time(passed)
        self.selftest.since_ms += passed
        self.gate.pass_time(passed)
        self.telemetry.pass_time(passed)
        self._held_ms += passed
        self.upload.pass_time(passed)
        stray = self.motor.watch()
        if stray:
            self.guard.moved(stray)
            self.ledger.moved(0, stray)
            self.plan.pumped(stray)
            self.monitor.stray(stray)
        self._pass_time(passed)
        schedule = self.schedule
        basal = schedule.basal_due
        if basal > 1:
            if basal >= NEVER:
                self.distrust()
                return
            # No catch-up: what a late wake left behind is reported, not delivered.
            self._missed += basal - 1
            basal = 1
        if basal or schedule.bolus_due or schedule.square_due:
            self._move(basal, schedule.bolus_due + schedule.square_due)
        self.supervisor.report(supervisor.DELIVERY)

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
        num, den = plan.num, plan.den
        if num != basal.num or den != basal.den:
            plan.select()
            if num != plan.num or den != plan.den:
                # Nothing but a flipped bit makes a rate that the plan would not choose again.
                self.distrust()
                return
            basal.retune(num, den)

    def _move(self, basal, bolus):
        due = basal + bolus
        granted = self.guard.permit(due)
        if granted < due:
            # The basal comes first; a bolus step that is not granted ends the bolus.
            self._skipped_basal += basal - granted if granted < basal else 0
            self._skipped_bolus += due - granted if granted > basal else bolus
            if granted == 0:
                return
        if not self.monitor.before_steps():
            # What the line says stops the pump before this step: it is missed.
            self._missed += basal
            return
        commanded = self.motor.activate(granted)
        self.monitor.battery.loaded()
        moved = self.motor.moved
        self.monitor.after_steps(moved)
        most = moved if moved > commanded else commanded
        self.guard.moved(most)
        self.ledger.moved(commanded, moved)
        self.plan.pumped(most)
        if self.plan.bridge_left and self.plan.bridge_left != self.guard.bridge_left():
            self.distrust()
        self.follow_plan()
        if granted > basal:
            self.schedule.bolus_moved()

    def _after_steps(self):
        """What follows from the steps: faults, levels, the end of a bolus, the next lease."""
        schedule, ledger = self.schedule, self.ledger
        if self.motor.stalled:
            self.alarm(wire.ALARM_MOTOR_STALL, self.motor.lost)
        if self.motor.ran_away:
            self.alarm(wire.ALARM_MOTOR_RUNAWAY, ledger.facts.low)
        if self._skipped_basal or self._skipped_bolus:
            self._refused_by_guard()
        if self._missed:
            self._report_missed()
        if ledger.facts.bolus_left and schedule.bolus_left == 0:
            self._bolus_done()
        if self.distrusted:
            return
        if ledger.facts.square_left and schedule.square_left == 0:
            self._square_done()
        if schedule.periodic_began:
            self._periodic_began()
        self._check_reservoir()
        self.standstill.watch()
        self.monitor.watch()
        self.supervisor.report(supervisor.MONITOR)
        if self.selftest.since_ms >= self.profile.retest_ms:
            self._test_again()
        self.upload.watch()
        self._note_distrusted()
        if self.guard.allowance() < self._next_need():
            self.lease()

    def _test_again(self):
        # A lease has done the same; without one for so long, nothing moved.
        if self.memory.age_ms() >= self.profile.retest_ms and self.is_trusted():
            self.mend_store()
        if self.selftest.again():
            self.judge_selftest()

    def _next_need(self):
        """Steps that the next event may ask for: the lease must cover them before they are due."""
        schedule = self.schedule
        basal = 1 if schedule.running and schedule.basal.num else 0
        return basal + (1 if schedule.bolus_left or schedule.square_left else 0)

    def _serve(self):
        if self.dispatcher.needs_flash() and self._next_event_ms() < _QUIET_MS and self._held_ms < _HOLD_MS_MAX:
            return
        self.dispatcher.handle_request()
        self._note_distrusted()
        self.report_damage()
        if self.ledger.failed():
            self.alarm(wire.ALARM_FLASH_FAILED, 0)

    def _send_streams(self):
        """What a host has asked to hear over and over: never near to a step."""
        if self._next_event_ms() >= QUIET_MS:
            self.telemetry.send_sample()
            self.stream.send_slice()

    def _note_distrusted(self):
        if self.gate.has_counts() and self._next_event_ms() >= _QUIET_MS:
            self.gate.record_counts()

    def _next_event_ms(self):
        schedule = self.schedule
        event = schedule.next_ms()
        change = self.plan.next_ms(schedule.running)
        return change if change < event else event

    def _sleep_ms(self):
        if self.link.has_frame():
            return self.wakes.sleep(0, wake_counts.LINK)
        # What was done may have taken time, in which a step came near.
        late = (self.board.ticks() - self.clock.ticks()) & 0x3FFFFFFF
        wake = self._next_event_ms()
        cause = wake_counts.DELIVERY
        due = self.monitor.next_ms()
        if due < wake:
            wake = due
            cause = wake_counts.SENSORS
        due = min(self.upload.next_ms(), self.alarms.next_ms(), self.standstill.next_ms())
        due = min(due, _WAKE_MS_MAX)
        if self.link.pending:
            due = min(due, _HOLD_MS_MAX)
        if due < wake:
            wake = due
            cause = wake_counts.OTHER
        due = self._streams_next_ms()
        if due < wake:
            wake = due
            cause = wake_counts.LINK
        due = self.supervisor.sleep_ms_max()
        if due < wake:
            wake = due
            cause = wake_counts.WATCHDOG
        return self.wakes.sleep(wake - late if wake > late else 0, cause)

    def _streams_next_ms(self):
        due = min(self.stream.next_ms(), self.telemetry.next_ms())
        event = self._next_event_ms()
        if due < _NEVER and event < due + QUIET_MS:
            # The step first: it is what the pump wakes for.
            return max(due, event)
        return due

    # State

    def faulty(self):
        return self.alarms.on(wire.ALARMS_SAFE)

    def state(self):
        if self.faulty():
            return wire.DELIVERY_SAFE
        if self.ledger.facts.running:
            return wire.DELIVERY_RUNNING
        return wire.DELIVERY_UNPROGRAMMED if self.therapy is None else wire.DELIVERY_STOPPED

    def rate(self):
        """The basal rate that runs now, in steps per millisecond."""
        if not self.schedule.running:
            return 0, 1
        return self.schedule.basal.num, self.schedule.basal.den

    def reservoir_known(self):
        return self.ledger.facts.reservoir != UNKNOWN

    # Delivery

    def start_delivery(self):
        """Start delivery; a periodic bolus is due a period from now."""
        self.schedule.set_periodic(*_periodic(self.therapy), self.therapy.periodic_ms)
        self.begin()

    def begin(self):
        """Delivery begins, or goes on after a boot."""
        self.apply_alarms()
        self.monitor.begin()
        self.schedule.running = True
        self.guard.enable(True)
        self.lease()

    def go_on(self):
        """A commit is through: deliver the new therapy, if the old one was delivered."""
        if self.ledger.facts.running:
            self.lease()

    def lease(self):
        """Make durable how much may move from here on, once all that decides it was found as it has to be."""
        if not self.is_trusted():
            return
        self.mend_store()
        basal, ledger = self.schedule.basal, self.ledger
        steps = 0
        if self.schedule.running and basal.num:
            steps = max(1, mul_div(self.profile.lease_ms, basal.num, basal.den)[0])
        allowance = steps + self.schedule.bolus_left + self.schedule.square_left
        self._write_lease(allowance)
        self.guard.allow(0 if ledger.failed() else allowance)
        if ledger.failed():
            self.alarm(wire.ALARM_FLASH_FAILED, 0)

    def _write_lease(self, allowance):
        facts, day = self.ledger.facts, self.plan.titration_day
        self.ledger.write(wire.RECORD_LEASE, day, facts.low, facts.high, allowance, facts.missed, facts.reservoir)

    def extend_lease(self, steps):
        """Show what was delivered, before a command's record adds `steps` to the lease; return the lease with them."""
        allowance = self.guard.allowance()
        self._write_lease(allowance)
        return allowance + steps

    def start_bolus(self, kind, steps, num, den, allowance):
        """Start a bolus whose lease is durable."""
        self.guard.allow(allowance)
        self.schedule.start_bolus(kind, steps, num, den)

    def start_square(self, steps, duration_ms, allowance):
        """Start a square bolus whose lease is durable."""
        self.schedule.start_square(steps, duration_ms)
        self.guard.allow(allowance)

    def start_priming(self, steps, num, den):
        """Fill the path with `steps` that hold no dose."""
        self.guard.prime(steps)
        self.guard.enable(True)
        self.start_bolus(wire.BOLUS_KIND_PRIMING, steps, num, den, steps)

    def start_patency(self, steps, every_ms):
        """Move `steps` into the line of a stopped pump, one every `every_ms`."""
        self.monitor.begin()
        self.guard.enable(True)
        self.start_bolus(wire.BOLUS_KIND_PATENCY, steps, 1, every_ms, steps)

    def after_bolus(self):
        """A bolus is over: what it leased and did not use is given back, and one that waited begins."""
        self.guard.end_prime()
        if not self.schedule.running:
            self._close()
            return
        # In this order: a bolus that runs has its record, or the look at RAM before a lease finds one too many.
        self.lease()
        self.schedule.begin_waiting_periodic()
        if self.schedule.periodic_began:
            self._periodic_began()

    def _close(self):
        self.guard.enable(False)
        self.guard.allow(0)
        self.ledger.close(wire.STOP_REASON_NONE)

    def _periodic_began(self):
        ledger, schedule = self.ledger, self.schedule
        schedule.periodic_began = False
        allowance = self.guard.allowance() + schedule.bolus_left
        ledger.write(
            wire.RECORD_PERIODIC_BOLUS, 0, ledger.facts.low, ledger.facts.high, schedule.bolus_left, allowance, 0
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
        self.schedule.periodic_waits = 0
        self.schedule.periodic_began = False
        self.motor.off()

    def record_halt(self):
        """Make a stop durable that came without a record of its own."""
        facts = self.ledger.facts
        if (facts.running and not self.schedule.running) or (facts.bolus_left and not self.schedule.bolus_left):
            self.ledger.halt(wire.STOP_REASON_COMMAND)

    # Alarms

    def alarm(self, alarm, detail):
        """Raise an alarm, and do about it what the table says. Safe state is one way for all of them."""
        if alarm & wire.ALARMS_SAFE:
            self.halt_motion()
            self.motor.clear()
        elif alarm & wire.ALARMS_HALT and self.moving():
            self.halt_motion()
        new = self.alarms.raise_(alarm, detail)
        facts = self.ledger.facts
        if alarm & (wire.ALARMS_SAFE | wire.ALARMS_HALT) and (facts.running or facts.bolus_left):
            empty = alarm == wire.ALARM_RESERVOIR_EMPTY
            self.ledger.halt(wire.STOP_REASON_RESERVOIR_EMPTY if empty else wire.STOP_REASON_FAULT)
        if new:
            self.apply_alarms()
            if self.alarms.repeated(alarm):
                self.alarm(wire.ALARM_ALARM_REPEATED, alarm)

    def drop_alarm(self, alarm):
        """End alarms whose cause is gone."""
        if self.alarms.end(alarm):
            self.apply_alarms()

    def moving(self):
        return self.schedule.running or self.schedule.bolus_left != 0

    def apply_alarms(self):
        """What a low reservoir and a reached cap make of the basal rate."""
        therapy, alarms = self.therapy, self.ledger.facts.alarms
        if therapy is None:
            return
        self.plan.closed, self.plan.at_minimum = _fallbacks(therapy, alarms)
        self.plan.select()
        self.follow_plan()

    def falls_back(self):
        """Whether the plan does what the alarms that are on ask for."""
        if self.therapy is None:
            return True
        return (self.plan.closed, self.plan.at_minimum) == _fallbacks(self.therapy, self.ledger.facts.alarms)

    def cap_reached(self, steps):
        """A dose did not fit into a window: say so, and fall back."""
        self.alarm(wire.ALARM_DOSE_CAP, steps)

    def _refused_by_guard(self):
        basal, bolus = self._skipped_basal, self._skipped_bolus
        self._skipped_basal = 0
        self._skipped_bolus = 0
        if not self.guard.sound() or not self.guard.full():
            # No cap stands in the way: schedule and guard do not agree about what may move.
            self.alarm(wire.ALARM_GUARD_DISAGREES, basal + bolus)
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
        if self.ledger.facts.alarms & wire.ALARM_MISSED_VOLUME:
            self.ledger.facts.missed += missed
            return
        self.ledger.write(wire.RECORD_MISSED, 0, missed, self.ledger.facts.missed + missed, 0, 0, 0)
        self.alarm(wire.ALARM_MISSED_VOLUME, missed)

    def _bolus_done(self):
        ledger = self.ledger
        asked, kind = ledger.facts.bolus_left, ledger.facts.bolus_kind
        delivered = asked - self._bolus_cut
        if self.schedule.bolus_made != delivered:
            self.distrust()
            return
        self._bolus_cut = 0
        ledger.write(wire.RECORD_BOLUS_END, kind, ledger.facts.low, ledger.facts.high, delivered, asked, 0)
        self.guard.end_prime()
        self.schedule.begin_waiting_periodic()
        if not self.schedule.running:
            self._close()

    def _square_done(self):
        ledger = self.ledger
        asked = ledger.facts.square_left
        delivered = asked - self._square_cut
        self._square_cut = 0
        ledger.write(wire.RECORD_SQUARE_END, 0, ledger.facts.low, ledger.facts.high, delivered, asked, 0)

    def _check_reservoir(self):
        therapy, ledger = self.therapy, self.ledger
        if therapy is None or ledger.facts.reservoir == UNKNOWN:
            return
        if ledger.facts.reservoir <= therapy.low_steps and not self.alarms.on(wire.ALARM_RESERVOIR_LOW):
            self.alarm(wire.ALARM_RESERVOIR_LOW, ledger.facts.reservoir)
        if ledger.facts.reservoir <= therapy.empty_steps and self.moving():
            self.alarm(wire.ALARM_RESERVOIR_EMPTY, ledger.facts.reservoir)

    def empty_minutes(self):
        """How long the reservoir lasts at the rate that runs, or would run, less what a bolus still takes (R25)."""
        num, therapy = self.plan.num, self.therapy
        if therapy is None or not self.reservoir_known() or num == 0:
            return wire.COUNT_MAX
        left = self.ledger.facts.reservoir - therapy.empty_steps - self.schedule.bolus_left - self.schedule.square_left
        return min(max(left, 0) * self.plan.den // (num * 60_000), wire.COUNT_MAX)


def _fallbacks(therapy, alarms):
    """(whether the basal is closed, whether it is at the minimum rate) with these alarms on."""
    low = alarms & wire.ALARM_RESERVOIR_LOW
    cap = alarms & wire.ALARM_DOSE_CAP
    over = alarms & wire.ALARM_OVER_INFUSION
    return (
        bool((low and therapy.on_low == wire.ON_LOW_STOP) or (cap and therapy.on_cap == wire.ON_CAP_STOP)),
        bool((low and therapy.on_low == wire.ON_LOW_MINIMUM_RATE) or cap or over),
    )


def _periodic(therapy):
    return therapy.periodic_steps, therapy.periodic_num, therapy.periodic_den, therapy.periodic_ms
