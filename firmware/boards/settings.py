# What a board was given when it was flashed: files of its slot, and those beside the slots.

import hashlib
import json
from binascii import hexlify, unhexlify

ROOT = "/dosebench"
_ROLES = ("operator", "programmer", "service")
_CHECKSUM_DIGITS = 16
_FORMAT = 1


class SettingsError(Exception):
    pass


def read(path):
    with open(path) as file:
        return json.load(file)


def bench(slot, family=None):
    """The bench's pins and calibration. Raises SettingsError unless they are whole and of this family: a board that
    does not know its pins must not drive any."""
    try:
        given = read(slot + "/bench.json")
    except (OSError, ValueError):
        raise SettingsError("no bench.json that can be read: flash the bench again") from None
    if given.get("format") != _FORMAT:
        raise SettingsError("bench.json has another format: flash the bench again")
    checksum = given.pop("checksum", "")
    if checksum != seal(given):
        raise SettingsError("the checksum of bench.json does not fit: flash the bench again")
    if family is not None and given["family"] != family:
        raise SettingsError("bench.json is for " + str(given["family"]) + ", this is " + family)
    return given


def seal(given):
    """The checksum over all figures: "name=value;" in the order of the names, where a name is the way to its figure."""
    names = {}
    flatten("", given, names)
    told = "".join([name + "=" + names[name] + ";" for name in sorted(names)])
    return hexlify(hashlib.sha256(told.encode()).digest()).decode()[:_CHECKSUM_DIGITS]


def flatten(name, value, into):
    if isinstance(value, dict):
        for key in value:
            flatten(name + "." + key if name else key, value[key], into)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            flatten(name + "." + str(at), item, into)
    else:
        into[name] = str(value)


def keys():
    """Key of each role that has one; a board without any is unpaired."""
    try:
        given = read(ROOT + "/keys.json")
        return [unhexlify(given[role]) if role in given else None for role in _ROLES]
    except (OSError, ValueError):
        return [None for _ in _ROLES]


def device_id(unique):
    """Four bytes: what the file says, else from the chip's own id."""
    try:
        with open(ROOT + "/id") as file:
            return unhexlify(file.read().strip())
    except (OSError, ValueError):
        return hashlib.sha256(unique).digest()[:4]
