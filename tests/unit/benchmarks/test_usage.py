import subprocess
import sys

import pytest

from benchmarks.usage import cpu_seconds, resident_bytes

SPEND = "import time\nwhile time.process_time() < 0.2: pass\nx = b'x' * 30_000_000\nprint(flush=True)\ninput()"
START = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {SPEND!r}])"


COUNT = "import time\nwhile time.process_time() < 0.2: pass\nprint(time.process_time(), flush=True)\ninput()"


def test_cpu_time_is_what_the_process_itself_counts() -> None:
    # Not this one: it may have children.
    with subprocess.Popen([sys.executable, "-c", COUNT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        own = float(process.stdout.readline())
        assert cpu_seconds(process.pid) == pytest.approx(own, abs=0.03)
        process.communicate(b"\n")


def test_a_process_that_only_starts_another_has_used_what_that_used() -> None:
    with subprocess.Popen([sys.executable, "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert cpu_seconds(process.pid) >= 0.2
        assert resident_bytes(process.pid) > 30_000_000
        process.communicate(b"\n")
