"""From a file to a checked order to a program."""
