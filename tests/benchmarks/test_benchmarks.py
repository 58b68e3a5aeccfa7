"""The benchmark: its arithmetic, its tables and its plot; and each part once, for real, with what needs no index."""

import contextlib
import os
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import plot, results, tools
from benchmarks.__main__ import BEGIN, END, PARTS, ROUNDS, options, write
from benchmarks.bench import Bench, Case
from benchmarks.project import Recipe, Workshop
from benchmarks.results import Part, Row
from benchmarks.sessions import disk
from tests.lib.packages import pack
from tests.lib.processes import UV, run
from tests.lib.wheels import make_wheel

SCRIPTS = Path(sysconfig.get_path("scripts"))
PRESENT = ("roost", "roost-run", "nox", "pre-commit", "prek")  # of the tools, in the environment of the tests


def part(*, floor: str = "") -> Part:
    """Return a part whose medians are 2, 5, 10 and 20 ms, and one row without a measurement."""
    rows = [
        Row("bare", [0.001, 0.002, 0.009]),
        Row("roost run", [0.005]),
        Row("uv run", [0.010, 0.008, 0.5], failures=2, starts=12),
        Row("other & <more>", [0.020]),
        Row("hatch run", []),
    ]
    return Part("warm", "A warm start", "How.", "ms", "uv run", rows, floor=floor)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Provide a bench without any tool but uv."""
    folder = tmp_path / "bench"
    folder.mkdir()
    with contextlib.closing(Bench(folder.resolve())) as made:
        made.add("uv", Path(UV))
        yield made


def test_ratio_is_of_the_medians() -> None:
    made = part()
    assert [made.ratio(row) for row in made.rows] == [0.2, 0.5, 1.0, 2.0, None]


def test_ratio_of_what_is_added_takes_the_floor_off_both() -> None:
    made = part(floor="bare")
    assert [made.ratio(row) for row in made.rows] == [0.0, 0.375, 1.0, 2.25, None]


def test_no_ratio_without_the_base() -> None:
    made = part()
    made.base = "hatch run"
    assert [made.ratio(row) for row in made.rows] == [None] * 5


def test_limits_say_what_came_of_them() -> None:
    made = part(floor="bare")
    made.limit("roost run", 0.25)
    made.limit("roost run", 0.8)
    made.limit("hatch run", 0.8)
    made.compare("roost run", "other & <more>", 1.0)
    made.compare("hatch run", "uv run", 1.0)
    made.exceed("uv run", "roost run", 3.0)
    made.exceed("hatch run", "roost run", 3.0)
    assert [str(limit) for limit in made.limits] == [
        "`roost run` adds, relative to what `uv run` adds: 0.38, at most 0.25 (not reached)",
        "`roost run` adds, relative to what `uv run` adds: 0.38, at most 0.80 (reached)",
        "`roost run` relative to `other & <more>`: 0.25, at most 1.00 (reached)",
        "`uv run` above `roost run`, ms: 5.00, at most 3.00 (not reached)",
    ]
    assert results.unmet([made]) == [made.limits[0], made.limits[3]]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0.000"),
        (0.0123, "0.012"),
        (0.1, "0.10"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (99.96, "100"),
        (12345.6, "12346"),
    ],
)
def test_numbers_have_the_digits_that_mean_something(value: float, shown: str) -> None:
    assert results.number(value) == shown


def test_markdown_has_a_row_for_each_case_and_says_who_is_absent() -> None:
    made = part()
    made.rows[1].notes["MB"] = "7"
    made.limit("roost run", 0.8)
    assert results.markdown(made).splitlines() == [
        "## A warm start",
        "",
        "How.",
        "",
        "|  | median, ms | fastest | slowest | relative to `uv run` | failed | MB |",
        "| --- | --: | --: | --: | --: | --: | --: |",
        "| `bare` | 2.00 | 1.00 | 9.00 | 0.20 |  |  |",
        "| `roost run` | 5.00 | 5.00 | 5.00 | 0.50 |  | 7 |",
        "| `uv run` | 10.0 | 8.00 | 500 | 1.00 | 2 of 36 |  |",
        "| `other & <more>` | 20.0 | 20.0 | 20.0 | 2.00 |  |  |",
        "| `hatch run` | absent |  |  |  |  |  |",
        "",
        "- `roost run` relative to `uv run`: 0.50, at most 0.80 (reached)",
    ]


def test_text_is_aligned() -> None:
    lines = results.text(part()).splitlines()[3:]
    assert lines[2] == "roost run             5.00     5.00     5.00                0.50"
    assert lines[4] == "other & <more>        20.0     20.0     20.0                2.00"


def test_results_are_written_between_the_markers_only(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# By hand\n\n{BEGIN}\nold\n{END}\n\nBy hand, too.\n")
    made = part()
    made.rounds = 3
    for _ in range(2):  # the second time changes nothing
        write(tmp_path, [made], ["2 cores.", "uv 1."])
        text = page.read_text()
        assert text.startswith(f"# By hand\n\n{BEGIN}\n2 cores.\nuv 1.\n\n## A warm start\n")
        assert text.endswith(f"\n\n3 rounds.\n{END}\n\nBy hand, too.\n")
        assert "old" not in text


@pytest.mark.parametrize("page", ["", f"{BEGIN}\n", f"{END}\n{BEGIN}\n"])
def test_a_page_without_markers_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="to write between"):
        results.between(page, BEGIN, END, "new")


def test_the_page_in_docs_has_the_markers() -> None:
    text = (tools.REPOSITORY / "docs/benchmarks.md").read_text()
    assert (text.count(f"{BEGIN}\n"), text.count(f"{END}\n")) == (1, 1)


def test_plot_has_a_bar_for_each_measured_row_as_long_as_its_median() -> None:
    made = part()
    root = ET.fromstring(plot.svg([made], "Medians & more"))  # noqa: S314 - our own
    space = {"svg": "http://www.w3.org/2000/svg"}
    bars = [bar for bar in root.iterfind("svg:rect", space) if bar.find("svg:title", space) is not None]
    lengths = [float(bar.attrib["width"]) for bar in bars]
    assert [round(length / lengths[3], 2) for length in lengths] == [0.1, 0.25, 0.5, 1.0]
    assert [bar.attrib["class"] for bar in bars] == ["other", "roost", "other", "other"]
    titles = [bar.findtext("svg:title", namespaces=space) for bar in bars]
    assert titles[2:] == ["uv run: 10.0 ms, 2 of 36 failed", "other & <more>: 20.0 ms"]
    # Nothing is outside the page, and dark mode sets every colour again.
    height = float(root.attrib["height"])
    assert max(float(text.attrib["y"]) for text in root.iterfind("svg:text", space)) < height
    light, _, dark = (root.findtext("svg:style", namespaces=space) or "").partition("@media")
    assert "prefers-color-scheme: dark" in dark
    assert all(
        light.count(f".{name} {{") == dark.count(f".{name} {{") == 1 for name in ("page", "roost", "other", "floor")
    )


def test_all_cases_run_once_a_round_in_another_order(bench: Bench) -> None:
    ran: list[str] = []

    def case(name: str) -> Case:
        def work() -> int:
            ran.append(name)
            return 0

        return Case(name, work, prepare=lambda: ran.append(f"before {name}"))

    rows = bench.in_turn([case(name) for name in "abcd"], 5)
    assert ran[::2] == [f"before {name}" for name in ran[1::2]]
    rounds = ["".join(ran[place : place + 8][1::2]) for place in range(0, len(ran), 8)]
    assert rounds[0] == "abcd"  # the warm-up
    assert [sorted(each) for each in rounds] == [list("abcd")] * 6
    assert len(set(rounds)) > 2
    assert [len(row.seconds) for row in rows.values()] == [5] * 4


def test_one_round_has_no_warm_up(bench: Bench) -> None:
    ran: list[None] = []
    rows = bench.in_turn([Case("a", bench.runs("/bin/true"), prepare=lambda: ran.append(None))], 1)
    assert (len(ran), len(rows["a"].seconds)) == (1, 1)


def test_a_failure_ends_the_benchmark_with_the_output_of_the_command(bench: Bench) -> None:
    with pytest.raises(SystemExit, match="`a` failed:\nno luck"):
        bench.in_turn([Case("a", bench.runs("/bin/sh", "-c", "echo no luck >&2; exit 3"))], 2)


def test_a_peer_that_is_not_there_or_does_not_work_is_absent(bench: Bench) -> None:
    cases = [
        Case("fine", bench.runs("/bin/true"), ("uv",)),
        Case("broken", bench.runs("/bin/sh", "-c", "echo no luck; exit 3"), ("uv",)),
        Case("missing", bench.runs("/bin/true"), ("hatch",)),
    ]
    rows = bench.in_turn(cases, 2)
    assert [len(row.seconds) for row in rows.values()] == [2, 0, 0]
    assert bench.absent == {"broken": "no luck"}


def test_failures_are_counted_where_they_are_the_question(bench: Bench) -> None:
    case = Case("a", bench.runs("/bin/false"))
    row = bench.in_turn([case], 3, starts=1, warm_up=False)["a"]
    assert (row.failures, len(row.seconds)) == (3, 3)


def test_commands_get_no_variable_that_leads_them_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIRTUAL_ENV", "UV_PYTHON", "GIT_DIR", "ROOST_DIR", "PYTHONPATH", "NOX_DEFAULT_VENV_BACKEND", "CI"):
        monkeypatch.setenv(name, "/elsewhere")
    monkeypatch.setenv("UV_INDEX_URL", "kept")
    monkeypatch.setenv("PATH", f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}")
    folder = tmp_path / "bench"
    folder.mkdir()
    with contextlib.closing(Bench(folder)) as bench:
        said = bench.do("/usr/bin/env")
    assert "=/elsewhere" not in said
    assert "UV_INDEX_URL=kept" in said
    path = next(line for line in said.splitlines() if line.startswith("PATH="))
    assert str(SCRIPTS) not in path


def test_disk_counts_links_once_and_knows_what_the_cache_has(tmp_path: Path) -> None:
    cache, one, two = (tmp_path / name for name in ("cache", "one", "two"))
    for folder in (cache, one, two):
        folder.mkdir()
    (cache / "shared").write_bytes(b"s" * 40960)
    (one / "own").write_bytes(b"o" * 81920)
    for folder in (one, two):
        (folder / "pyvenv.cfg").hardlink_to(cache / "shared")
    (two / "own").hardlink_to(one / "own")
    assert disk([one, two], cache) == (2, 122880, 81920)


@pytest.fixture
def shop(bench: Bench, wheels: Path) -> Workshop:
    """Provide a workshop with what the tests have: tiny wheels, and no tox and no hatch."""
    for name in PRESENT:
        bench.add(name, SCRIPTS / name)
    for name in tools.RUNNERS:
        bench.add(f"{name}-roost", SCRIPTS / name)
    backend = bench.work / "backend"
    backend.mkdir()
    pack("hatchling", backend)
    make_wheel(backend, "editables", "0.5")  # which it asks for
    tables = f'[tool.uv]\nno-index = true\nfind-links = ["{wheels}", "{backend}"]\n'
    return Workshop(bench, Recipe(["apple", "banana"], ["apple<2", "cherry"], "cherry", "apple", tables), starts=2)


ABSENT = {"warm": ["hatch run apple", "tox run, tox-uv"], "sessions": ["tox, tox-uv: first", "tox, tox-uv: later"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTS)
@pytest.mark.normally(name=["warm"])
def test_each_part_runs(shop: Workshop, name: str) -> None:
    """For real, with roost, uv, nox, pre-commit and prek: whatever one of them does otherwise some day fails here."""
    assert shop.differences == 3
    assert shop.lot == "import apple\nimport banana\n"
    made = PARTS[name].run(shop, 1)
    assert made.name == name
    assert [row.label for row in made.rows if not row.seconds] == ABSENT.get(name, [])
    assert [row.label for row in made.rows if row.failures and "different TMPDIRs" not in row.label] == []
    assert shop.bench.absent.keys() <= {"hyperfine"}
    assert made.row(made.base)
    assert not made.floor or made.row(made.floor)
    if name == "sessions":
        notes = {row.label: row.notes["environments"] for row in made.rows if row.notes}
        assert notes == {"nox, backend uv: first": "4", "nox, backend roost: first": "1"}
    assert results.markdown(made).count("\n| `") == len(made.rows)


def test_options() -> None:
    assert set(ROUNDS) == set(PARTS)
    parsed = options(["--only", "warm", "--only", "commit", "--rounds", "3"])
    assert (parsed.only, parsed.rounds, parsed.docs) == (["warm", "commit"], 3, None)
    for words in (["--rounds", "0"], ["--quick", "--check"], ["--only", "nothing"]):
        with pytest.raises(SystemExit, match="2"):
            options(words)


def test_machine_has_no_name() -> None:
    said = tools.machine()
    assert f"{os.cpu_count()} cores" in said
    assert os.uname().nodename not in said


def test_a_wheel_has_no_benchmarks(tmp_path: Path) -> None:
    got = run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=tools.REPOSITORY,
        stderr=subprocess.STDOUT,
    )
    assert got.returncode == 0, got.stdout
    (wheel,) = tmp_path.glob("*.whl")
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top.partition("-")[0] for top in tops} == {"roost"}, tops


def test_headline_quotes_the_medians_of_three_commands() -> None:
    rows = [Row("ruff", [0.002]), *(Row(f"{command} ruff", [0.01, 0.03, 0.02]) for command in ("roost-run", "uv run"))]
    warm = Part("warm", "", "", "ms", "uv run ruff", rows, floor="ruff")
    assert results.headline([warm, Part("commit", "", "", "ms", "", [])], 40).splitlines()[2:] == [
        "| nothing changed (ruff alone 2.00) | 20.0 |  | 20.0 |"
    ]
