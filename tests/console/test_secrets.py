"""What opens an index to its owner reaches the installer, and stays there: roost neither keeps it nor shows it."""

import base64
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import roost
from roost.console.redact import without_secrets
from tests.lib import installer_kinds
from tests.lib.index_fixtures import AddTool
from tests.lib.package_index import Index, index
from tests.lib.processes import BASE_PYTHON, finish, run
from tests.lib.projects import Project

SECRET = "hush-4711"  # noqa: S105 - of an index that these tests run
LOGIN = f"me:{SECRET}"
FORMS = [SECRET.encode(), base64.b64encode(LOGIN.encode())]
REPORTS = [line.split() for line in ("status", "status --json", "why", "log", "log --json", "doctor", "doctor --json")]


class Place(NamedTuple):
    """Where the login is to be given."""

    project: Project
    server: Index
    setenv: Callable[[str, str], None]


Give = Callable[[Place], None]


@pytest.fixture
def private(wheels: Path) -> Iterator[Index]:
    """Provide an index that asks for the login."""
    with index(wheels, LOGIN) as server:
        yield server


@pytest.fixture
def members_only(plain: Project, private: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Provide a project whose packages are all on the private index."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("PIP_RETRIES", "0")
    plain.edit("pyproject.toml", "no-index = true\n", "")
    plain.edit("pyproject.toml", f'find-links = ["{plain.wheels}"]\n', "")
    plain.edit("pyproject.toml", "[tool.roost]\n", f"{_table(private)}[tool.roost]\n")
    return plain


def _table(server: Index) -> str:
    return f'[[tool.uv.index]]\nname = "private"\nurl = "{server.url()}"\ndefault = true\n'


def by_variables(at: Place) -> None:
    at.setenv("UV_INDEX_PRIVATE_USERNAME", "me")
    at.setenv("UV_INDEX_PRIVATE_PASSWORD", SECRET)


def by_address(at: Place) -> None:
    at.setenv("UV_INDEX_URL", at.server.url(LOGIN))
    at.project.edit("pyproject.toml", _table(at.server), "")


def by_netrc(at: Place) -> None:
    netrc = at.project.root.parent / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    netrc.chmod(0o600)
    at.setenv("NETRC", str(netrc))


def by_keyring(at: Place) -> None:
    """Let a program called `keyring` be asked, as uv asks the real one."""
    folder = Path(os.environ["HOME"], "bin")
    folder.mkdir()
    (folder / "keyring").write_text(f'#!/bin/sh\n[ "$1 $3" = "get me" ] && echo {SECRET}\n')
    (folder / "keyring").chmod(0o755)
    at.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    at.setenv("UV_KEYRING_PROVIDER", "subprocess")
    at.project.edit("pyproject.toml", "http://127", "http://me@127")


def to_pip(at: Place) -> None:
    """Let pip install into the new venv, the one of the Python that the tests run with."""
    if run([BASE_PYTHON, "-m", "pip", "--version"]).returncode:
        pytest.skip(f"{BASE_PYTHON} has no pip")
    at.setenv("PIP_INDEX_URL", at.server.url(LOGIN))
    at.setenv("PIP_NO_CACHE_DIR", "1")
    at.project.file("deps.sh", f"{BASE_PYTHON} -m pip install apple banana\n")
    at.project.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\ncommand = ["sh", "deps.sh"]\n')


WAYS = [by_variables, by_address, by_netrc, by_keyring, to_pip]


def kept(project: Project) -> list[Path]:
    """Return the files below `.roost`, but for those inside of a venv, that hold the secret."""
    files = [path for path in project.store.rglob("*") if path.is_file() and not path.is_symlink()]
    own = [path for path in files if not any(path.is_relative_to(venv) for venv in project.venvs())]
    assert any(path.name == "journal" for path in own)
    return [path for path in own if any(form in path.read_bytes() for form in FORMS)]


def shown(project: Project) -> list[str]:
    """Return which reports show the secret."""
    found = []
    for words in REPORTS:
        got = project.roost(*words)
        assert "Traceback" not in got.stderr
        assert got.stdout or got.stderr, words
        found += [" ".join(words)] if leaks(got) else []
    return found


def leaks(got: "subprocess.CompletedProcess[str]") -> bool:
    return any(form in (got.stdout + got.stderr).encode() for form in FORMS)


@pytest.mark.slow
@pytest.mark.parametrize("give", WAYS, ids=[way.__name__ for way in WAYS])
@pytest.mark.normally(give=WAYS[:3])
def test_login_reaches_the_installer_and_is_neither_kept_nor_shown(
    members_only: Project, private: Index, give: Give, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor when the install fails: tools quote an address that does not exist, refuses access, or does not answer."""
    shut_out = members_only.python("pass")
    give(Place(members_only, private, monkeypatch.setenv))
    got = members_only.python("import apple, banana")
    assert got.returncode == 0, got.stderr
    assert {"apple-2.0-py3-none-any.whl", "banana-1.0-py3-none-any.whl"} <= set(private.served())
    name, old, new = (
        ("deps.sh", "install apple", "install apple==7")
        if give is to_pip
        else ("pyproject.toml", '"apple"', '"apple==7"')
    )
    members_only.edit(name, old, new)
    missing = members_only.python("pass")
    private.login = "me:other"
    withdrawn = members_only.python("pass")
    private.shutdown()
    private.socket.close()
    down = members_only.python("pass")
    failed = [shut_out, missing, withdrawn, down]
    assert [one.returncode for one in failed] == [125] * 4
    assert "apple" in missing.stderr
    assert [one.stderr for one in (got, *failed) if leaks(one)] == []
    assert kept(members_only) == []
    if give is by_address:  # what the reports read is the same for all ways
        assert shown(members_only) == []


def test_login_for_a_locked_project(members_only: Project, private: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    by_variables(Place(members_only, private, monkeypatch.setenv))
    members_only.lock()
    assert SECRET not in (members_only.root / "uv.lock").read_text()
    assert installer_kinds.installed(members_only) == "apple 2.0 banana 1.0"
    assert kept(members_only) == []


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["poetry", "pdm"])
@pytest.mark.normally(tool=["poetry"])
def test_login_in_the_source_of_a_tool(  # what they say of a failure shows it: Poetry writes it in its lock, too
    plain: Project, private: Index, tool: str, add_tool: AddTool
) -> None:
    add_tool(tool)
    installer_kinds.name_index(plain, tool, private.url(LOGIN))
    (installer_kinds.with_poetry if tool == "poetry" else installer_kinds.with_pdm)(plain)
    private.login = "me:other"
    refused = plain.python("pass")
    assert refused.returncode == 125
    assert not leaks(refused), refused.stderr
    private.login = LOGIN
    assert installer_kinds.installed(plain) == "apple 2.0 banana 1.0 project 1.0"
    assert kept(plain) == []


def test_tool_that_prints_its_whole_environment(plain: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PUBLISH_TOKEN", SECRET)
    monkeypatch.setenv("UV_INDEX_URL", f"https://me:{SECRET.replace('-', '%2D')}@index.invalid/simple")
    plain.edit("pyproject.toml", "[tool.roost]\n", '[tool.roost]\ncommand = ["sh", "-c", "env; exit 1"]\n')
    plain.edit("pyproject.toml", "exit 1", "echo as $UV_PUBLISH_TOKEN; exit 1")
    got = plain.python("pass")
    assert "as ****\n" in got.stderr
    assert "UV_INDEX_URL=https://****@index.invalid/simple\n" in got.stderr
    assert not leaks(got), got.stderr
    monkeypatch.chdir(plain.root)
    with pytest.raises(roost.RoostError) as caught:
        roost.acquire(timeout=60)
    assert SECRET not in str(caught.value)
    assert "as ****" in str(caught.value)


def test_command_line_of_who_runs_in_a_venv_is_shown_without_logins(built: Project) -> None:
    address = f"https://{LOGIN}@index.invalid/simple"
    code = "import sys; print('here', flush=True); sys.stdin.read()"
    child = built.start("run", "python", "-c", code, address, stdin=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == "here\n"
    reports = [built.roost("status"), built.roost("status", "--json")]
    finish(child)
    assert all("https://****@index.invalid/simple" in got.stdout for got in reports)
    assert not any(map(leaks, reports))


LOGINS = [
    ("see `http://me:hush@host/simple`", "see `http://****@host/simple`"),
    ("https://token@host", "https://****@host"),
    ("git+https://token@host/a and HTTPS://a:b@c", "git+https://****@host/a and HTTPS://****@c"),
    ("http://me:p@ss@host/x", "http://****@host/x"),
    ("git+ssh://git@host/a.git", "git+ssh://git@host/a.git"),
    ("ssh://git:word@host/a.git", "ssh://****@host/a.git"),
    ("http://host/a@b mail me@home", "http://host/a@b mail me@home"),
    ("http://one/ http://two:x@three", "http://one/ http://****@three"),
]


@pytest.mark.parametrize(("text", "without"), LOGINS)
def test_login_in_an_address_is_taken_out(text: str, without: str) -> None:
    assert without_secrets(text) == without


def test_value_of_a_variable_is_masked_if_its_name_suggests_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_INDEX_PRIVATE_PASSWORD", "correct horse")
    monkeypatch.setenv("SHORT_TOKEN", "main")
    monkeypatch.setenv("NAME", "somebody")
    assert without_secrets("with correct horse in main by somebody") == "with **** in main by somebody"
