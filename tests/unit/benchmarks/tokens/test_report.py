"""Does the report of the token streams say what was kept and what was missed?"""

import pytest

from benchmarks.tokens.load import Sample
from benchmarks.tokens.report import evenness, rates, table


def sample(tokens: int, gap_p99_us: float = 1000.0) -> Sample:
    return Sample(2.0, tokens, {"p50": 500.0, "p99": gap_p99_us}, {"p50": 1.0, "p90": 2.0}, 1.0, 0.5, 2**20)


def samples(ours: int, theirs: int) -> dict[str, list[Sample]]:
    return {"by_step": [sample(ours)] * 3, "grpcio_aio": [sample(theirs)] * 3}


def test_a_row_for_each_server() -> None:
    head, ours, theirs = table(samples(1_000_000, 20_000)).splitlines()
    assert head.split()[0] == "tokens/s"
    cells = "penstock, send_each 500.0k (500.0k-500.0k) 1.00 0.50 1.00 0.00 0.00 1 25%"
    assert ours.split() == cells.split()
    assert theirs.startswith("grpcio aio")


@pytest.mark.parametrize(("tokens", "verdict"), [(1_000_000, ": ok"), (999_998, ": MISSED; the server had 0.50")])
def test_the_promise_of_tokens_is_kept_from_its_bound_on(tokens: int, verdict: str) -> None:
    assert verdict in rates(1024, samples(tokens, 1))[0]


@pytest.mark.parametrize(("tokens", "verdict"), [(300_000, "15x: ok"), (299_980, "15x: MISSED")])
def test_the_promise_of_the_ratio_is_kept_from_its_bound_on(tokens: int, verdict: str) -> None:
    assert verdict in rates(1024, samples(tokens, 20_000))[1]


def test_nothing_is_promised_of_other_numbers_of_streams() -> None:
    assert "promised" not in "".join(rates(32, samples(1_000_000, 1)))


@pytest.mark.parametrize(("gap", "verdict"), [(300.0, "0.3x: ok"), (301.0, "0.3x: MISSED")])
def test_the_promise_of_gaps_is_kept_up_to_its_bound(gap: float, verdict: str) -> None:
    held = {"by_step": [sample(2000, gap)] * 3, "grpcio_aio": [sample(2000, 1000.0)] * 3}
    assert verdict in evenness(10, 0.01, held)[0]


def test_a_missed_gap_is_explained_by_the_step_and_who_did_not_hold_the_rate_is_named() -> None:
    held = {"by_step": [sample(2000, 10_500.0)] * 3, "grpcio_aio": [sample(1900, 20_000.0)] * 3}
    missed, slow, least, beyond = evenness(10, 0.01, held)
    assert "MISSED" in missed
    assert slow == "  grpcio_aio did not hold the rate this time: 95.0 steps/s of 100.0"
    assert "0.50x of grpcio's" in least
    assert "beyond the step: 0.50 ms, grpcio 10.00 ms: 0.05x" in beyond
