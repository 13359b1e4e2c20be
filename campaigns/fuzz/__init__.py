"""Coverage-guided fuzzing of what a host makes of bytes from a line: `python -m campaigns.fuzz`, docs/FUZZING.md."""
