# A board in memory, with a clock that only waiting and the motor move: the firmware alone, without a bus.


class RamBoard:
    def __init__(self, config, inbox=b""):
        self.name = "ram"
        self.runtime = "bench"
        self.config = config
        self.device_id = b"ram1"
        self.reset_cause = 1
        self.flashed_hash = "00" * 16
        self._flash = bytearray(b"\xff" * (4096 * config["flash_sectors"]))
        self._now = 0
        self._position = 0
        self.inbox = inbox
        self.sent = 0

    def ticks(self):
        return self._now & 0x3FFFFFFF

    def wait(self, ms):
        self._now = (self._now + ms) & 0x3FFFFFFF

    def motor_run(self, steps, step_ms, _on_ms_max):
        self._position += steps
        self.wait(steps * step_ms)
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

    def flash_read(self, address, buffer):
        buffer[:] = self._flash[address : address + len(buffer)]

    def flash_write(self, address, data):
        # The firmware writes where it has erased; clearing bit by bit in Python would be half of what is counted.
        self._flash[address : address + len(data)] = data

    def flash_erase(self, address):
        self._flash[address : address + 4096] = b"\xff" * 4096

    def adc(self, _channel):
        return 3600

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

    def heap_free(self):
        return 0
