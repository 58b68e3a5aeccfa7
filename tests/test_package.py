"""The wheel and the sdist: what is in them, and that nothing of `.roost` is."""

import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.lib.paths import REPOSITORY
from tests.lib.processes import run
from tests.lib.variants import slow_after

NEEDED = ["src", "hooks", "docs", "tools", "tests", "benchmarks", "changes"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a copy of the source tree in which roost was used: with a venv, locks and a journal in `.roost`."""
    folder = tmp_path_factory.mktemp("package") / "roost"
    folder.mkdir()
    listed = run(["git", "ls-files", "-co", "--exclude-standard"], cwd=REPOSITORY).stdout.splitlines()
    names = listed or [str(path.relative_to(REPOSITORY)) for top in NEEDED for path in (REPOSITORY / top).rglob("*")]
    for name in {*names, "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore"}:
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((REPOSITORY / name).read_bytes())
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
    for name in (".venv/.lock", ".venv/.v2/journal", ".venv/.v2/envs/0123456789abcdef/venv-abcdef.lease", ".gitignore"):
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
    modules = {str(path.relative_to(REPOSITORY / "src")) for path in (REPOSITORY / "src").rglob("*.py")}
    assert modules | {"roost/py.typed"} <= names
    assert {name.rpartition("/")[2] for name in names if ".data/scripts/" in name} == {"roost-run", "roost-run.cmd"}
    assert any(name.endswith("/entry_points.txt") for name in names)
    assert not [name for name in names if not name.startswith(("roost/", "roost-"))]


def test_sdist_has_what_the_tests_and_the_docs_need(built: Path) -> None:
    names = members(built)[1]
    tops = {name.split("/")[0] for name in names}
    assert set(NEEDED) | {"pyproject.toml", "noxfile.py", "CONTRIBUTING.md", "README.md", "LICENSE"} <= tops
    assert {"docs/index.md", "docs/terminal.svg", "hooks/roost-run", ".pre-commit-hooks.yaml"} <= set(names)


SDIST_BACKENDS = {
    "hatchling": ("hatchling", "hatchling.build"),
    "setuptools": ("setuptools", "setuptools.build_meta"),
    "flit-core": ("flit_core", "flit_core.buildapi"),
    "pdm-backend": ("pdm-backend", "pdm.backend"),
    "poetry-core": ("poetry-core", "poetry.core.masonry.api"),
}


@pytest.mark.parametrize("backend", slow_after(2, SDIST_BACKENDS))
def test_sdists_of_a_used_project_hold_two_small_files_at_most(tmp_path: Path, backend: str) -> None:
    """Without a `.gitignore`: build backends skip a folder named `.venv`, or take only the package."""
    requirement, module = SDIST_BACKENDS[backend]
    folder = tmp_path / "shop"
    (folder / ".roost/.venv/.v2/envs/0123456789abcdef/venv-abcdef/bin").mkdir(parents=True)
    for name in (".gitignore", "CACHEDIR.TAG", ".venv/.lock", ".venv/.v2/journal"):
        (folder / ".roost" / name).write_text("*\n")
    (folder / ".roost/.venv/default").symlink_to(folder / ".roost/.venv/.v2/envs/0123456789abcdef/venv-abcdef")
    (folder / "shop.py").write_text('"""A shop."""\n__version__ = "1"\n')
    (folder / "pyproject.toml").write_text(
        f'[build-system]\nrequires = ["{requirement}"]\nbuild-backend = "{module}"\n'
        '[project]\nname = "shop"\nversion = "1"\ndescription = "A shop"\n'
    )
    script = f"import {module} as backend; print(backend.build_sdist('dist'))"
    (folder / "dist").mkdir()
    run([sys.executable, "-c", script], cwd=folder, check=True)
    (archive,) = (folder / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = [name.partition("/")[2] for name in tar.getnames()]
    assert "shop.py" in names
    assert {name for name in names if name.startswith(".roost/")} <= {".roost/.gitignore", ".roost/CACHEDIR.TAG"}
