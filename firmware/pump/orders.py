# What the commands do. Each writes one record that holds the command id and its effect, or raises Refusal: nothing of a
# refused command happens.

from pump import wire
from pump.clock import DAY_MS
from pump.guard.program import Program
from pump.refusal import Refusal
from pump.storage.records import UNKNOWN
from pump.wire import const

_NOT_ARMED = const(-1)


class Orders:
    """Commands on a pump. `fields` are those of the request: host and counter first."""

    def __init__(self, pump):
        self._pump = pump
        self._ledger = pump.ledger
        self._armed_steps = _NOT_ARMED
        self._armed_ms = 0

    def refuse(self, host, counter, message, reason):
        """Make a refusal durable, so that a repeat gets the same answer."""
        facts, number = self._ledger.facts, int.from_bytes(host, "little")
        self._ledger.write(wire.RECORD_REFUSED, reason, number, counter, message, facts.low, facts.high)

    # Start and stop

    def _need_ready(self):
        ledger, therapy = self._ledger, self._pump.therapy
        if self._pump.faulty():
            raise Refusal(wire.REASON_SAFE_STATE, ledger.facts.alarms)
        if not self._pump.trusts():
            raise Refusal(wire.REASON_SAFE_STATE, ledger.facts.alarms)
        if therapy is None:
            raise Refusal(wire.REASON_NOT_PROGRAMMED)
        if ledger.facts.reservoir == UNKNOWN or ledger.facts.reservoir <= therapy.empty_steps:
            raise Refusal(wire.REASON_RESERVOIR_EMPTY)
        if ledger.facts.alarms & wire.ALARMS_HALT:
            raise Refusal(wire.REASON_START_BLOCKED, ledger.facts.alarms & wire.ALARMS_HALT)

    def _need_running(self):
        self._need_ready()
        if not self._ledger.facts.running:
            raise Refusal(wire.REASON_NOT_RUNNING)

    def start(self, fields):
        self._need_ready()
        if self._ledger.facts.running:
            raise Refusal(wire.REASON_ALREADY_RUNNING)
        if self._ledger.facts.alarms & wire.ALARMS_BLOCK:
            raise Refusal(wire.REASON_START_BLOCKED, self._ledger.facts.alarms & wire.ALARMS_BLOCK)
        if self._ledger.facts.bolus_left:
            raise Refusal(wire.REASON_BOLUS_RUNNING)
        self._write(wire.RECORD_START, fields, 0)
        self._pump.drop_alarm(wire.ALARM_PUMP_STOPPED)
        self._pump.go()

    def stop(self, fields):
        ledger = self._ledger
        self._pump.halt_motion()
        record = self._write(wire.RECORD_STOP, fields, 0)
        ledger.close(wire.STOP_REASON_COMMAND)
        return record

    def _write(self, kind, fields, c):
        """A command record of the kind that shows low and high; returns its sequence number."""
        return self._ledger.command(kind, fields[0], fields[1], c, self._ledger.facts.low, self._ledger.facts.high)

    # Boluses

    def _need_no_bolus(self):
        if self._ledger.facts.bolus_left:
            raise Refusal(wire.REASON_BOLUS_RUNNING)

    def bolus(self, fields):
        host, counter, steps = fields
        self._need_running()
        self._need_no_bolus()
        therapy = self._pump.therapy
        if steps == 0:
            raise Refusal(wire.REASON_BOLUS_ZERO)
        if steps > therapy.bolus_steps_max:
            raise Refusal(wire.REASON_BOLUS_OVER_MAXIMUM)
        if self._pump.guard.full():
            raise Refusal(wire.REASON_BOLUS_OVER_CAP)
        allowance = self._pump.extend_lease(steps)
        self._ledger.command(wire.RECORD_BOLUS, host, counter, steps, self._ledger.facts.low, allowance)
        self._pump.begin_bolus(wire.BOLUS_KIND_CLINICIAN, steps, therapy.bolus_num, therapy.bolus_den, allowance)

    def bolus_cancel(self, fields):
        if not self._ledger.facts.bolus_left:
            raise Refusal(wire.REASON_NO_BOLUS)
        self._write(wire.RECORD_BOLUS_CANCEL, fields, self._pump.schedule.cancel_bolus())
        self._pump.after_bolus()

    def patient_bolus(self, fields):
        host, counter = fields
        self._need_running()
        therapy = self._pump.therapy
        if not therapy.patient_steps:
            raise Refusal(wire.REASON_NO_PATIENT_BOLUS)
        if self.lockout_left_ms():
            raise Refusal(wire.REASON_LOCKOUT)
        if self.patient_left() == 0:
            raise Refusal(wire.REASON_PATIENT_COUNT)
        self._need_no_bolus()
        if not self._pump.guard.fits(therapy.patient_steps):
            self._pump.cap_reached(therapy.patient_steps)
            raise Refusal(wire.REASON_BOLUS_OVER_CAP)
        allowance = self._pump.extend_lease(therapy.patient_steps)
        self._ledger.command(
            wire.RECORD_PATIENT_BOLUS, host, counter, therapy.patient_steps, self._ledger.facts.low, allowance
        )
        self._pump.begin_bolus(
            wire.BOLUS_KIND_PATIENT, therapy.patient_steps, therapy.patient_num, therapy.patient_den, allowance
        )

    def lockout_left_ms(self):
        """How long the patient's button is still locked."""
        therapy, times = self._pump.therapy, self._ledger.facts.patient_times
        if therapy is None or not times:
            return 0
        since = self._ledger.facts.since(times[-1])
        return therapy.patient_lockout_ms - since if since < therapy.patient_lockout_ms else 0

    def patient_left(self):
        """Patient boluses that are left in the rolling 24 hours."""
        therapy = self._pump.therapy
        if therapy is None or not therapy.patient_steps:
            return 0
        taken = self._ledger.facts.patient_count(DAY_MS)
        return therapy.patient_per_day - taken if taken < therapy.patient_per_day else 0

    def square_bolus(self, fields):
        host, counter, steps, duration_ms = fields
        self._need_running()
        pump = self._pump
        if self._ledger.facts.square_left:
            raise Refusal(wire.REASON_SQUARE_RUNNING)
        if steps == 0:
            raise Refusal(wire.REASON_BOLUS_ZERO)
        if steps > pump.therapy.square_steps_max:
            raise Refusal(wire.REASON_SQUARE_OVER_MAXIMUM)
        if not 1 <= duration_ms <= wire.FRACTION_MAX or pump.too_fast(steps, duration_ms):
            raise Refusal(wire.REASON_SQUARE_RATE)
        if pump.guard.full():
            raise Refusal(wire.REASON_BOLUS_OVER_CAP)
        allowance = pump.extend_lease(steps)
        self._ledger.command(wire.RECORD_SQUARE, host, counter, steps, duration_ms, allowance)
        pump.schedule.start_square(steps, duration_ms)
        pump.guard.allow(allowance)

    def square_cancel(self, fields):
        if not self._ledger.facts.square_left:
            raise Refusal(wire.REASON_NO_SQUARE)
        self._write(wire.RECORD_SQUARE_CANCEL, fields, self._pump.schedule.cancel_square())
        self._pump.lease()

    # Priming: two deliberate acts

    def _need_stopped(self):
        self._need_ready()
        if self._ledger.facts.running or self._ledger.facts.bolus_left or self._pump.plan.bridge_left:
            raise Refusal(wire.REASON_STILL_RUNNING)

    def prime_arm(self, fields):
        host, counter, steps, path_version = fields
        self._need_stopped()
        therapy = self._pump.therapy
        if not 1 <= steps <= therapy.prime_steps_max:
            raise Refusal(wire.REASON_PRIMING_VOLUME)
        if path_version != therapy.path_version:
            raise Refusal(wire.REASON_PRIMING_PATH)
        self._ledger.command(wire.RECORD_PRIME_ARM, host, counter, steps, path_version, self._ledger.facts.low)
        self._armed_steps = steps
        self._armed_ms = 0

    def prime(self, fields):
        host, counter, steps = fields
        self._need_stopped()
        therapy = self._pump.therapy
        if self._armed_steps == _NOT_ARMED or self._armed_ms > wire.PRIME_ARMED_MS:
            raise Refusal(wire.REASON_PRIMING_NOT_ARMED)
        if steps != self._armed_steps:
            raise Refusal(wire.REASON_PRIMING_VOLUME)
        self._armed_steps = _NOT_ARMED
        self._ledger.command(wire.RECORD_PRIME, host, counter, steps, therapy.path_version, steps)
        self._pump.guard.prime(steps)
        self._pump.guard.enable(True)
        self._pump.begin_bolus(wire.BOLUS_KIND_PRIMING, steps, therapy.prime_num, therapy.prime_den, steps)

    def patency(self, fields):
        """A few steps into the line of a stopped pump, as fast as it may; who asked watches the pressure."""
        host, counter, steps = fields
        self._need_stopped()
        pump, profile = self._pump, self._pump.profile
        if steps == 0:
            raise Refusal(wire.REASON_BOLUS_ZERO)
        if steps > profile.patency_steps:
            raise Refusal(wire.REASON_BOLUS_OVER_MAXIMUM)
        if not pump.guard.fits(steps):
            raise Refusal(wire.REASON_BOLUS_OVER_CAP)
        every_ms = profile.rate_max_den // profile.rate_max_num
        self._ledger.command(wire.RECORD_PATENCY, host, counter, steps, every_ms, steps)
        pump.monitor.begin()
        pump.guard.enable(True)
        pump.begin_bolus(wire.BOLUS_KIND_PATENCY, steps, 1, every_ms, steps)

    def pass_time(self, ms):
        """An armed priming bolus does not stay armed."""
        if self._armed_steps != _NOT_ARMED and self._armed_ms <= wire.PRIME_ARMED_MS:
            self._armed_ms += ms

    # Reservoir, alarms, clock

    def refill(self, fields):
        host, counter, steps, withdrawn = fields
        pump = self._pump
        most = pump.profile.reservoir_steps_max
        if steps > most or (withdrawn != UNKNOWN and withdrawn > most):
            raise Refusal(wire.REASON_RESERVOIR_SIZE)
        if withdrawn != UNKNOWN:
            pump.monitor.reservoir.reconcile(withdrawn)
        self._ledger.command(wire.RECORD_REFILL, host, counter, steps, self._ledger.facts.low, self._ledger.facts.high)
        pump.monitor.reservoir.settle()
        if pump.therapy is not None and steps > pump.therapy.empty_steps:
            pump.drop_alarm(wire.ALARM_RESERVOIR_EMPTY)
        if pump.therapy is not None and steps > pump.therapy.low_steps:
            pump.drop_alarm(wire.ALARM_RESERVOIR_LOW)

    def _present(self):
        """Alarms that are on and whose cause is there: they cannot be cleared."""
        pump, ledger = self._pump, self._ledger
        present = pump.monitor.present() | (ledger.facts.alarms & (wire.ALARM_PUMP_STOPPED | wire.ALARM_THERAPY_UNFIT))
        if pump.therapy is None and ledger.facts.generation:
            present |= wire.ALARM_THERAPY_LOST
        if ledger.failed():
            present |= wire.ALARM_FLASH_FAILED
        if pump.selftest.unsaid():
            present |= wire.ALARM_SELFTEST_FAILED
        if not pump.clock.known and ledger.facts.clock_was_set:
            present |= wire.ALARM_CLOCK_UNKNOWN
        if pump.reservoir_known() and pump.therapy is not None:
            present |= wire.ALARM_RESERVOIR_LOW if ledger.facts.reservoir <= pump.therapy.low_steps else 0
            present |= wire.ALARM_RESERVOIR_EMPTY if ledger.facts.reservoir <= pump.therapy.empty_steps else 0
        return present

    def alarm_clear(self, fields):
        host, counter, alarms = fields
        present = self._present() & self._ledger.facts.alarms
        if alarms & present:
            raise Refusal(wire.REASON_ALARM_PRESENT, alarms & present)
        facts = self._ledger.facts
        self._ledger.command(wire.RECORD_ALARM_CLEARED, host, counter, alarms, facts.low, facts.high)
        self._pump.apply_alarms()

    def silence(self, fields):
        host, counter, ms = fields
        alarms = self._pump.alarms
        if not self._ledger.facts.alarms:
            raise Refusal(wire.REASON_NO_ALARM)
        if not 1 <= ms <= alarms.longest_silence_ms():
            raise Refusal(wire.REASON_SILENCE_TIME, alarms.longest_silence_ms())
        self._ledger.command(wire.RECORD_SILENCE, host, counter, ms, self._ledger.facts.low, self._ledger.facts.high)
        alarms.silence(ms)

    def clock_set(self, fields):
        host, counter, days, ms = fields
        if ms >= DAY_MS:
            raise Refusal(wire.REASON_CLOCK_VALUE)
        self._ledger.command(wire.RECORD_CLOCK, host, counter, days, ms, 0)
        self._pump.clock.set_local(days, ms)
        self._pump.plan.set_local(days, ms)
        self._pump.drop_alarm(wire.ALARM_CLOCK_UNKNOWN)
        self._pump.follow_plan()

    def implant(self, fields):
        host, counter, days = fields
        ledger, clock = self._ledger, self._pump.clock
        if ledger.facts.implant_days != UNKNOWN:
            raise Refusal(wire.REASON_IMPLANTED, ledger.facts.implant_days)
        if not clock.known or days > clock.local_days():
            raise Refusal(wire.REASON_IMPLANT_DATE)
        ledger.command(wire.RECORD_IMPLANT, host, counter, days, ledger.facts.low, ledger.facts.high)

    # The therapy

    def check_against(self, program, therapy):
        """Rules that need the therapy in force. Returns a reason."""
        if not Program(program).agrees_with(therapy):
            return wire.REASON_READINGS_DIFFER
        old = self._pump.therapy
        held = (0, 1) if old is None else (old.step_ng_num, old.step_ng_den)
        if therapy.bridge_steps and (therapy.bridge_ng_num, therapy.bridge_ng_den) != held:
            return wire.REASON_BRIDGE
        # A bridge of other steps than the pump has now cannot go on: it is over, and must not lock the pump.
        bridging = self._pump.plan.bridge_left and not self._pump.alarms.on(wire.ALARM_THERAPY_UNFIT)
        if bridging and (therapy.step_ng_num, therapy.step_ng_den) != held:
            # Two concentrations in the path are one too many to count.
            return wire.REASON_BRIDGE
        return wire.REASON_DONE

    def commit(self, host, counter, stage):
        """Replace the therapy. The journal record is the commit: before it the old one runs, after it the new one."""
        pump, ledger = self._pump, self._ledger
        generation = ledger.facts.generation + 1
        program = bytes(stage.data)
        if not pump.store.save(program, generation):
            raise Refusal(wire.REASON_FLASH_FAILED)
        first = ledger.facts.generation == 0
        head = int.from_bytes(stage.hash[:4], "little")
        pump.announce(stage.therapy)
        ledger.command(wire.RECORD_COMMIT, host, counter, generation, head, ledger.facts.high)
        pump.take_over(program, generation, stage.therapy)
        if first and ledger.facts.reservoir == UNKNOWN:
            ledger.facts.reservoir = stage.therapy.reservoir_steps
            ledger.write_state()
            ledger.write_filled(ledger.facts.reservoir)
        pump.go_on()
