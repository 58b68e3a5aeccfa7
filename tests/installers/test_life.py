"""Every installer from end to end: cold, warm, changed and warm again; and many cold starts at once."""

from pathlib import Path

import pytest

from tests.lib.index_fixtures import AddTool
from tests.lib.installer_kinds import KINDS, WHAT, Kind, name_index, said
from tests.lib.package_index import Index
from tests.lib.processes import ROOST, all_at_once, finish
from tests.lib.projects import Project

MANY = 16
SOME = 5


@pytest.fixture(params=KINDS, ids=[str(kind) for kind in KINDS])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Provide each kind in turn."""
    found: Kind = request.param
    return found


@pytest.fixture
def ready(kind: Kind, plain: Project, add_tool: AddTool, open_index: Index) -> Project:
    """Provide a project of that kind."""
    if kind.tool:
        add_tool(kind.tool)
        name_index(plain, kind.tool, open_index.url())
    kind.prepare(plain)
    return plain


@pytest.mark.slow
@pytest.mark.normally(kind=KINDS[:6])
def test_cold_warm_changed_warm(ready: Project, kind: Kind) -> None:
    first = ready.python(WHAT)
    assert (first.returncode, first.stdout) == (0, f"apple 2.0 banana 1.0{kind.itself}\n"), first.stderr
    assert f"building `default` with {kind.name}, Python 3." in first.stderr
    assert said(ready) == ""
    ready.edit("pyproject.toml", "[tool.roost]\n", "[tool.ruff]\nline-length = 99\n[tool.roost]\n")
    ready.file("README.md", "What no installer reads.\n")
    assert said(ready) == ""
    before = ready.complete()
    kind.change(ready)
    second = ready.python(WHAT)
    assert (second.returncode, second.stdout) == (0, f"apple 1.0 banana 1.0{kind.itself}\n"), second.stderr
    reasons = second.stderr.partition("changed: ")[2]
    assert kind.part in reasons, second.stderr
    assert "tool.ruff" not in reasons
    assert said(ready) == ""
    assert len(ready.journal("build")) == len(ready.complete()) == 2
    assert set(before) < set(ready.complete())  # the one before is still whole, and is next to it


@pytest.mark.slow
@pytest.mark.normally(kind=[*KINDS[:2], KINDS[6]])
def test_cold_starts_at_once_make_one_venv(ready: Project, kind: Kind, tmp_path: Path, soak: float) -> None:
    count = MANY if soak else SOME
    launch = [ROOST, "run", "python", "-c", "import apple.late, banana.later, sys; print(sys.prefix)"]
    ended = [finish(child) for child in all_at_once(count, tmp_path, lambda _: launch, cwd=ready.root)]
    assert [status for status, _, _ in ended] == [0] * count, ended
    assert {out.strip() for _, out, _ in ended} == {str(path) for path in ready.venvs()}
    assert len(ready.journal("build")) == len(ready.venvs()) == 1
    assert sum(f"building `default` with {kind.name}" in err for _, _, err in ended) == 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.tool], ids=str)
@pytest.mark.normally(kind=KINDS[1:2])
def test_bytecode_is_compiled_in_the_build_unless_told_not_to(ready: Project, kind: Kind) -> None:
    """The step is the same for all installers, so one kind is enough."""
    assert not kind.tool
    said(ready)
    assert list(ready.venvs()[0].rglob("apple/__pycache__/late.*.pyc"))
    ready.edit("pyproject.toml", "[tool.roost]\n", "[tool.roost]\ncompile-bytecode = false\n")
    assert "changed: setting compile-bytecode" in said(ready)
    newest = max(ready.complete(), key=lambda path: path.stat().st_ctime)
    assert not list(newest.rglob("apple/__pycache__/later.*.pyc"))
