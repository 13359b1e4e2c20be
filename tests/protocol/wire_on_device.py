# Runs on MicroPython beside the generated codecs: every line of cases.txt is [body, bytes, values or null].
import gc
import json
import sys
from binascii import hexlify, unhexlify

sys.path.insert(0, sys.argv[0].rpartition("/")[0] or ".")


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return hexlify(value).decode() if isinstance(value, (bytes, bytearray)) else value


def unpack(module, name, data, off, end):
    try:
        return getattr(module, "unpack_" + name)(data, off, end)
    except ValueError:
        return None


def check_unpack(module, name, data, wanted):
    off = 3
    got = unpack(module, name, memoryview(b"\xaa" * off + data), off, off + len(data))
    assert (None if got is None else plain(got)) == wanted, (name, hexlify(data), got, wanted)
    return got


def check_pack(module, name, data, values, names):
    pack = getattr(module, "pack_" + name)
    buf = bytearray(len(data) + 2)
    by_name = dict(zip(names, values))  # noqa: B905
    values = () if names else values
    assert pack(buf, 2, *values, **by_name) == len(buf)
    assert buf[2:] == data, (name, hexlify(data), hexlify(buf))
    try:
        pack(buf, 3, *values, **by_name)
    except ValueError:
        return
    raise AssertionError(name + " wrote beyond its buffer")


class Into:
    pass


def check_read(module, name, data, wanted, fields):
    into = Into()
    try:
        getattr(module, "read_" + name)(into, data, 0, len(data))
    except ValueError:
        assert wanted is None
        return
    assert plain([getattr(into, field) for field in fields]) == wanted, (name, hexlify(data))


def check(module, line, counts):
    name, data, wanted, whole, names = json.loads(line)
    data = unhexlify(data)
    if hasattr(module, "read_" + name):
        check_read(module, name, data, wanted, FIELDS[name])
    if hasattr(module, "unpack_" + name):
        got = check_unpack(module, name, data, wanted)
        counts[0] += 1
        if whole and hasattr(module, "pack_" + name):
            check_pack(module, name, data, got, names)
            counts[1] += 1


import wire  # type: ignore[import-not-found]  # noqa: E402
import wire_both  # type: ignore[import-not-found]  # noqa: E402

with open(sys.path[0] + "/fields.txt") as file:
    FIELDS = json.load(file)

# The collector of the WebAssembly build does not see pointers in the locals of C, among them the frames of all but
# small functions: it may only run here, where no such function is active.
gc.disable()
device = [0, 0]
both = [0, 0]
cases = open(sys.path[0] + "/cases.txt")  # noqa: SIM115
for line in cases:
    check(wire, line, device)
    check(wire_both, line, both)
    gc.collect()
cases.close()

print("device", *device)
print("both", *both)
roles = bytes(wire.role_of(number) & 0xFF for number in range(-10, 300))
print("roles", hexlify(roles).decode())
print("hash", hexlify(wire.SCHEMA_HASH).decode())
