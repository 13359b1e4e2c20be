"""The contract suite: what every pump does, be it a twin, an emulator or a board.

Run it with `pytest --pyargs dosebench_hil.contract`; docs/HIL.md says against what.
"""
