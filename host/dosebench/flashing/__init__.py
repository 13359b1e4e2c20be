"""Onto a board and off it again: what `dosebench flash` and `dosebench unflash` do."""
