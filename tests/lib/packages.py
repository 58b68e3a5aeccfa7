"""Small local packages for tests: workspace members, path dependencies, and projects with metadata from elsewhere."""

import base64
import hashlib
import importlib.metadata
import re
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

from roost import state
from roost.system.files import signature
from roost.warm import Selection
from tests.lib.projects import Project, toml

BACKEND = "[build-system]\nrequires = []\nbuild-backend = 'plain_backend'\nbackend-path = ['.']\n"
WHAT = (
    "import importlib.metadata as m; "
    "print(*sorted({f'{d.name} {d.version}' for d in m.distributions() if d.name not in ('pip', 'setuptools')}))"
)


def package(
    project: Project, folder: str, *, dependencies: Iterable[str] = (), head: str = "version = '1.0'", more: str = ""
) -> None:
    """Write a package into `folder` of the project, named after it; `head` goes into `[project]`, `more` to the end."""
    name = Path(folder).name if folder != "." else "project"
    lines = [
        "[project]",
        f"name = {toml(name)}",
        head,
        "requires-python = '>=3.11'",
        *([] if "'dependencies'" in head else [f"dependencies = {toml(list(dependencies))}"]),
        BACKEND,
        more,
    ]
    project.file(f"{folder}/pyproject.toml", "\n".join(lines) + "\n")
    project.file(f"{folder}/src/{name}.py", f"NAME = {name!r}\n")
    project.file(f"{folder}/deps.txt", "")
    shutil.copy(Path(__file__).parent / "plain_backend.py", project.root / folder)


def uv_table(project: Project, *lines: str) -> str:
    """Return a `[tool.uv]` that finds the tests' wheels and nothing else."""
    return "\n".join(["[tool.uv]", "no-index = true", f"find-links = [{toml(str(project.wheels))}]", *lines]) + "\n"


def installed(project: Project, *options: str, cwd: Path | None = None) -> str:
    """Return what is in the environment, such as `apple 1.0 banana 1.0`."""
    got = project.roost("run", *options, "python", "-c", WHAT, cwd=cwd or project.root)
    assert got.returncode == 0, got.stderr
    return got.stdout.strip()


def said(project: Project, *options: str, cwd: Path | None = None) -> str:
    """Return what roost said of a start that succeeded; nothing when it was warm."""
    got = project.roost("run", *options, "python", "-c", "pass", cwd=cwd or project.root)
    assert got.returncode == 0, got.stderr
    return got.stderr


class InputParts:
    """What roost sees of a project at one moment, without building anything: for tests of what counts."""

    def __init__(self, project: Project, env: str = "default") -> None:
        """Look at it now."""
        self.project, self.env = project, env
        draft = state.draft(str(project.root), Selection(env))
        self.parts = dict(draft._parts())
        self.signatures = draft.inputs.signatures | draft.inputs.folders

    def changed(self) -> list[str]:
        """Return the parts of the fingerprint that are others now; the index must have noticed that something moved."""
        now = InputParts(self.project, self.env).parts
        found = sorted(name for name in now.keys() | self.parts.keys() if now.get(name) != self.parts.get(name))
        moved = [path for path, was in self.signatures.items() if signature(path) != was]
        assert moved or not found, f"a warm start would not have noticed {found}"
        return found


def pack(name: str, folder: Path, done: set[str] | None = None) -> None:
    """Make the wheel that `name` was installed from, and those of what it requires, but for what is `done`.

    Raises:
        importlib.metadata.PackageNotFoundError: one of them is not installed.
    """
    done = set() if done is None else done
    found = importlib.metadata.distribution(name)
    done.add(name)
    info = f"{found.name.replace('-', '_')}-{found.version}.dist-info"
    files = {
        str(path): path.read_binary()
        for path in found.files or ()
        if not str(path).startswith("..") and path.suffix != ".pyc"
    }
    files = {path: data for path, data in files.items() if not path.endswith(("/RECORD", "/INSTALLER", "/REQUESTED"))}
    lines = []
    with zipfile.ZipFile(folder / f"{info.removesuffix('.dist-info')}-py3-none-any.whl", "w") as archive:
        for path, data in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            lines.append(f"{path},sha256={digest},{len(data)}\n")
            archive.writestr(path, data)
        archive.writestr(f"{info}/RECORD", "".join([*lines, f"{info}/RECORD,,\n"]))
    for requirement in found.requires or ():
        other = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        if "extra ==" not in requirement and "python_version" not in requirement and other not in done:
            pack(other, folder, done)
