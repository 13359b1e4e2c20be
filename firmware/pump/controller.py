# The pump: a next-event loop. run() does what is due and returns how long nothing will be.
#
# Pump wires the parts and visits them; what they do is theirs. deliver() counts the time and is the dosing path: it
# allocates nothing. Everything that writes flash happens behind it, between steps.

from const import const

from pump import wake_counts
from pump.alarm_effects import AlarmEffects
from pump.boot import Boot
from pump.clock import Clock
from pump.dosing.delivery import Delivery
from pump.dosing.plan import Plan
from pump.guard.guard import Guard
from pump.integrity import supervisor
from pump.integrity.checksums import fold
from pump.integrity.self_test import SelfTest
from pump.integrity.supervisor import Supervisor
from pump.link.dispatch import Dispatcher
from pump.link.frames import Link
from pump.link.journal_stream import QUIET_MS, JournalStream
from pump.link.queries import FlashQueries, PumpQueries
from pump.link.session import Gate
from pump.link.telemetry import Telemetry
from pump.link.upload import Upload
from pump.monitoring.alarms import Alarms
from pump.monitoring.battery import Battery
from pump.monitoring.line_watch import LineWatch
from pump.monitoring.monitor import Monitor
from pump.monitoring.reservoir import Reservoir
from pump.monitoring.sensors import fitted_sensors
from pump.monitoring.service_life import Service
from pump.monitoring.standstill import Standstill
from pump.orders import Orders
from pump.part import NEVER, Part
from pump.profile import Profile
from pump.storage.journal import Journal
from pump.storage.ledger import Ledger
from pump.storage.therapy_store import TherapyStore
from pump.wake_counts import WakeCounts
from pump.wire import SENSOR_BATTERY, SENSOR_LEVEL

# What run() returns when RAM is not to be trusted: the pump is over, and another one is to be made with `distrusted`.
START_OVER = const(-1)
_SECTOR_BYTES = const(4096)
_THERAPY_SECTORS = const(2)
# Longest that requests which write flash are held so that the write does not delay a step.
_QUIET_MS = const(400)
_HOLD_MS_MAX = const(1_000)
_WAKE_MS_MAX = const(3_600_000)


