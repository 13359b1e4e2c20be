"""Searches that run for longer than `make test` may: mutants, power cuts and fuzzing."""
