"""One module for each command, or for commands that share their work; `dosebench.cli` imports them when needed."""
