# The board contract on a microcontroller: what all families share. A family's file says what is its own.

import gc
import os
import sys
import time

import machine
import micropython
from const import const
from machine import Pin

from boards import inputs, settings
from boards.code import Code
from boards.motors import motor
from boards.ports import port
from boards.rest import put_at_rest
from boards.tone import Tone
from boards.watch import Watchdog

_MASK = const(0x3FFFFFFF)
_TURNS = const(64)
_QUIET_MS = const(60_000)
_CHANNELS = ("battery", "level", "pressure", "temperature", "air")


class ChipBoard:
    """A family says what is its own: its name, its watchdog's longest time-out, its pulse generator (a class), and what
    the three functions do that raise here."""

    name = ""
    watchdog_ms_max = 0
    pulser = None

    def voltage(self, given):
        """A channel of the converter."""
        raise NotImplementedError

    def why_reset(self):
        """A wire.RESET_CAUSE_*."""
        raise NotImplementedError

    def storage(self, given):
        """What holds the pump's sectors."""
        raise NotImplementedError

    def __init__(self, slot, code):
        bench = settings.bench(slot, self.name)
        put_at_rest(bench["motor"])
        # Ctrl-C on the REPL's port is a byte from here on.
        micropython.kbd_intr(-1)
        self._code = Code(code)
        self.runtime = "micropython " + ".".join([str(part) for part in sys.implementation.version[:3]])
        self.config = settings.read(slot + "/config.json")
        self.flashed_hash = settings.read(slot + "/manifest.json")["code"]
        self.role_keys = settings.keys()
        self.device_id = settings.device_id(machine.unique_id())
        self.reset_cause = self.why_reset()
        self._watch = Watchdog(self.watchdog_ms_max)
        self._flash = self.storage(bench["storage"])
        self._port = port(bench["port"])
        self._make_motor(bench)
        self._make_inputs(bench)
        self._sleep = bench["sleep"]
        self._heard = time.ticks_ms()
        # A flag, because a difference of ticks turns round after six days of silence.
        self._quiet = False
        self._turns = 0

    def _make_motor(self, bench):
        given = bench["encoder"]
        counter = None if given is None else inputs.counter(given)
        self._motor = motor(bench["motor"], self.pulser, self._watch.feed, counter)
        self._encoder = inputs.Commanded(self._motor) if given is None else inputs.Encoder(counter, given["counts"])
        sense = bench["sense"]
        self._sense = None if sense is None else Pin(sense["pin"], Pin.IN)
        self._sense_on = 1 if sense is None else sense["on"]

    def _make_inputs(self, bench):
        given = bench["adc"]
        self._channels = [self.voltage(given[name]) if given.get(name) else None for name in _CHANNELS]
        scale = bench["hx711"]
        if scale is not None:
            self._channels[_CHANNELS.index(scale["sensor"])] = inputs.LoadCell(scale)
        flow = bench["flow"]
        self._flow = None if flow is None else inputs.counter(flow)
        self._flow_counts = 1 if flow is None else flow["counts"]
        self._tone = Tone(bench["tone"])

    # Time

    def ticks(self):
        # Wraps at 2^30, after 12.4 days, as the pump's clock expects it.
        return time.ticks_ms()

    def wait(self, ms):
        """Until then, or until a byte is there."""
        end = time.ticks_add(time.ticks_ms(), ms)
        self._watch.feed()
        while True:
            left = time.ticks_diff(end, time.ticks_ms())
            if left <= 0 or self._rest(min(left, self._watch.slice_ms)):
                return
            self._watch.feed()

    def _rest(self, ms):
        ms = min(ms, self._tone.play())
        sleep_ms = self._sleep["slice_ms"]
        if sleep_ms == 0 or not self._is_quiet():
            return self._port.wait(ms)
        # The receiver sleeps too: whoever wants to be heard says it again in the window after.
        machine.lightsleep(min(ms, sleep_ms))
        self._watch.feed()
        return self._port.wait(self._sleep["listen_ms"])

    def _is_quiet(self):
        if not self._quiet:
            self._quiet = time.ticks_diff(time.ticks_ms(), self._heard) >= _QUIET_MS
        return self._quiet

    # Motor

    def motor_run(self, steps, step_ms, on_ms_max):
        return self._motor.run(steps, step_ms, on_ms_max)

    def encoder(self):
        return self._encoder.steps()

    def motor_off(self):
        self._motor.stop()

    def driver_on(self):
        if self._sense is None:
            return self._motor.powered
        return self._sense.value() == self._sense_on

    # Line

    def uart_read(self, buffer):
        count = self._port.read(buffer)
        if count:
            self._heard = time.ticks_ms()
            self._quiet = False
        return count

    def uart_write(self, data):
        self._port.write(data)

    def uart_busy_ms(self):
        return self._port.busy_ms()

    # Flash

    def flash_read(self, address, buffer):
        self._flash.read(address, buffer)

    def flash_write(self, address, data):
        self._watch.feed()
        self._flash.write(address, data)

    def flash_erase(self, address):
        self._watch.feed()
        self._flash.erase(address)

    # What it reads and shows

    def adc(self, channel):
        sensor = self._channels[channel]
        return 0 if sensor is None else sensor.mv()

    def flow_count(self):
        return 0 if self._flow is None else self._flow.value() // self._flow_counts & _MASK

    def tone(self, pattern):
        self._tone.start(pattern)

    # The rest

    def watchdog(self, ms):
        self._watch.arm(ms)

    def code_hash(self, buffer):
        buffer[:] = self._code.hash()[: len(buffer)]

    def random(self, buffer):
        buffer[:] = os.urandom(len(buffer))

    def heap_free(self):
        return gc.mem_free()

    def tidy(self):
        self._code.work()
        self._turns += 1
        if self._turns >= _TURNS:
            self._turns = 0
            gc.collect()


def slot_of(file):
    """The slot that a board file lies in: boards are below it."""
    return file.rsplit("/", 2)[0]
