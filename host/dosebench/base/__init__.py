"""Quantities, numbers, files, errors; imports nothing of dosebench."""
