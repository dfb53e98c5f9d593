"""The picture is well formed, and says what the samples say."""

from pathlib import Path
from xml.etree import ElementTree

from benchmarks.peers import OURS, PEERS
from benchmarks.picture import PANELS, draw, main
from benchmarks.report import Samples
from benchmarks.results import Results, write
from benchmarks.sample import Sample
from benchmarks.scenarios import named

SVG = "{http://www.w3.org/2000/svg}"
FACTS = {"date": "2026-11-27T03:00:00+00:00", "processor": "A <fast> one", "cores": 2, "python": "CPython"}
LATENCIES = {"p50": 100.0, "p99": 200.0}


def one(scenario: str, count: int) -> Sample:
    """Give a second in which so many came, each for 2 us of CPU."""
    return Sample(scenario, count, 1.0, LATENCIES, client_cpu_seconds=count * 2e-6)


def texts(samples: Samples, tls: bool = False) -> list[str]:
    root = ElementTree.fromstring(draw(Results({**FACTS, "tls": tls}, samples)))
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def test_each_panel_has_a_bar_for_each_peer_that_was_measured() -> None:
    samples = {(peer.name, name): [one(name, 1000)] for peer in PEERS[:2] for name in PANELS}
    root = ElementTree.fromstring(draw(Results(FACTS, samples)))
    assert len(root.findall(f"{SVG}g")) == len(PANELS)
    for panel in root.findall(f"{SVG}g"):
        assert [bar.get("class") for bar in panel.findall(f"{SVG}rect")] == ["ours", "other"]
    said = texts(samples)
    for scenario in named(PANELS):
        assert said.count(scenario.rows[0].title) == 1
    assert said[-1] == "2026-11-27, A <fast> one, 2 cores, CPython. Again: make bench"


def test_a_bar_has_the_median_the_range_and_the_cpu_time() -> None:
    samples = {
        (OURS, "server_stream"): [one("server_stream", count) for count in (500, 2000, 4000)],
        ("grpcio_aio", "server_stream"): [one("server_stream", 1000)],
    }
    root = ElementTree.fromstring(draw(Results(FACTS, samples)))
    (panel,) = root.findall(f"{SVG}g")
    ours, theirs = (float(bar.get("width", "")) for bar in panel.findall(f"{SVG}rect"))
    assert ours / theirs == 2
    least, most = panel.findall(f"{SVG}path")[0].get("d", "")[1:].partition(",")[::2]
    left = float(panel.findall(f"{SVG}rect")[0].get("x", ""))
    assert (float(most.partition("H")[2]) - left) / (float(least) - left) == 8
    assert [text.text for text in panel.iter(f"{SVG}text")] == [
        "server stream",
        "msg/s, more is better",
        "penstock",
        "2,000",
        "CPU 2 s",
        "grpcio aio",
        "1,000",
        "CPU 2 s",
    ]


def test_it_says_whether_it_was_over_tls() -> None:
    samples = {(OURS, "unary"): [one("unary", 1)]}
    assert "in plaintext" in texts(samples)
    assert "over TLS" in texts(samples, tls=True)
    assert "us, less is better" in texts(samples)


def test_the_command_reads_one_file_and_writes_another(tmp_path: Path) -> None:
    results = Results(FACTS, {(OURS, "unary"): [one("unary", 1)]})
    write(tmp_path / "raw.json", results)
    main([str(tmp_path / "raw.json"), str(tmp_path / "it.svg")])
    assert (tmp_path / "it.svg").read_text() == draw(results)
