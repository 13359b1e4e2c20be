"""Mutants of the dosing code, and the tests that judge them: `python -m campaigns.mutation`, docs/MUTATION.md."""
