"""The generator: writes device codec, host tables, pages, dissector and vectors from the schema."""
