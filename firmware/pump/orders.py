# The commands. Each writes one record that holds the command id and its effect, or raises Refusal; a refused command
# has no effect.

from const import const

from pump import wire
from pump.clock import DAY_MS
from pump.guard.reading import Reading
from pump.part import Part
from pump.refusal import Refusal
from pump.small_int import mul_div
from pump.storage.records import UNKNOWN

_NOT_ARMED = const(-1)
_NO_HOST = b"\x00\x00\x00\x00"


class Orders(Part):
    """Carries out commands. `session` is the one that the command came in, None for a STOP without one; `fields` are
    those of the request: the counter first."""

    def __init__(self, ledger, store, profile, clock, delivery, effects, alarms, monitor, selftest):
        self._ledger = ledger
        self._facts = ledger.facts
        self._store = store
        self._profile = profile
        self._clock = clock
        self._delivery = delivery
        self._effects = effects
        self._alarms = alarms
        self._monitor = monitor
        self._selftest = selftest
        self._armed_steps = _NOT_ARMED
        self._armed_ms = 0

    def pass_time(self, ms):
        """Disarms a priming bolus after a while."""
        if self._armed_steps != _NOT_ARMED and self._armed_ms <= wire.PRIME_ARMED_MS:
            self._armed_ms += ms

    def _command(self, session, kind, fields, c, d, e):
        """Writes the record of a command. Raises Refusal if it could not be written."""
        self._ledger.command(kind, session.role, session.host, fields[0], c, d, e)

    def _command_shown(self, session, kind, fields, c):
        """Writes the record of a command that shows low and high."""
        self._command(session, kind, fields, c, self._facts.low, self._facts.high)

    def record_refusal(self, session, counter, message, reason):
        """Makes a refusal durable, so that a repeat gets the same answer."""
        facts, host = self._facts, session.host
        told = message | wire.id_high(host) << wire.SHIFT_REFUSED_HOST_HIGH
        self._ledger.write(wire.RECORD_REFUSED, reason, wire.id_low(host), counter, told, facts.low, facts.high)

    # Start and stop

    def _require_ready(self):
        facts, therapy = self._facts, self._delivery.therapy
        if facts.traits & wire.TRAIT_SAFE or not self._delivery.is_trusted():
            raise Refusal(wire.REASON_SAFE_STATE, facts.worst_alarm(wire.TRAIT_SAFE))
        if therapy is None:
            raise Refusal(wire.REASON_NOT_PROGRAMMED)
        if facts.reservoir == UNKNOWN or facts.reservoir <= therapy.empty_steps:
            raise Refusal(wire.REASON_RESERVOIR_EMPTY)
        if facts.traits & wire.TRAIT_HALT:
            raise Refusal(wire.REASON_START_BLOCKED, facts.worst_alarm(wire.TRAIT_HALT))

    def _require_running(self):
        self._require_ready()
        if not self._facts.running:
            raise Refusal(wire.REASON_NOT_RUNNING)

    def start_delivery(self, session, fields):
        self._require_ready()
        facts = self._facts
        if facts.running:
            raise Refusal(wire.REASON_ALREADY_RUNNING)
        if facts.traits & wire.TRAIT_BLOCK:
            raise Refusal(wire.REASON_START_BLOCKED, facts.worst_alarm(wire.TRAIT_BLOCK))
        if facts.bolus_left:
            raise Refusal(wire.REASON_BOLUS_RUNNING)
        self._command_shown(session, wire.RECORD_START, fields, 0)
        self._effects.end_alarm(wire.ALARM_PUMP_STOPPED)
        self._delivery.start_delivery()
        self._effects.renew_lease()

    def disarm_priming(self):
        """What was armed before a stop or another program is not delivered after it."""
        self._armed_steps = _NOT_ARMED

    def stop_delivery(self, session, fields):
        self._delivery.halt_motion()
        if session is None:
            return self._ledger.record_stop(wire.ROLE_NONE, _NO_HOST, 0)
        return self._ledger.record_stop(session.role, session.host, fields[0])

    # Boluses

    def _require_no_bolus(self):
        if self._facts.bolus_left:
            raise Refusal(wire.REASON_BOLUS_RUNNING)

    def _require_program(self, program_hash):
        """Refuses a dose that a host computed from another program than the one in force."""
        if not self._store.holds_program(program_hash):
            raise Refusal(wire.REASON_PROGRAM_DIFFERS)

    def _require_amount(self, steps, nanograms):
        """Refuses steps that do not hold the drug that a host computed for them."""
        therapy = self._delivery.therapy
        if nanograms != mul_div(steps, therapy.step_ng_num, therapy.step_ng_den)[0]:
            raise Refusal(wire.REASON_AMOUNT_DIFFERS)

    def start_bolus(self, session, fields):
        _, steps, program_hash, nanograms = fields
        self._require_running()
        self._require_program(program_hash)
        self._require_no_bolus()
        delivery = self._delivery
        therapy = delivery.therapy
        if steps == 0:
            raise Refusal(wire.REASON_BOLUS_ZERO)
        if steps > therapy.bolus_steps_max:
            raise Refusal(wire.REASON_BOLUS_OVER_MAXIMUM)
        self._require_amount(steps, nanograms)
        if delivery.guard.is_full():
            raise Refusal(wire.REASON_BOLUS_OVER_CAP)
        allowance = delivery.extend_lease(steps)
        self._command(session, wire.RECORD_BOLUS, fields, steps, self._facts.low, allowance)
        delivery.start_bolus(wire.BOLUS_KIND_CLINICIAN, steps, therapy.bolus_num, therapy.bolus_den, allowance)

    def cancel_bolus(self, session, fields):
        if not self._facts.bolus_left:
            raise Refusal(wire.REASON_NO_BOLUS)
        self._command_shown(session, wire.RECORD_BOLUS_CANCEL, fields, self._delivery.schedule.cancel_bolus())
        self._delivery.close_bolus()
        if self._delivery.schedule.running:
            # In this order: a bolus that runs has its record, or the look at RAM before a lease finds one too many.
            self._effects.renew_lease()
            self._delivery.start_waiting_periodic()

    def start_patient_bolus(self, session, fields):
        self._require_running()
        delivery = self._delivery
        therapy = delivery.therapy
        steps = therapy.patient_steps
        if not steps:
            raise Refusal(wire.REASON_NO_PATIENT_BOLUS)
        if self.lockout_left_ms():
            raise Refusal(wire.REASON_LOCKOUT)
        if self.patient_boluses_left() == 0:
            raise Refusal(wire.REASON_PATIENT_COUNT)
        self._require_no_bolus()
        if not delivery.guard.has_room_for(steps):
            self._effects.raise_alarm(wire.ALARM_DOSE_CAP, steps)
            raise Refusal(wire.REASON_BOLUS_OVER_CAP)
        allowance = delivery.extend_lease(steps)
        self._command(session, wire.RECORD_PATIENT_BOLUS, fields, steps, self._facts.low, allowance)
        delivery.start_bolus(wire.BOLUS_KIND_PATIENT, steps, therapy.patient_num, therapy.patient_den, allowance)

    def lockout_left_ms(self):
        """Milliseconds until the lockout of the patient bolus ends."""
        therapy, times = self._delivery.therapy, self._facts.patient_times
        if therapy is None or not times:
            return 0
        since = self._facts.ms_since(times[-1])
        return therapy.patient_lockout_ms - since if since < therapy.patient_lockout_ms else 0

    def patient_boluses_left(self):
        """Patient boluses that are left in the rolling 24 hours."""
        therapy = self._delivery.therapy
        if therapy is None or not therapy.patient_steps:
            return 0
        given = self._facts.count_patient_boluses(DAY_MS)
        return therapy.patient_per_day - given if given < therapy.patient_per_day else 0

    def start_square_bolus(self, session, fields):
        _, steps, duration_ms, program_hash, nanograms = fields
        self._require_running()
        self._require_program(program_hash)
        delivery = self._delivery
        therapy = delivery.therapy
        if self._facts.square_left:
            raise Refusal(wire.REASON_SQUARE_RUNNING)
        if steps == 0:
            raise Refusal(wire.REASON_BOLUS_ZERO)
        if steps > therapy.square_steps_max:
            raise Refusal(wire.REASON_SQUARE_OVER_MAXIMUM)
        self._require_amount(steps, nanograms)
        if not 1 <= duration_ms <= wire.FRACTION_MAX or therapy.is_too_fast(steps, duration_ms, self._profile):
            raise Refusal(wire.REASON_SQUARE_RATE)
        if delivery.guard.is_full():
            raise Refusal(wire.REASON_BOLUS_OVER_CAP)
        allowance = delivery.extend_lease(steps)
        self._command(session, wire.RECORD_SQUARE, fields, steps, duration_ms, allowance)
        delivery.start_square(steps, duration_ms, allowance)

    def cancel_square_bolus(self, session, fields):
        if not self._facts.square_left:
            raise Refusal(wire.REASON_NO_SQUARE)
        self._command_shown(session, wire.RECORD_SQUARE_CANCEL, fields, self._delivery.schedule.cancel_square())
        self._effects.renew_lease()

    # Priming (two deliberate commands) and the patency test

    def _require_stopped(self):
        self._require_ready()
        if self._facts.running or self._facts.bolus_left or self._delivery.plan.bridge_left:
            raise Refusal(wire.REASON_STILL_RUNNING)

    def arm_priming(self, session, fields):
        _, steps, path_version = fields
        self._require_stopped()
        therapy = self._delivery.therapy
        if not 1 <= steps <= therapy.prime_steps_max:
            raise Refusal(wire.REASON_PRIMING_VOLUME)
        if path_version != therapy.path_version:
            raise Refusal(wire.REASON_PRIMING_PATH)
        self._command(session, wire.RECORD_PRIME_ARM, fields, steps, path_version, self._facts.low)
        self._armed_steps = steps
        self._armed_ms = 0

    def start_priming(self, session, fields):
        _, steps, program_hash, nanograms = fields
        self._require_stopped()
        self._require_program(program_hash)
        therapy = self._delivery.therapy
        if self._armed_steps == _NOT_ARMED or self._armed_ms > wire.PRIME_ARMED_MS:
            raise Refusal(wire.REASON_PRIMING_NOT_ARMED)
        if steps != self._armed_steps:
            raise Refusal(wire.REASON_PRIMING_VOLUME)
        self._require_amount(steps, nanograms)
        self.disarm_priming()
        self._command(session, wire.RECORD_PRIME, fields, steps, therapy.path_version, steps)
        self._delivery.start_priming(steps, therapy.prime_num, therapy.prime_den)

    def test_patency(self, session, fields):
        """Moves a few steps into the line of a stopped pump at the highest rate. The host watches the pressure."""
        steps = fields[1]
        self._require_stopped()
        profile = self._profile
        if steps == 0:
            raise Refusal(wire.REASON_BOLUS_ZERO)
        if steps > profile.patency_steps:
            raise Refusal(wire.REASON_BOLUS_OVER_MAXIMUM)
        if not self._delivery.guard.has_room_for(steps):
            raise Refusal(wire.REASON_BOLUS_OVER_CAP)
        every_ms = profile.rate_max_den // profile.rate_max_num
        self._command(session, wire.RECORD_PATENCY, fields, steps, every_ms, steps)
        self._delivery.start_patency(steps, every_ms)

    # Reservoir, alarms, clock

    def _is_step_volume(self, num, den):
        profile = self._profile
        if not (1 <= num <= wire.FRACTION_MAX and 1 <= den <= wire.FRACTION_MAX):
            return False
        return mul_div(num, profile.step_nl_den, profile.step_nl_num) == (den, 0)

    def record_refill(self, session, fields):
        _, steps, withdrawn, step_nl_num, step_nl_den = fields
        reservoir, therapy = self._monitor.reservoir, self._delivery.therapy
        most = self._profile.reservoir_steps_max
        if not self._is_step_volume(step_nl_num, step_nl_den):
            raise Refusal(wire.REASON_STEP_VOLUME_DIFFERS)
        if steps > most or (withdrawn != UNKNOWN and withdrawn > most):
            raise Refusal(wire.REASON_RESERVOIR_SIZE)
        if withdrawn != UNKNOWN:
            reservoir.reconcile_refill(withdrawn)
        self._command_shown(session, wire.RECORD_REFILL, fields, steps)
        reservoir.restart_comparison()
        if therapy is not None and steps > therapy.empty_steps:
            self._effects.end_alarm(wire.ALARM_RESERVOIR_EMPTY)
        if therapy is not None and steps > therapy.low_steps:
            self._effects.end_alarm(wire.ALARM_RESERVOIR_LOW)

    def _lasting_alarms(self):
        """Alarms whose cause lasts: they cannot be cleared while they are on."""
        facts, therapy = self._facts, self._delivery.therapy
        lasting = [wire.ALARM_PUMP_STOPPED, wire.ALARM_THERAPY_UNFIT]
        lasting += self._monitor.lasting_alarms(self._delivery.is_moving())
        if therapy is None and facts.generation:
            lasting.append(wire.ALARM_THERAPY_LOST)
        if self._ledger.has_failed():
            lasting.append(wire.ALARM_FLASH_FAILED)
        if self._selftest.unreported_failures():
            lasting.append(wire.ALARM_SELFTEST_FAILED)
        if not self._clock.known and facts.clock_was_set:
            lasting.append(wire.ALARM_CLOCK_UNKNOWN)
        if facts.reservoir != UNKNOWN and therapy is not None:
            if facts.reservoir <= therapy.low_steps:
                lasting.append(wire.ALARM_RESERVOIR_LOW)
            if facts.reservoir <= therapy.empty_steps:
                lasting.append(wire.ALARM_RESERVOIR_EMPTY)
        return [alarm for alarm in lasting if alarm in facts.latched]

    def clear_alarms(self, session, fields):
        counter, wanted = fields
        for alarm in self._lasting_alarms():
            if alarm in wanted:
                raise Refusal(wire.REASON_ALARM_PRESENT, alarm)
        cleared = [alarm for alarm in self._facts.latched if alarm in wanted]
        self._ledger.command_clearing(session.role, session.host, counter, cleared)
        self._delivery.apply_fallbacks()

    def silence_alarms(self, session, fields):
        ms, alarms = fields[1], self._alarms
        if not self._facts.latched:
            raise Refusal(wire.REASON_NO_ALARM)
        if not 1 <= ms <= alarms.longest_silence_ms():
            raise Refusal(wire.REASON_SILENCE_TIME, alarms.longest_silence_ms())
        self._command_shown(session, wire.RECORD_SILENCE, fields, ms)
        alarms.silence_tone(ms)

    def set_clock(self, session, fields):
        _, days, ms = fields
        if ms >= DAY_MS:
            raise Refusal(wire.REASON_CLOCK_VALUE)
        self._command(session, wire.RECORD_CLOCK, fields, days, ms, 0)
        self._clock.set_local_time(days, ms)
        self._delivery.set_local_time(days, ms)
        self._effects.end_alarm(wire.ALARM_CLOCK_UNKNOWN)

    def record_implant(self, session, fields):
        days, facts, clock = fields[1], self._facts, self._clock
        if facts.implant_days != UNKNOWN:
            raise Refusal(wire.REASON_IMPLANTED, facts.implant_days)
        if not clock.known or days > clock.local_days():
            raise Refusal(wire.REASON_IMPLANT_DATE)
        self._command_shown(session, wire.RECORD_IMPLANT, fields, days)

    def carry_windows(self, _session, _fields):
        """Refuses what a replaced pump gave: this firmware cannot count it."""
        raise Refusal(wire.REASON_NOT_SUPPORTED)

    # The program

    def check_change(self, program, therapy):
        """Checks a program against the therapy in force, and the guard's reading of it; returns a reason."""
        if not Reading(program).agrees_with(therapy):
            return wire.REASON_READINGS_DIFFER
        old = self._delivery.therapy
        held = (0, 1) if old is None else (old.step_ng_num, old.step_ng_den)
        if therapy.bridge_steps and (therapy.bridge_ng_num, therapy.bridge_ng_den) != held:
            return wire.REASON_BRIDGE
        # A bridge of other steps than the pump has now cannot continue: it is over, and must not lock the pump.
        bridging = self._delivery.plan.bridge_left and wire.ALARM_THERAPY_UNFIT not in self._facts.latched
        if bridging and (therapy.step_ng_num, therapy.step_ng_den) != held:
            # The pump can count two concentrations in the path, not three.
            return wire.REASON_BRIDGE
        return wire.REASON_DONE

    def commit_program(self, session, fields, stage):
        """Replaces the program. The journal record is the commit: before it the old one runs, after it the new one."""
        ledger, facts = self._ledger, self._facts
        generation = facts.generation + 1
        program = bytes(stage.data)
        if not self._store.save_program(program, generation):
            raise Refusal(wire.REASON_FLASH_FAILED)
        first = facts.generation == 0
        self.disarm_priming()
        head = wire.id_low(stage.hash)
        self._delivery.announce_therapy(stage.therapy)
        self._command(session, wire.RECORD_COMMIT, fields, generation, head, facts.high)
        if not self._store.adopt_program(program, generation):
            self._effects.raise_alarm(wire.ALARM_FLASH_FAILED, generation)
        self._selftest.set_result(wire.TEST_THERAPY, wire.TEST_RESULT_PASSED, generation)
        self._delivery.change_therapy(stage.therapy)
        self._effects.end_alarm(wire.ALARM_THERAPY_UNFIT)
        if first and facts.reservoir == UNKNOWN:
            ledger.record_filling(stage.therapy.reservoir_steps)
        if facts.running:
            self._effects.renew_lease()