class Pump:
    """A pump on a board. `distrusted` says that it starts over because of what was found in RAM (see ram_check.py)."""

    def __init__(self, board, distrusted=False):
        self.board = board
        self.device_id = board.device_id
        self.profile = profile = Profile(board.config)
        self.clock = clock = Clock(board.ticks())
        guard, plan = Guard(profile.hard_hour_steps, profile.hard_day_steps), Plan()
        self.ledger = ledger = Ledger(*_rings(board, clock, profile), clock, guard, plan, fold)
        self.store = TherapyStore(board, (0, _SECTOR_BYTES))
        sensors = fitted_sensors(board)
        line = LineWatch(board, clock, profile, sensors)
        self.delivery = Delivery(board, clock, profile, ledger, self.store, line, guard, plan)
        self.alarms = Alarms(board, ledger, profile)
        self.effects = effects = AlarmEffects(self.alarms, ledger, self.store, self.delivery)
        self.supervisor = Supervisor(board, ledger, profile.watchdog_ms)
        self.service = Service(profile, clock, ledger, effects)
        battery = Battery(sensors[SENSOR_BATTERY], profile, line, self.service, effects)
        reservoir = Reservoir(sensors[SENSOR_LEVEL], profile, ledger, effects)
        self.monitor = Monitor(board, profile, sensors, line, battery, reservoir, self.service, effects)
        # Until the next reset a pump that started over says so in its self-test: a person looks at the board first.
        self.selftest = SelfTest(
            board, profile, ledger, self.store, self.delivery, effects, self.monitor, self.supervisor, distrusted
        )
        self.wakes = WakeCounts()
        self.standstill = Standstill(profile, ledger, self.alarms, effects, self.delivery)
        self._held_ms = 0
        self.link = Link(board, self.device_id)
        self.orders = Orders(
            ledger, self.store, profile, clock, self.delivery, effects, self.alarms, self.monitor, self.selftest
        )
        self.stream = JournalStream(board, ledger.journal, self.link)
        self.telemetry = Telemetry(board, clock, ledger, self.delivery, battery, self.link)
        self.gate = Gate(board, self.device_id, ledger)
        self.upload = Upload(ledger, self.store, profile, self.orders)
        self.boot = Boot(
            board,
            profile,
            clock,
            ledger,
            self.store,
            self.delivery,
            effects,
            self.supervisor,
            self.monitor,
            self.selftest,
            distrusted,
        )
        self.dispatcher = self._dispatcher()
        # The order in which parts are visited. The line counts the motor's rest before delivery moves it; what follows
        # from the steps comes before all that looks at it.
        parts = (
            line,
            self.delivery,
            effects,
            self.standstill,
            self.monitor,
            self.selftest,
            self.upload,
            self.gate,
            self.orders,
            self.alarms,
            self.telemetry,
        )
        # A part that leaves a method of the contract as it is has nothing to do there.
        self._time = tuple([part.pass_time for part in parts if type(part).pass_time is not Part.pass_time])
        self._watches = tuple([part.watch for part in parts if type(part).watch is not Part.watch])

    def _dispatcher(self):
        profile, ledger, delivery, upload = self.profile, self.ledger, self.delivery, self.upload
        queries = PumpQueries(
            self.board,
            profile,
            self.clock,
            ledger,
            self.boot,
            delivery,
            self.orders,
            self.alarms,
            self.monitor,
            self.standstill,
            self.service,
            self.selftest,
            self.wakes,
            self.gate,
            upload,
        )
        return Dispatcher(
            self.device_id,
            profile,
            ledger,
            delivery,
            self.orders,
            self.link,
            self.gate,
            upload,
            (queries, FlashQueries(ledger, self.store), upload),
            self.stream,
            self.telemetry,
        )

    def start(self):
        """Everything from the reset to the loop."""
        self.boot.run()

    # The loop

    def run(self):
        """Does what is due; returns the milliseconds until something will be, or START_OVER."""
        if self.supervisor.proving:
            return self._prove_watchdog()
        delivery = self.delivery
        self.deliver()
        if not delivery.distrusted:
            self._watch()
        if not delivery.distrusted:
            self._listen()
        self.supervisor.report(supervisor.LINK)
        self.alarms.sound_tone()
        self.supervisor.report(supervisor.ALARMS)
        self.supervisor.feed_watchdog()
        if delivery.distrusted or self.ledger.corrupted:
            # As after a reset: all that is known comes from flash, and the open lease counts as delivered.
            delivery.motor.switch_off()
            return START_OVER
        return self._sleep_ms()

    def _prove_watchdog(self):
        """Waits for the bite. The watchdog failed if the whole wait passes. What arrives meanwhile is lost."""
        self.link.receive()
        left = self.supervisor.wait_for_bite(self.clock.update(self.board.ticks()))
        if not self.supervisor.proving:
            self.boot.finish()
        return left

    def deliver(self):
        """Lets all parts count the time that passed; delivery moves what is due. Allocates nothing."""
        passed = self.clock.update(self.board.ticks())
        self.wakes.count_wake(passed)
        self.selftest.judge_clock(self.wakes.asked_ms, passed)
        self._held_ms += passed
        for pass_time in self._time:
            pass_time(passed)
        self.supervisor.report(supervisor.DELIVERY)

    def _watch(self):
        """Lets all parts do what is due behind the steps; the lease comes last, with all that it must cover."""
        delivery = self.delivery
        for watch in self._watches:
            watch()
            if delivery.distrusted:
                return
        self.supervisor.report(supervisor.MONITOR)
        self._record_refused_frames()
        if delivery.needs_lease():
            self.effects.renew_lease()

    def _listen(self):
        waiting = self.link.pending
        if self.link.receive():
            if not waiting:
                self._held_ms = 0
            self._serve()
        if self.delivery.next_ms() >= QUIET_MS:
            # What a host has asked to hear over and over: never near to a step.
            self.telemetry.send_sample()
            self.stream.send_slice()

    def _serve(self):
        if self.dispatcher.needs_flash() and self.delivery.next_ms() < _QUIET_MS and self._held_ms < _HOLD_MS_MAX:
            return
        self.dispatcher.handle_request()
        self._record_refused_frames()
        self.effects.report_damage()
        self.effects.report_flash()

    def _record_refused_frames(self):
        if self.gate.has_counts() and self.delivery.next_ms() >= _QUIET_MS:
            self.gate.record_counts()

    def _sleep_ms(self):
        if self.link.has_frame():
            return self.wakes.record_sleep(0, wake_counts.LINK)
        # What was done may have taken time, in which a step came near.
        late = (self.board.ticks() - self.clock.ticks()) & NEVER
        event = wake = self.delivery.next_ms()
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
        due = self._streams_next_ms(event)
        if due < wake:
            wake = due
            cause = wake_counts.LINK
        due = self.supervisor.sleep_ms_max()
        if due < wake:
            wake = due
            cause = wake_counts.WATCHDOG
        return self.wakes.record_sleep(wake - late if wake > late else 0, cause)

    def _streams_next_ms(self, event):
        due = min(self.stream.next_ms(), self.telemetry.next_ms())
        if due < NEVER and event < due + QUIET_MS:
            # The step first: it is what the pump wakes for.
            return max(due, event)
        return due


def _rings(board, clock, profile):
    """The two rings: therapy, routine journal and faults share the flash in this order. Both are closed while the
    settings do not say for sure where they are."""
    faults = profile.fault_sectors if profile.is_valid else 0
    routine = profile.flash_sectors - _THERAPY_SECTORS - faults if profile.is_valid else 0
    at = _THERAPY_SECTORS * _SECTOR_BYTES
    return Journal(board, clock, at, routine), Journal(board, clock, at + routine * _SECTOR_BYTES, faults)
