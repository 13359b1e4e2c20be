"""Writes the device codec, the host tables, the page, the dissector and the vectors; `python -m dosebench_protocol.generate.__main__` goes on working."""
