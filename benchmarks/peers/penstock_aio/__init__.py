"""Penstock on asyncio's own event loop, with its default limits."""
