"""Checks of the repository that no general tool makes. `python -m tools.check` runs them all."""
