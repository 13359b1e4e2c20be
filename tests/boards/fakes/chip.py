# What `machine`, `time`, `select` and `micropython` are on a chip, as far as the board files ask: on the world's pins.

import sys
import time as real_time

import micropython as real_micropython
from world import ADC as BUS_ADC
from world import HELLO, RANDOM, TICKS_MASK, UART_READ, UART_WRITE, WATCHDOG, WORLD

CHANNELS = ("battery", "level", "pressure", "temperature", "air")
FIFO_BYTES = 256


class Pin:
    IN = 0
    OUT = 1
    PULL_UP = 2
    IRQ_FALLING = 4
    IRQ_RISING = 8

    def __init__(self, pin, mode=-1, pull=-1, value=None):
        self.number = pin
        if mode == Pin.OUT:
            WORLD.level(pin, WORLD.levels[pin] if value is None else value)
        elif mode == Pin.IN:
            WORLD.outputs[pin] = 0

    def value(self, value=-1):
        if value < 0:
            return WORLD.read(self.number)
        WORLD.level(self.number, value)
        return None

    def irq(self, handler=None, trigger=0, hard=False):
        WORLD.irq_pins[self.number] = self
        WORLD.handlers[self.number] = handler


class ADC:
    ATTN_11DB = 3

    def __init__(self, pin, atten=None):
        number = pin.number
        given = WORLD.bench["adc"]
        self._channel = [at for at in range(5) if given.get(CHANNELS[at]) and given[CHANNELS[at]]["pin"] == number][0]
        self._num = given[CHANNELS[self._channel]]["num"]
        self._den = given[CHANNELS[self._channel]]["den"]

    def read_u16(self):
        # Twelve bits, and the upper four of them again.
        mv = WORLD.call(BUS_ADC, self._channel)
        bits = min((mv * 4095 * self._den + 1650 * self._num) // (3300 * self._num), 4095)
        return bits << 4 | bits >> 8

    def read_uv(self):
        return WORLD.call(BUS_ADC, self._channel) * 1000 * self._den // self._num


class UART:
    """Receives into a buffer of `rxbuf` bytes; what finds it full is lost."""

    def __init__(self, number, baudrate, tx, rx, txbuf, rxbuf, timeout):
        self._ring = bytearray(rxbuf)
        self._fill = 0
        self._block = bytearray(FIFO_BYTES)

    def receive(self):
        while True:
            WORLD.call(UART_READ, FIFO_BYTES, 0, 0, None, self._block)
            count = WORLD.reply[1]
            at = 0
            while at < count and self._fill < len(self._ring):
                self._ring[self._fill] = self._block[at]
                self._fill += 1
                at += 1
            if count == 0:
                return

    def forget(self):
        self.receive()
        self._fill = 0

    def any(self):
        self.receive()
        return self._fill

    def readinto(self, buffer, count):
        at = 0
        while at < count:
            buffer[at] = self._ring[at]
            at += 1
        while at < self._fill:
            self._ring[at - count] = self._ring[at]
            at += 1
        self._fill -= count
        return count

    def write(self, data):
        WORLD.call(UART_WRITE, 0, 0, 0, data)
        return len(data)


class WDT:
    """`most` is set by the family. Nothing disarms it."""

    most = 0

    def __init__(self, id=0, timeout=5000):
        if not 0 < timeout <= WDT.most:
            raise ValueError("timeout exceeds " + str(WDT.most))
        self._timeout = timeout
        self.feed()

    def feed(self):
        WORLD.call(WATCHDOG, self._timeout)


class Poll:
    def __init__(self):
        self._stream = None
        self._given = False

    def register(self, stream, _mask):
        self._stream = stream

    def ipoll(self, ms):
        if not self._stream.any() and ms:
            WORLD.rest(ms)
        self._given = self._stream.any() == 0
        return self

    def __iter__(self):
        return self

    def __next__(self):
        if self._given:
            raise StopIteration
        self._given = True
        return self._stream


class Module:
    pass


def hello():
    from json import loads

    into = bytearray(4096)
    WORLD.call(HELLO, 0, 0, 0, None, into)
    return loads(bytes(into[: WORLD.reply[1]]))


def lightsleep(ms):
    # The UART has no clock meanwhile: what arrives is lost.
    WORLD.sleep_ms(ms)
    UARTS[0].forget()


UARTS = []


def uart(*args, **given):
    UARTS[:] = [UART(*args, **given)]
    return UARTS[0]


def random(count):
    into = bytearray(count)
    WORLD.call(RANDOM, count, 0, 0, None, into)
    return bytes(into)


def make_machine(causes):
    machine = Module()
    for name, value in (
        ("Pin", Pin),
        ("ADC", ADC),
        ("UART", uart),
        ("WDT", WDT),
        ("PWRON_RESET", 1),
        ("HARD_RESET", 2),
        ("WDT_RESET", 3),
        ("SOFT_RESET", 5),
        ("lightsleep", lightsleep),
        ("disable_irq", lambda: 1),
        ("enable_irq", lambda state: None),
        ("unique_id", lambda: b"\xe6\x61\x10\x00\x00\x00\x00\x01"),
        ("reset_cause", lambda: causes[hello()["reset_cause"]]),
    ):
        setattr(machine, name, value)
    return machine


def ticks_diff(end, begin):
    return (end - begin + (TICKS_MASK >> 1) + 1 & TICKS_MASK) - (TICKS_MASK >> 1) - 1


def ticks_add(at, ms):
    return at + ms & TICKS_MASK


def make_time():
    # No time of day: nothing on a board may ask for one, whose epoch nobody knows.
    time = Module()
    time.ticks_ms = WORLD.ticks
    # A chip's counter wraps at 2^30; that of a 64-bit port does not.
    wide = sys.maxsize > 0x7FFFFFFF
    time.ticks_diff = ticks_diff if wide else real_time.ticks_diff
    time.ticks_add = ticks_add if wide else real_time.ticks_add
    time.sleep_ms = WORLD.sleep_ms
    return time


INTERRUPT_KEYS = []


def make_micropython():
    micropython = Module()
    micropython.const = real_micropython.const
    micropython.kbd_intr = INTERRUPT_KEYS.append
    micropython.heap_lock = real_micropython.heap_lock
    micropython.heap_unlock = real_micropython.heap_unlock
    return micropython


def make_os():
    import os

    fake = Module()
    for name in ("stat", "mkdir", "ilistdir"):
        setattr(fake, name, getattr(os, name))
    fake.urandom = random
    return fake


def install(causes, watchdog_ms, bench):
    WORLD.wire(bench)
    WDT.most = watchdog_ms
    select = Module()
    select.poll = Poll
    select.POLLIN = 1
    sys.modules["machine"] = make_machine(causes)
    sys.modules["time"] = make_time()
    sys.modules["select"] = select
    sys.modules["micropython"] = make_micropython()
    sys.modules["os"] = make_os()
