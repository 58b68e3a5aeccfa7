"""What steers a terminal reaches none from a name, a path, a record or another program's words."""

import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from roost.console import messages
from roost.system import processes
from tests.lib.processes import ROOST, run
from tests.lib.projects import Project
from tests.lib.terminals import in_terminal

ODD = "\x1b]0;owned\x07\x9b2J\u202e\r\x1b[31m"
SHOWN = r"\x1b]0;owned\x07\x9b2J\u202e\r\x1b[31m"


def steers(raw: str) -> str:
    """Return what of `raw` steers a terminal, but for lines, colours and the clearing of a line that roost means."""
    for meant in ("\r\n", "\n", "\r\x1b[K", "\x1b[K", "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31;1m", "\x1b[33;1m"):
        raw = raw.replace(meant, "")
    for colour in (31, 32, 33):  # of `ok`, `warning`, `error` and the states
        for word in ("ok", "warning", "error", "ready", "missing"):
            raw = raw.replace(f"\x1b[{colour}m{word}", "")
    return "".join(char for char in raw if not char.isprintable())


@pytest.fixture
def odd(tmp_path: Path, wheels: Path) -> Project:
    """Provide a project in a folder whose name steers terminals."""
    made = Project(tmp_path / f"work{ODD}" / "project", wheels)
    made.write()
    made.lock()
    return made


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (ODD, SHOWN),
        ("a\nb", r"a\nb"),
        (
            "caf\xe9 \u65e5\u672c \U0001f426 a\tb \xab\xa0c\xa0\xbb",
            "caf\xe9 \u65e5\u672c \U0001f426 a\tb \xab\xa0c\xa0\xbb",
        ),
        ("\udcff \u2066 \u200b \x7f \0", r"\udcff \u2066 \u200b \x7f \x00"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert messages.printable(text) == shown
    assert messages.printable(text, lines=True) == shown.replace(r"\n", "\n")


def test_legible_is_what_a_terminal_would_show_in_the_end() -> None:
    assert processes.rendered("\x1b[1;31merror\x1b[0m: a\r\n 10%\r 90%\r100%\x1b[K\ndone\x1b]0;x\x07") == (
        "error: a\n100%\ndone\x1b]0;x\x07"
    )


@pytest.mark.slow
def test_unusual_folder_on_a_terminal_and_in_a_pipe(odd: Project) -> None:
    run(["git", "init", "-q"], cwd=odd.root, check=True)
    got = odd.roost("sync")
    assert got.returncode == 0, got.stderr
    venv = str(odd.venvs()[0]).replace("\r", "\n")  # as Python reads it
    assert got.stdout == f"{venv}\n"  # for programs, so exactly
    (odd.root / ".git/hooks/post-merge").write_text("mine")
    commands = "sync,sync --env x,status,why,log,doctor,clean,hook install,hook uninstall,run nonesuch".split(",")
    for words in [line.split() for line in commands]:
        _, raw = in_terminal([ROOST, *words], odd.root)
        assert steers(raw) == "", words
        got = run([ROOST, *words], cwd=odd.root)
        if words != ["sync"]:
            assert steers(got.stdout + got.stderr) == "", words
        if words[0] in ("sync", "doctor", "run"):
            assert SHOWN in "".join(raw.split()), words
    assert steers(odd.roost("--project", ODD).stderr) == ""  # click's own errors


def test_names_in_project_files(project: Project) -> None:
    escaped = ODD.encode("unicode_escape").decode().replace(r"\x", r"\u00")
    project.file("pyproject.toml", f'[project]\nname = "a"\nversion = "1"\n[tool.roost]\ngroups = ["{escaped}"]\n')
    error = project.roost("sync").stderr
    assert SHOWN in error
    assert steers(error) == ""


def test_what_an_installer_printed(project: Project) -> None:
    script = r"printf '\033[32mgreen\033[0m 10%%\r99%%\n\033]0;owned\007\nroost: all is well\n'; exit 3"
    project.write(roost=f"installer = 'command'\ncommand = ['sh', '-c', '''{script}''']")
    error = project.roost("sync").stderr.splitlines()[1:]
    assert error[0].endswith("could not be built with command:")
    assert error[1:] == ["  `sh` ended with status 3: 99%", r"  \x1b]0;owned\x07", "  roost: all is well"]


def test_records_of_others(project: Project, tmp_path: Path) -> None:
    project.python("pass")
    at = "2026-01-01T00:00:00+00:00"
    event = {"at": at, "event": "wait", "pid": 7, "environment": ODD, "command": ODD, "holder": f"pid 8 (`{ODD}`)"}
    (project.store / ".venv/.v2/journal").write_text(f"{json.dumps(event)}\n{json.dumps(event | {'event': ODD})}\n")
    for raw in (project.roost("log").stdout, in_terminal([ROOST, "log"], project.root)[1]):
        assert "".join(raw.split()).count(SHOWN) == 4
        assert steers(raw) == ""
    assert json.loads(project.roost("log", "--json").stdout)["events"][0]["command"] == ODD
    project.roost("log", "--timeline", tmp_path / "out.svg")
    assert SHOWN in "".join(ET.parse(tmp_path / "out.svg").getroot().itertext())  # noqa: S314 - ours


def test_colours_of_others_are_never_asked_for(project: Project) -> None:
    project.python("pass")
    env = dict(os.environ) | {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}
    assert "uv links packages from its cache `/" in project.roost("doctor", env=env).stdout
    project.write(dependencies=["nonesuch"])
    project.file("uv.lock", "")
    (project.root / "uv.lock").unlink()
    error = project.roost("sync", env=env).stderr.splitlines()
    assert "nonesuch" in " ".join(error)
    assert not [line for line in error[2:] if "\x1b" in line or r"\x1b" in line]
