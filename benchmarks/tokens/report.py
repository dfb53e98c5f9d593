"""From samples to what is printed: a table for each load, and what was promised beside what came."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

from benchmarks.report import Spread, aligned, short
from benchmarks.tokens.load import Sample
from benchmarks.tokens.running import SERVERS

__all__ = ["HELD_SHARE", "OURS", "PEER", "Samples", "evenness", "rates", "table"]

Samples = Mapping[str, Sequence[Sample]]
"""By name of the server, a sample of each round."""

OURS, PEER = "by_step", "grpcio_aio"

PROMISED_STREAMS = 1_024
LEAST_TOKENS = 500_000
"""Promised: in a second, delivered by one process to so many streams."""

LEAST_RATIO = 15.0
"""Promised: tokens in a second, as a multiple of grpcio's, at as many streams."""

MOST_GAP = 0.3
"""Promised: p99 of the gap between tokens, as a share of grpcio's, at the rate that grpcio can just hold."""

HELD_SHARE = 0.98
"""Of the tokens that the model makes: who delivers so many holds the rate."""

HEAD = ["", "tokens/s (range)", "CPU us/token", "gap ms p50", "p99", "first token ms p50", "p90", "MiB", "client's CPU"]
MIB = 1024 * 1024


def table(samples: Samples) -> str:
    """Give a row for each server: medians of the rounds."""
    titles = {server.name: server.title for server in SERVERS}
    return aligned([HEAD, *([titles[name], *_cells(rounds)] for name, rounds in samples.items() if rounds)])


def _cells(rounds: Sequence[Sample]) -> Iterator[str]:
    rate = Spread.of([sample.rate for sample in rounds])
    yield f"{short(rate.median)} ({short(rate.least)}-{short(rate.most)})"
    yield f"{median(sample.cpu_us for sample in rounds):.2f}"
    for form in ("p50", "p99"):
        yield f"{_ms(rounds, lambda sample: sample.gap_us, form):.2f}"
    for form in ("p50", "p90"):
        yield f"{_ms(rounds, lambda sample: sample.first_token_us, form):.2f}"
    yield f"{median(sample.server_rss_bytes for sample in rounds) / MIB:.0f}"
    yield f"{median(sample.client_cpu_seconds / sample.seconds for sample in rounds):.0%}"


def _ms(rounds: Sequence[Sample], of: Callable[[Sample], Mapping[str, float]], form: str) -> float:
    return median(of(sample)[form] for sample in rounds) / 1e3


def rates(streams: int, samples: Samples) -> list[str]:
    """Compare the tokens of a second; the promises are about one number of streams."""
    ours, peer = samples.get(OURS), samples.get(PEER)
    lines = []
    if ours and streams == PROMISED_STREAMS:
        rate = median(sample.rate for sample in ours)
        cores = median(sample.server_cpu_seconds / sample.seconds for sample in ours)
        why = f"; the server had {cores:.2f} of a core, the client and whoever else ran the rest"
        met = rate >= LEAST_TOKENS
        lines.append(f"{short(rate)} tokens/s; promised {short(LEAST_TOKENS)}: {_verdict(met)}{'' if met else why}")
    if ours and peer:
        ratio = Spread.of([one.rate / other.rate for one, other in zip(ours, peer, strict=True)])
        cpu = Spread.of([other.cpu_us / one.cpu_us for one, other in zip(ours, peer, strict=True)])
        promised = f"; promised {LEAST_RATIO:g}x: {_verdict(ratio.median >= LEAST_RATIO)}"
        lines.append(
            f"send_each delivers {_range(ratio)} as many as grpcio aio{promised if streams == PROMISED_STREAMS else ''}"
        )
        lines.append(f"a token costs grpcio's server {_range(cpu)} as much CPU")
    return lines


def evenness(streams: int, step_seconds: float, samples: Samples) -> list[str]:
    """Compare the gaps at a rate that both hold: as they are, and what they have beyond a step of the model."""
    ours, peer = samples[OURS], samples[PEER]
    ratio = Spread.of([one.gap_us["p99"] / other.gap_us["p99"] for one, other in zip(ours, peer, strict=True)])
    met = ratio.median <= MOST_GAP
    lines = [f"gap p99: {_range(ratio)} of grpcio's; promised {MOST_GAP:g}x: {_verdict(met)}"]
    made = 1 / step_seconds
    for name, rounds in ((OURS, ours), (PEER, peer)):
        steps = median(sample.rate for sample in rounds) / streams
        if steps < HELD_SHARE * made:
            lines.append(f"  {name} did not hold the rate this time: {steps:.1f} steps/s of {made:.1f}")
    least = step_seconds * 1e6 / median(sample.gap_us["p99"] for sample in peer)
    if not met:
        lines.append(f"  nobody's p99 is below a step of the model, which is {least:.2f}x of grpcio's")
    beyond = [median(_beyond_us(sample, step_seconds) for sample in rounds) / 1e3 for rounds in (ours, peer)]
    lines.append(f"  beyond the step: {beyond[0]:.2f} ms, grpcio {beyond[1]:.2f} ms: {beyond[0] / beyond[1]:.2f}x")
    return lines


def _beyond_us(sample: Sample, step_seconds: float) -> float:
    return max(1.0, sample.gap_us["p99"] - step_seconds * 1e6)


def _range(ratio: Spread) -> str:
    return f"{ratio.median:.2f}x ({ratio.least:.2f}-{ratio.most:.2f})"


def _verdict(is_met: bool) -> str:
    return "ok" if is_met else "MISSED"
