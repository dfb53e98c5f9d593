"""What can a forked child do with what it inherited, and does the parent notice?"""

from collections.abc import AsyncIterator

import pytest

from tests.e2e.child import running


@pytest.fixture
async def told() -> AsyncIterator[dict[str, str]]:
    """Run a program that forks while a stream is open; give what became of each thing its child tried."""
    async with running("forking") as program:
        assert await program.exit_code() == 0, program.lines
        yield dict(line.split(": ", 1) for line in program.lines)


async def test_a_child_gets_usage_errors_writes_nothing_and_can_begin_anew(told: dict[str, str]) -> None:
    channel = "UsageError: this channel was made before fork(); make a new one in each process"
    assert told["call"] == channel
    assert told["stream"] == channel
    assert told["listen"] == "UsageError: this server was made before fork(); make a new one in each process"
    assert told["close"] == "done"
    assert told["anew"] == "done"
    # Once each: what was queued when it forked is sent by the parent alone, and nothing of the child.
    assert told["parent received"] == "[2, 3]"
    assert told["child exited with"] == "0"
