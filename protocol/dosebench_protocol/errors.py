"""The one exception root of the protocol package."""

from __future__ import annotations


class ProtocolError(Exception):
    """Anything that the protocol refuses: a frame, a body, a name, a schema."""
