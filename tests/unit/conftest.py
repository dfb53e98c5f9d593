"""Fixtures of the unit tests."""

from tests.certificates import certificates as certificates
