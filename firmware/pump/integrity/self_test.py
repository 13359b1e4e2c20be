# Self-tests, at power-on and again while the pump runs. Each has a name (wire.TEST_*) and a result. A failed test means
# safe state.

from array import array
from binascii import unhexlify

from const import const

from pump import wire
from pump.part import Part
from pump.storage.therapy_store import program_hash

_TESTS = const(11)
_CODE_BYTES = const(16)


class SelfTest(Part):
    """`failed` has a bit for each test that failed, by its number."""

    def __init__(self, board, profile, ledger, store, delivery, effects, monitor, supervisor, started_over):
        self._board = board
        self._profile = profile
        self._ledger = ledger
        self._store = store
        self._delivery = delivery
        self._effects = effects
        self._monitor = monitor
        self._supervisor = supervisor
        self._started_over = started_over
        self._results = bytearray(_TESTS)
        self._details = array("i", [0] * _TESTS)
        self._code = bytearray(_CODE_BYTES)
        self._flashed = unhexlify(board.flashed_hash)
        self.failed = 0
        self.boot_ms = 0
        self.since_ms = 0

    def unreported_failures(self):
        """Tests that failed and have no alarm of their own. A therapy that is lost has one."""
        return self.failed & ~(1 << wire.TEST_THERAPY)

    def rows(self):
        return [(test, self._results[test], self._details[test]) for test in range(_TESTS)]

    def set_boot_ms(self, ms):
        self.boot_ms = ms

    def set_result(self, test, result, detail=0):
        self._results[test] = result
        self._details[test] = detail
        bit = 1 << test
        if result == wire.TEST_RESULT_FAILED:
            self.failed |= bit
        else:
            self.failed &= ~bit

    def _judge(self, test, passed, detail=0):
        self.set_result(test, wire.TEST_RESULT_PASSED if passed else wire.TEST_RESULT_FAILED, detail)

    def run_at_boot(self):
        """Runs all tests that precede the first request. Allocates."""
        ledger = self._ledger
        # No board reads its tone back yet.
        self.set_result(wire.TEST_TONE, wire.TEST_RESULT_NOT_FITTED)
        self._judge(wire.TEST_SETTINGS, self._profile.is_valid)
        self._judge(wire.TEST_JOURNAL, not ledger.has_failed() and not ledger.is_foreign(), ledger.journal.damaged)
        generation = ledger.facts.generation
        self._judge(wire.TEST_THERAPY, generation == 0 or self._delivery.therapy is not None, generation)
        self._test_driver()
        self._test_battery()
        broken = self._monitor.find_broken_sensor()
        self._judge(wire.TEST_SENSORS, broken < 0, max(broken, 0))
        self._test_again()

    def pass_time(self, ms):
        self.since_ms += ms

    def watch(self):
        """Tests again when that is due, and checks RAM and program if nothing else did so for as long."""
        if self.since_ms < self._profile.retest_ms:
            return
        delivery = self._delivery
        # A lease checks the same; without a lease for so long, nothing moved.
        if delivery.ram_check.age_ms() >= self._profile.retest_ms and delivery.is_trusted():
            self._effects.mend_store()
        before = self.failed
        self._test_again()
        self._show_sensors()
        self.since_ms = 0
        if self.failed & ~before:
            self.report_failures()

    def report_failures(self):
        failed = self.unreported_failures()
        if failed:
            self._effects.raise_alarm(wire.ALARM_SELFTEST_FAILED, failed)

    def judge_clock(self, asked_ms, passed_ms):
        """Judges the time that passed while the pump slept. A counter that stands still, or jumps by more than a day,
        is no clock."""
        if asked_ms and self._results[wire.TEST_CLOCK] == wire.TEST_RESULT_NOT_RUN:
            self._judge(wire.TEST_CLOCK, 0 < passed_ms <= 86_400_000, passed_ms)

    # The tests

    def _test_again(self):
        self._test_code()
        self._test_memory()
        self.set_result(wire.TEST_WATCHDOG, self._supervisor.proven)

    def _test_code(self):
        code = self._code
        self._board.code_hash(code)
        # The detail identifies the code, as far as a small int can: a host that flashed the board asks for it.
        self._judge(wire.TEST_CODE, code == self._flashed, code[0] << 16 | code[1] << 8 | code[2])

    def _test_memory(self):
        """Tests that RAM holds the program that was committed."""
        intact = self._delivery.guard.limits_intact() and not self._started_over
        if self._delivery.therapy is not None:
            head = wire.id_low(program_hash(self._store.program))
            intact = intact and head == self._ledger.facts.hash_head
        self._judge(wire.TEST_MEMORY, intact)

    def _test_driver(self):
        """Tests that the line of the driver shows that it is off after it was switched off."""
        self._board.motor_off()
        self._judge(wire.TEST_DRIVER, not self._board.driver_on())

    def _test_battery(self):
        # Later an empty battery has an alarm of its own. A reading that is not plausible belongs to the sensors.
        battery = self._monitor.battery
        plausible = battery.is_plausible()
        self._judge(wire.TEST_BATTERY, not plausible or battery.mv >= self._profile.battery_stop_mv, battery.mv)

    def _show_sensors(self):
        """Shows a sensor that broke while the pump runs. It has an alarm of its own and stops nothing."""
        broken = self._monitor.find_broken_sensor()
        self._results[wire.TEST_SENSORS] = wire.TEST_RESULT_PASSED if broken < 0 else wire.TEST_RESULT_FAILED
        self._details[wire.TEST_SENSORS] = max(broken, 0)
        self.failed &= ~(1 << wire.TEST_SENSORS)
