# Self-tests: what the pump tests about itself at power-on, and again while it runs. Each has a name (wire.TEST_*) and a
# result; one that failed means safe state.

from array import array
from binascii import unhexlify

from pump import wire
from pump.part import Part
from pump.storage.therapy_store import program_hash
from pump.wire import const

_TESTS = const(11)
_CODE_BYTES = const(16)


class SelfTest(Part):
    """`failed` has a bit for each test that failed, by its number."""

    def __init__(self, pump, started_over):
        self._pump = pump
        self._started_over = started_over
        self._results = bytearray(_TESTS)
        self._details = array("i", [0] * _TESTS)
        self._code = bytearray(_CODE_BYTES)
        self._flashed = unhexlify(pump.board.flashed_hash)
        self.failed = 0
        self.boot_ms = 0
        self.since_ms = 0

    def unsaid(self):
        """Tests that failed and have no alarm of their own: a therapy that is lost has one."""
        return self.failed & ~(1 << wire.TEST_THERAPY)

    def rows(self):
        return [(test, self._results[test], self._details[test]) for test in range(_TESTS)]

    def note(self, test, result, detail=0):
        self._results[test] = result
        self._details[test] = detail
        bit = 1 << test
        if result == wire.TEST_RESULT_FAILED:
            self.failed |= bit
        else:
            self.failed &= ~bit

    def _judge(self, test, passed, detail=0):
        self.note(test, wire.TEST_RESULT_PASSED if passed else wire.TEST_RESULT_FAILED, detail)

    def at_boot(self):
        """All tests that a pump makes before it listens to anybody. Allocates."""
        pump = self._pump
        ledger = pump.ledger
        # No board reads its tone back yet.
        self.note(wire.TEST_TONE, wire.TEST_RESULT_NOT_FITTED)
        self._judge(wire.TEST_SETTINGS, pump.profile.sound)
        self._judge(wire.TEST_JOURNAL, not ledger.has_failed(), ledger.journal.damaged)
        generation = ledger.facts.generation
        self._judge(wire.TEST_THERAPY, generation == 0 or pump.delivery.therapy is not None, generation)
        self._driver()
        self._battery()
        broken = pump.monitor.broken()
        self._judge(wire.TEST_SENSORS, broken < 0, max(broken, 0))
        self._again()

    def pass_time(self, ms):
        self.since_ms += ms

    def watch(self):
        """Tests again when it is due, and looks at RAM and program where nothing has done so for as long."""
        pump = self._pump
        if self.since_ms < pump.profile.retest_ms:
            return
        # A lease has done the same; without one for so long, nothing moved.
        if pump.delivery.ram_check.age_ms() >= pump.profile.retest_ms and pump.delivery.is_trusted():
            pump.effects.mend_store()
        if self.again():
            self.judge()

    def judge(self):
        """Raises the alarm about tests that failed."""
        failed = self.unsaid()
        if failed:
            self._pump.effects.raise_alarm(wire.ALARM_SELFTEST_FAILED, failed)

    def set_boot_ms(self, ms):
        self.boot_ms = ms

    def again(self):
        """The tests that are made again while the pump runs. Returns whether one failed that had not before."""
        before = self.failed
        self._again()
        self._sensors()
        self.since_ms = 0
        return self.failed & ~before != 0

    def _again(self):
        self._code_sound()
        self._memory()
        self.note(wire.TEST_WATCHDOG, self._pump.supervisor.proven)

    def _code_sound(self):
        board = self._pump.board
        board.code_hash(self._code)
        # Which code it is, as far as a small int holds it: whoever flashed the board asks.
        code = self._code
        self._judge(wire.TEST_CODE, code == self._flashed, code[0] << 16 | code[1] << 8 | code[2])

    def _memory(self):
        """What RAM holds of the therapy is still what was committed."""
        pump = self._pump
        sound = pump.delivery.guard.limits_intact() and not self._started_over
        if pump.delivery.therapy is not None:
            head = int.from_bytes(program_hash(pump.store.program)[:4], "little")
            sound = sound and head == pump.ledger.facts.hash_head
        self._judge(wire.TEST_MEMORY, sound)

    def _driver(self):
        """Off means off: what the driver's own line says after it was switched off."""
        board = self._pump.board
        board.motor_off()
        self._judge(wire.TEST_DRIVER, not board.driver_on())

    def _battery(self):
        # Later on an empty battery is an alarm of its own; a reading that cannot be believed is one of the sensors'.
        battery = self._pump.monitor.battery
        self._judge(
            wire.TEST_BATTERY, not battery.sound() or battery.mv >= self._pump.profile.battery_stop_mv, battery.mv
        )

    def _sensors(self):
        """A sensor that breaks while the pump delivers is an alarm of its own and stops nothing: this only says so."""
        broken = self._pump.monitor.broken()
        self._results[wire.TEST_SENSORS] = wire.TEST_RESULT_PASSED if broken < 0 else wire.TEST_RESULT_FAILED
        self._details[wire.TEST_SENSORS] = max(broken, 0)
        self.failed &= ~(1 << wire.TEST_SENSORS)

    def clock(self, asked_ms, passed_ms):
        """Time passed while the pump slept: a counter that stands still, or jumps by more than a day, is none."""
        if asked_ms and self._results[wire.TEST_CLOCK] == wire.TEST_RESULT_NOT_RUN:
            self._judge(wire.TEST_CLOCK, 0 < passed_ms <= 86_400_000, passed_ms)
