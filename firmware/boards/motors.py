# Pump heads as data: what a step of the pump is on each kind of driver.
#
# A pulser (each family has its own) makes so many pulses, or one long one, and stops by itself: a program that dies in
# the middle of an activation moves no more than the step that it had begun. Nothing in run() allocates.

import time

from const import const
from machine import Pin

_MASK = const(0x3FFFFFFF)
# The half steps of a unipolar motor, a bit for each coil.
_HALF_STEPS = b"\x01\x03\x02\x06\x04\x0c\x08\x09"


class Motor:
    """`made`: steps that were commanded since the boot. `powered`: whether the driver was switched on last."""

    def __init__(self, feed):
        self._feed = feed
        self.made = 0
        self.powered = False

    def run(self, steps, step_ms, on_ms_max):
        """Make steps, one each `step_ms`, as many as fit into `on_ms_max`; return how many."""
        done = 0
        began = time.ticks_ms()
        self.powered = True
        self.on()
        while done < steps and (done + 1) * step_ms <= on_ms_max:
            self.step(step_ms)
            done += 1
            self.made = (self.made + 1) & _MASK
            self._rest(began, done * step_ms)
        self.stop()
        return done

    def on(self):
        """The driver is switched on, where there is one to switch."""

    def step(self, step_ms):
        raise NotImplementedError

    def off(self):
        raise NotImplementedError

    def _rest(self, began, until_ms):
        left = until_ms - time.ticks_diff(time.ticks_ms(), began)
        while left > 0:
            self._feed()
            time.sleep_ms(left)
            # A sleep may end early.
            left = until_ms - time.ticks_diff(time.ticks_ms(), began)

    def stop(self):
        self.off()
        self.powered = False


class StepDir(Motor):
    """A driver with step, direction and enable: TMC2209, A4988, DRV8825."""

    def __init__(self, given, pulser, feed):
        super().__init__(feed)
        self._on = given["enable_on"]
        self._enable = Pin(given["enable"], Pin.OUT, value=1 - self._on)
        Pin(given["dir"], Pin.OUT, value=given["forward"])
        self._pulser = pulser(given["step"], 1, given["pulses"])
        self._half_us = given["pulse_us"] // 2

    def on(self):
        self._enable.value(self._on)

    def step(self, _step_ms):
        self._pulser.train(self._half_us)

    def off(self):
        self._enable.value(1 - self._on)
        self._pulser.stop()


class Solenoid(Motor):
    """A pulse pump: one stroke for each step."""

    def __init__(self, given, pulser, feed):
        super().__init__(feed)
        self._pulser = pulser(given["pin"], given["on"], 1)
        self._on_ms = given["on_ms"]
        self._stroke_ms = given["on_ms"] + given["off_ms"]

    def step(self, _step_ms):
        began = time.ticks_ms()
        self._pulser.hold(self._on_ms)
        self._rest(began, self._stroke_ms)

    def off(self):
        self._pulser.stop()


class Dc(Motor):
    """A motor with an encoder: on until it has turned far enough, at most for the time of a step."""

    def __init__(self, given, pulser, feed, counter):
        super().__init__(feed)
        self._pulser = pulser(given["pin"], given["on"], 1)
        self._counts = given["counts"]
        self._counter = counter

    def step(self, step_ms):
        began = time.ticks_ms()
        from_count = self._counter.value()
        self._pulser.hold(step_ms)
        while time.ticks_diff(time.ticks_ms(), began) < step_ms:
            if self._counter.value() - from_count >= self._counts:
                break
            time.sleep_ms(1)
        self._pulser.stop()

    def off(self):
        self._pulser.stop()


class Unipolar(Motor):
    """A 28BYJ-48 on four transistors. Without the program its coils stand still, so nothing else has to stop it."""

    def __init__(self, given, feed):
        super().__init__(feed)
        self._coils = [Pin(coil, Pin.OUT, value=0) for coil in given["coils"]]
        self._half_steps = given["half_steps"]
        self._half_step_ms = given["half_step_ms"]
        self._phase = 0

    def step(self, _step_ms):
        left = self._half_steps
        while left:
            left -= 1
            self._phase = (self._phase + 1) & 7
            self._energise(_HALF_STEPS[self._phase])
            time.sleep_ms(self._half_step_ms)

    def _energise(self, pattern):
        at = 0
        while at < 4:
            self._coils[at].value(pattern >> at & 1)
            at += 1

    def off(self):
        self._energise(0)


def motor(given, pulser, feed, counter):
    """The motor that bench.json describes. `pulser(pin, on, pulses)` makes the family's pulse generator."""
    kind = given["kind"]
    if kind == "step_dir":
        return StepDir(given, pulser, feed)
    if kind == "solenoid":
        return Solenoid(given, pulser, feed)
    if kind == "dc":
        return Dc(given, pulser, feed, counter)
    return Unipolar(given, feed)
