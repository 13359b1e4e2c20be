# A board in memory, with a clock that only waiting and the motor move: the firmware alone, without a bus.

# Battery, level, pressure, temperature and air, in millivolts, of a pump that nothing is wrong with.
SENSED_MV = (3600, 2500, 800, 870, 400)
# What a step raises the pressure by.
STEP_MV = 8


class RamBoard:
    def __init__(self, config, inbox=b""):
        self.name = "ram"
        self.runtime = "bench"
        self.config = config
        self.device_id = b"ram1"
        self.reset_cause = 1
        self.flashed_hash = "00" * 16
        # One key for every role, and noise that is always the same: the benchmark knows what the pump will say.
        self.role_keys = [bytes(range(32))] * 3
        self._flash = bytearray(b"\xff" * (4096 * config["flash_sectors"]))
        self._now = 0
        self._position = 0
        self._rise = 0
        self._noise = 0
        self.inbox = inbox
        self.sent = 0

    def ticks(self):
        return self._now & 0x3FFFFFFF

    def wait(self, ms):
        self._now = (self._now + ms) & 0x3FFFFFFF
        self._rise = 0

    def motor_run(self, steps, step_ms, _on_ms_max):
        self._position += steps
        self.wait(steps * step_ms)
        self._rise = steps * STEP_MV
        return steps

    def encoder(self):
        return self._position

    def motor_off(self):
        pass

    def uart_read(self, buffer):
        count = min(len(buffer), len(self.inbox))
        if count:
            buffer[:count] = self.inbox[:count]
            self.inbox = self.inbox[count:]
        return count

    def uart_write(self, _data):
        self.sent += 1

    def uart_busy_ms(self):
        return 0

    def flash_read(self, address, buffer):
        buffer[:] = self._flash[address : address + len(buffer)]

    def flash_write(self, address, data):
        # The firmware writes where it has erased; clearing bit by bit in Python would be half of what is counted.
        self._flash[address : address + len(data)] = data

    def flash_erase(self, address):
        self._flash[address : address + 4096] = b"\xff" * 4096

    def adc(self, channel):
        # Never twice the same, or the sensor would stand still.
        self._noise ^= 1
        return SENSED_MV[channel] + self._rise + self._noise

    def flow_count(self):
        return self._position

    def watchdog(self, ms):
        pass

    def driver_on(self):
        return False

    def code_hash(self, buffer):
        buffer[:] = bytes(16)

    def tone(self, pattern):
        pass

    def random(self, buffer):
        pass

    def heap_free(self):
        return 0
