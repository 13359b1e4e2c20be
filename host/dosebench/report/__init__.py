"""Figures, tables, pages; the only package that draws."""
