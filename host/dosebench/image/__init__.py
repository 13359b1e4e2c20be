"""The firmware as files for a board."""
