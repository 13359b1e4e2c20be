"""A bench: its file (`file`), and what follows from it: pins, step volume, drawing, pages of docs/boards."""
