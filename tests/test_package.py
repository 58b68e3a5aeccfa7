"""The wheel and the sdist: what is in them, and that nothing of `.roost` is."""

import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support import run

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ["src", "hooks", "docs", "tools", "tests", "benchmarks", "changes"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a copy of the source tree in which roost was used: with a venv, locks and a journal in `.roost`."""
    folder = tmp_path_factory.mktemp("package") / "roost"
    folder.mkdir()
    listed = run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT).stdout.splitlines()
    names = listed or [str(path.relative_to(ROOT)) for top in NEEDED for path in (ROOT / top).rglob("*")]
    for name in {*names, "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore"}:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def build(folder: Path, out: Path) -> Path:
    """Build both with this environment's own hatchling, so that no index is asked."""
    code = "import sys, hatchling.build as b; print(b.build_sdist(sys.argv[1]), b.build_wheel(sys.argv[1]))"
    out.mkdir()
    run([sys.executable, "-c", code, out], cwd=folder, check=True)
    return out


@pytest.fixture(scope="module")
def built(checkout: Path) -> Path:
    """Provide a folder with the wheel and the sdist of a checkout in which roost was used."""
    (checkout / ".roost/.venv/.v2/envs/0123456789abcdef/venv-abcdef/bin").mkdir(parents=True)
    for name in ("lock", ".venv/.v2/journal", ".venv/.v2/envs/0123456789abcdef/venv-abcdef.lease", ".gitignore"):
        (checkout / ".roost" / name).write_text("*\n")
    return build(checkout, checkout.parent / "dist")


def members(built: Path) -> tuple[list[str], list[str]]:
    """Return the names in the wheel, and those in the sdist without its top folder."""
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive, tarfile.open(sdist) as tar:
        return archive.namelist(), [name.partition("/")[2] for name in tar.getnames()]


def test_neither_holds_anything_of_roost_or_of_what_was_built(built: Path) -> None:
    for names in members(built):
        assert not [name for name in names if {".roost", ".venv", ".git", ".nox", "_site"} & set(name.split("/"))]
        assert not [name for name in names if name.endswith((".pyc", "uv.lock", ".lease"))]


def test_wheel_has_the_package_its_types_and_its_scripts(built: Path) -> None:
    names = set(members(built)[0])
    modules = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*.py")}
    assert modules | {"roost/py.typed"} <= names
    assert {name.rpartition("/")[2] for name in names if ".data/scripts/" in name} == {"roost", "roost-run"}
    assert not [name for name in names if not name.startswith(("roost/", "roost-"))]


def test_sdist_has_what_the_tests_and_the_docs_need(built: Path) -> None:
    names = members(built)[1]
    tops = {name.split("/")[0] for name in names}
    assert set(NEEDED) | {"pyproject.toml", "noxfile.py", "CONTRIBUTING.md", "README.md", "LICENSE"} <= tops
    assert {"docs/index.md", "docs/terminal.svg", "hooks/roost-run", ".pre-commit-hooks.yaml"} <= set(names)


@pytest.mark.parametrize("ignored", [True, False])
def test_line_in_gitignore_is_what_keeps_it_out_elsewhere(tmp_path: Path, ignored: bool) -> None:
    """As roost says when it makes its folder: build backends read no `.gitignore` but the one at the root."""
    folder = tmp_path / "shop"
    (folder / ".roost/v1").mkdir(parents=True)
    (folder / ".roost/.gitignore").write_text("*\n")
    (folder / ".roost/.venv/.v2/journal").write_text("")
    (folder / ".gitignore").write_text("/.roost\n" if ignored else "/dist\n")
    (folder / "shop.py").write_text("")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "shop"\nversion = "1"\n'
    )
    assert (".roost/.venv/.v2/journal" in members(build(folder, tmp_path / "dist"))[1]) is not ignored
