"""Four sessions of nox or tox in one project: how long they take, and how much disk space they use."""

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from benchmarks.bench import Bench, Case
from benchmarks.project import Workshop
from benchmarks.results import Part

SESSIONS = ("lint", "types", "tests", "docs")
NOXFILE = """\
import nox
{backend}
nox.options.envdir = "{folder}"

def prepare(session):
    {prepare}

"""
NOX_SESSION = """\
@nox.session
def {name}(session):
    prepare(session)
    session.run({words})

"""
# What nox's own cookbook gives for a project with a `uv.lock`.
UV_SYNC = (
    'session.run_install("uv", "sync", "--locked", "--quiet", env={"UV_PROJECT_ENVIRONMENT": '
    "session.virtualenv.location})"
)


def words(shop: Workshop, name: str) -> list[str]:
    """Return the command of a session: the first is as short as can be, the others import the lot."""
    return [shop.recipe.tool, "--version"] if name == SESSIONS[0] else ["python", "lot.py"]


def write_noxfiles(shop: Workshop, project: Path) -> None:
    """Write one noxfile for nox's backend `uv`, and one for roost's."""
    backends = {
        "uv": ('nox.options.default_venv_backend = "uv"', UV_SYNC),
        "roost": ("import roost.nox\nnox.options.default_venv_backend = roost.nox.BACKEND", "pass"),
    }
    for name, (backend, prepare) in backends.items():
        text = NOXFILE.format(backend=backend, folder=f".nox-{name}", prepare=prepare)
        for session in SESSIONS:
            text += NOX_SESSION.format(name=session, words=", ".join(f'"{word}"' for word in words(shop, session)))
        (project / f"noxfile_{name}.py").write_text(text)


def write_tox(shop: Workshop, project: Path) -> None:
    """Write the same for tox, with tox-uv's runner for a project with a `uv.lock`, and its first session for roost."""
    lines = [f"env_list = {list(SESSIONS)}", "no_package = true", "[env_run_base]", 'runner = "uv-venv-lock-runner"']
    for session in SESSIONS:
        lines += [f"[env.{session}]", f"commands = [{words(shop, session)}]"]
    lines += ["[env.roost]", 'runner = "roost"', f"deps = {shop.recipe.dependencies}"]
    lines += [f"commands = [{words(shop, SESSIONS[0])}]"]
    (project / "tox.toml").write_text("\n".join([*lines, ""]))


class Kind(NamedTuple):
    """One way to run the sessions."""

    label: str
    first: list[str]
    later: dict[str, list[str]]
    """Commands for every later run, by what is added to the label."""
    folders: list[Path]
    """Where its environments are."""
    needs: tuple[str, ...]


def kinds(bench: Bench, project: Path) -> list[Kind]:
    """Return the ways to run the sessions."""
    nox, tox = bench.path("nox"), bench.path("tox")
    of_uv, of_roost = [nox, "-f", "noxfile_uv.py"], [bench.path("nox-roost"), "-f", "noxfile_roost.py"]
    again = {"later": of_uv, "later, -r": [*of_uv, "-r"], "later, -R": [*of_uv, "-R"]}
    roost_again = {"later": of_roost, "later, -R": [*of_roost, "-R"]}
    tox_run = [tox, "run", "-q"]
    return [
        Kind("nox, backend uv", of_uv, again, [project / ".nox-uv"], ("nox",)),
        Kind("nox, backend roost", of_roost, roost_again, [project / ".roost", project / ".nox-roost"], ("nox-roost",)),
        Kind("tox, tox-uv", tox_run, {"later": tox_run}, [project / ".tox"], ("tox", "tox-uv")),
    ]


class Disk(NamedTuple):
    """What lies on the disk, with what is linked counted once."""

    environments: int
    size: int
    own: int
    """What uv's cache does not have anyway: it shares the rest by hard links."""


def disk(folders: list[Path], cache: Path) -> Disk:
    """Look at what lies in `folders`, and is not in `cache`, too. Sizes are in bytes."""
    shared = {info.st_ino for _, info in walk(cache)}
    seen: dict[int, int] = {}
    environments = 0
    for folder in folders:
        for path, info in walk(folder):
            environments += os.path.basename(path) == "pyvenv.cfg"
            seen[info.st_ino] = info.st_blocks * 512
    return Disk(environments, sum(seen.values()), sum(size for number, size in seen.items() if number not in shared))


def walk(top: Path) -> list[tuple[str, os.stat_result]]:
    """Return what lies below `top`, without following links, and what `stat` says of it."""
    paths = [os.path.join(folder, name) for folder, folders, names in os.walk(top) for name in folders + names]
    return [(path, os.lstat(path)) for path in paths]


def run(shop: Workshop, rounds: int) -> Part:
    """Measure."""
    bench = shop.bench
    project = shop.project("sessions")
    write_noxfiles(shop, project)
    write_tox(shop, project)
    cases = []
    for kind in kinds(bench, project):
        # Each first run leaves what the later ones find; the warm-up of `in_turn` goes in this order.
        cases.append(Case(f"{kind.label}: first", bench.runs(*kind.first), kind.needs, bench.remove(*kind.folders)))
        cases += [
            Case(f"{kind.label}: {name}", bench.runs(*command), kind.needs) for name, command in kind.later.items()
        ]
    with contextlib.chdir(project):
        rows = bench.in_turn(cases, rounds)
    for kind in kinds(bench, project):
        if (row := rows[f"{kind.label}: first"]).seconds:
            found = disk(kind.folders, bench.work / "uv-cache")
            row.notes["environments"] = str(found.environments)
            row.notes["MB"] = str(round(found.size / 1e6))
            row.notes["MB not in uv's cache"] = str(round(found.own / 1e6))
    return Part(
        name="sessions",
        title=f"{len(SESSIONS)} sessions",
        method="One session runs the tool, and three import all distributions, one after the other. *First*: there is "
        "no environment. *Later*: all environments exist, and nothing changed. Hard-linked files count once.",
        unit="s",
        base="nox, backend uv: first",
        rows=list(rows.values()),
    )
