"""One module for each command, or for commands that share their work; `dosebench.cli.main` imports them when needed."""
