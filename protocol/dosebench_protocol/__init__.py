"""The dosebench serial contract: messages, frames and what is generated from them. No I/O.

`messages` holds the one definition in `construct`; `frame` turns messages into bytes on the wire and back;
`generate` writes the firmware codec, the golden vectors, the protocol page and the Wireshark dissector from it.
"""
