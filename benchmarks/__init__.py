"""Measurements of dosebench, `make bench`: ratios to something that runs beside it, and counts that repeat exactly.

Nothing here is part of the tests: a busy machine must not turn them red. `--check` compares with `baseline.json`.
"""
