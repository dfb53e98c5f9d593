"""Penstock and its peers doing the same work, side by side: `python -m benchmarks.run`."""
