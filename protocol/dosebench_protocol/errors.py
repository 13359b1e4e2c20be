"""The exceptions that more than one module of the protocol package raises."""

from __future__ import annotations


class ProtocolError(Exception):
    """Anything that the protocol refuses: a frame, a body, a name, a schema. The root of all others."""


class CodecError(ProtocolError):
    """A body that cannot be decoded, or fields that cannot be encoded; the text names the field."""
