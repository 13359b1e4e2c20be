# The bench bus: how a board that is simulated reaches its hardware.
#
# A request is five 32-bit words (operation, payload length, a, b, c) and a payload; the reply is five words (status,
# payload length, ticks, a, b) and a payload. Fixed word arrays are reused, so that motor and wait calls allocate
# nothing: they run inside the dosing loop. All values stay below 2^30, the small ints of 32-bit ports.
# The other end, and the meaning of each operation, is dosebench.twin.bus.

from array import array
from binascii import unhexlify

from const import const

_WAIT = const(1)
_MOTOR = const(2)
_MOTOR_OFF = const(3)
_UART_READ = const(4)
_UART_WRITE = const(5)
_FLASH_READ = const(6)
_FLASH_WRITE = const(7)
_FLASH_ERASE = const(8)
_ADC = const(9)
_HELLO = const(10)
_TONE = const(11)
_COUNTER = const(12)
_WATCHDOG = const(13)
_DRIVER = const(14)
_CODE = const(15)
_RANDOM = const(16)
_UART_BUSY = const(17)

_KEYED_ROLES = ("operator", "programmer", "service")

SECTOR_BYTES = const(4096)


class BusBoard:
    """The board contract over a bench bus. `link.exchange(request, payload, reply, into)` carries one call."""

    def __init__(self, link, name, runtime, heap_free, parse_json, tidy):
        self._link = link
        self._request = array("i", [0] * 5)
        self._reply = array("i", [0] * 5)
        self.name = name
        self.runtime = runtime
        self._heap_free = heap_free
        self._tidy = tidy
        hello = bytearray(4096)
        self._call(_HELLO, 0, 0, 0, None, hello)
        told = parse_json(bytes(hello[: self._reply[1]]))
        self.config = told["config"]
        self.device_id = bytes(told["device_id"])
        self.reset_cause = told["reset_cause"]
        self.flashed_hash = told["code_hash"]
        keys = told["keys"]
        self.role_keys = [unhexlify(keys[role]) if role in keys else None for role in _KEYED_ROLES]

    def _call(self, op, a, b, c, payload, into):
        request = self._request
        request[0] = op
        request[1] = 0 if payload is None else len(payload)
        request[2] = a
        request[3] = b
        request[4] = c
        self._link.exchange(request, payload, self._reply, into)
        return self._reply[3]

    def ticks(self):
        # Virtual time moves only inside a call, so the last reply is the present.
        return self._reply[2]

    def wait(self, ms):
        self._call(_WAIT, ms, 0, 0, None, None)

    def motor_run(self, steps, step_ms, on_ms_max):
        return self._call(_MOTOR, steps, step_ms, on_ms_max, None, None)

    def encoder(self):
        return self._reply[4]

    def motor_off(self):
        self._call(_MOTOR_OFF, 0, 0, 0, None, None)

    def uart_read(self, buffer):
        self._call(_UART_READ, len(buffer), 0, 0, None, buffer)
        return self._reply[1]

    def uart_write(self, data):
        self._call(_UART_WRITE, 0, 0, 0, data, None)

    def uart_busy_ms(self):
        # Until the transmit buffer takes the longest frame without waiting.
        return self._call(_UART_BUSY, 0, 0, 0, None, None)

    def flash_read(self, address, buffer):
        self._call(_FLASH_READ, address, len(buffer), 0, None, buffer)

    def flash_write(self, address, data):
        self._call(_FLASH_WRITE, address, 0, 0, data, None)

    def flash_erase(self, address):
        self._call(_FLASH_ERASE, address, 0, 0, None, None)

    def adc(self, channel):
        return self._call(_ADC, channel, 0, 0, None, None)

    def flow_count(self):
        return self._call(_COUNTER, 0, 0, 0, None, None)

    def watchdog(self, ms):
        self._call(_WATCHDOG, ms, 0, 0, None, None)

    def driver_on(self):
        return self._call(_DRIVER, 0, 0, 0, None, None) != 0

    def code_hash(self, buffer):
        # Of the code as it is at this moment; `flashed_hash` is what it was when it was written.
        self._call(_CODE, 0, 0, 0, None, buffer)

    def tone(self, pattern):
        self._call(_TONE, pattern, 0, 0, None, None)

    def random(self, buffer):
        self._call(_RANDOM, len(buffer), 0, 0, None, buffer)

    def heap_free(self):
        return self._heap_free()

    def tidy(self):
        self._tidy()
