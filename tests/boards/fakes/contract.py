# What every board must do, asked of the board alone. Prints a line on stderr for each part that held; the first that
# does not hold ends the process.

import sys
from binascii import unhexlify

import micropython

TICKS_MASK = 0x3FFFFFFF
SECTOR = 4096
KEPT = b"kept over a reset"


def say(*words):
    print(*words, file=sys.stderr)


def passed(board, since):
    return (board.ticks() - since) & TICKS_MASK


def who(board):
    assert len(board.device_id) == 4
    assert [len(key) for key in board.role_keys] == [32, 32, 32]
    assert board.config["checksum"]
    assert board.reset_cause in (1, 2, 3, 4)
    assert 1 <= len(board.name) <= 16 and board.runtime.startswith("micropython ")
    code = bytearray(16)
    board.code_hash(code)
    assert code == unhexlify(board.flashed_hash)
    board.tidy()
    assert board.heap_free() > 0


def time(board):
    at = board.ticks()
    assert 0 <= at <= TICKS_MASK
    board.wait(0)
    assert passed(board, at) <= 1
    board.wait(100)
    assert 100 <= passed(board, at) <= 102
    # The twin's counter begins a minute before it wraps.
    at = board.ticks()
    board.wait(70_000)
    assert board.ticks() < at
    assert 70_000 <= passed(board, at) <= 70_002


def motor(board):
    assert not board.driver_on()
    for steps, step_ms, most_ms, made in ((3, 100, 600, 3), (10, 100, 450, 4), (1, 100, 99, 0), (0, 100, 600, 0)):
        at, position = board.ticks(), board.encoder()
        assert board.motor_run(steps, step_ms, most_ms) == made
        assert made * step_ms <= passed(board, at) <= made * step_ms + 2, passed(board, at)
        assert (board.encoder() - position) & TICKS_MASK == made
        assert not board.driver_on()
    board.motor_off()
    board.motor_off()


def flash(board):
    back = bytearray(len(KEPT))
    board.flash_read(5 * SECTOR + 100, back)
    if back == KEPT:
        say("kept")
    board.flash_erase(5 * SECTOR)
    board.flash_read(5 * SECTOR + 100, back)
    assert back == b"\xff" * len(KEPT)
    board.flash_write(5 * SECTOR + 100, KEPT)
    board.flash_read(5 * SECTOR + 100, back)
    assert back == KEPT
    # Bits are cleared and never set; what lies around is left alone.
    one = bytearray(3)
    for bits, left in ((0xF0, 0xF0), (0x3F, 0x30), (0xFF, 0x30)):
        board.flash_write(5 * SECTOR + 50, bytes([bits]))
        board.flash_read(5 * SECTOR + 49, one)
        assert one == bytes([0xFF, left, 0xFF]), one
    board.flash_write(5 * SECTOR + SECTOR - 2, b"\x01\x02")
    board.flash_read(5 * SECTOR + SECTOR - 3, one)
    assert one == b"\xff\x01\x02"
    board.flash_read(6 * SECTOR, one)
    assert one == b"\xff\xff\xff"


def senses(board):
    for channel, low, high in ((0, 3_500, 3_700), (1, 2_400, 2_600), (2, 750, 900), (3, 800, 950), (4, 0, 0)):
        assert low <= board.adc(channel) <= high, (channel, board.adc(channel))
    assert board.flow_count() == 0
    some = [bytearray(16), bytearray(16)]
    board.random(some[0])
    board.random(some[1])
    assert some[0] != some[1] != bytes(16)
    for pattern in (1, 2, 0):
        board.tone(pattern)


def line(board):
    buffer = bytearray(256)
    assert board.uart_read(buffer) == 0
    assert board.uart_busy_ms() == 0
    board.uart_write(bytes(1_066))
    assert board.uart_busy_ms() <= 1
    board.uart_write(memoryview(bytes(1_066)))
    assert 80 <= board.uart_busy_ms() <= 100, board.uart_busy_ms()
    say("listening")
    at = board.ticks()
    board.wait(60_000)
    assert passed(board, at) < 10_000, passed(board, at)
    count = 0
    while count < 5:
        count += board.uart_read(memoryview(buffer)[count:])
        board.wait(1)
    assert buffer[:5] == b"\x03\x00\x04\xffx", buffer[:5]


def heap(board):
    buffer = bytearray(256)
    at = 0
    micropython.heap_lock()
    while at < 3:
        board.ticks()
        board.motor_run(2, 100, 600)
        board.encoder()
        board.motor_off()
        board.driver_on()
        board.adc(at)
        board.flow_count()
        board.uart_read(buffer)
        board.uart_busy_ms()
        board.wait(20)
        at += 1
    micropython.heap_unlock()


def check(board):
    for part in (who, time, motor, flash, senses, heap, line):
        part(board)
        say("holds", part.__name__)
    while True:
        board.wait(3_600_000)
