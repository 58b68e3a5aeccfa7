"""What the tests of hooks stand on: roost's own repository as pre-commit and prek clone it, and projects under git.

Both programs install roost with their own means, from wheels that are packed here out of what the tests run with: no
index is asked. That happens once a session; each test then starts with roost installed, as a user's second commit does.
"""

import base64
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sysconfig
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import tomli
from filelock import FileLock
from packaging.requirements import Requirement

from tests.lib.paths import REPOSITORY
from tests.lib.processes import UV, run
from tests.lib.projects import Project

SCRIPTS = Path(sysconfig.get_path("scripts"))
PRE_COMMIT = SCRIPTS / "pre-commit"
PREK = SCRIPTS / "prek"
COMMIT_STAGES = ["pre-commit", "pre-merge-commit", "pre-push", "manual"]
# The tools that the ready-made hooks run: id in the manifest, and the command with what the manifest gives it.
TOOLS = {
    "mypy": ["mypy"],
    "pyright": ["pyright"],
    "basedpyright": ["basedpyright"],
    "ty": ["ty", "check"],
    "pyrefly": ["pyrefly", "check"],
    "pylint": ["pylint"],
    "pytest": ["pytest"],
    "deptry": ["deptry", "."],
    "import-linter": ["lint-imports"],
}


def _closure(requirements: Iterable[str]) -> set[str]:
    """Return the names of the distributions that `requirements` need here, with their own requirements."""
    found: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = Requirement(waiting.pop())
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if requirement.name not in found:
            found.add(requirement.name)
            waiting += importlib.metadata.requires(requirement.name) or []
    return found


def pack(name: str, folder: Path) -> None:
    """Write the wheel that the installed distribution `name` came from, but for the scripts that installers make."""
    distribution = importlib.metadata.distribution(name)
    made = {script.name for script in distribution.entry_points.select(group="console_scripts")}
    tag = re.findall(r"^Tag: (\S+)", distribution.read_text("WHEEL") or "", re.MULTILINE)[-1]
    stem = f"{re.sub(r'[-_.]+', '_', distribution.name).lower()}-{distribution.version}"
    info, lines = "", []
    with zipfile.ZipFile(folder / f"{stem}-{tag}.whl", "w") as archive:
        for file in distribution.files or []:
            path, base = Path(str(file.locate())), file.name
            if "__pycache__" in file.parts or base in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
                continue
            member = file.as_posix()
            if member.startswith("../"):
                if base in made or file.parent.name != "bin":
                    continue
                member = f"{stem}.data/scripts/{base}"
            elif base == "METADATA" and file.parent.name.endswith(".dist-info"):
                info = file.parent.name
            content = path.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            lines.append(f"{member},sha256={digest},{len(content)}")
            entry = zipfile.ZipInfo(member)
            entry.external_attr = path.stat().st_mode << 16
            archive.writestr(entry, content)
        archive.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,", ""]))


def git(*words: str | Path, cwd: Path, check: bool = True, **options: Any) -> str:
    """Run git; return what it printed on standard output."""
    return str(run(["git", *words], cwd=cwd, check=check, **options).stdout)


def snapshot(folder: Path) -> None:
    """Make a repository of this working tree as it is, with the tags `v1.0` and `v2.0`."""
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=REPOSITORY).split("\0")
    for name in filter(None, listed):
        source, target = REPOSITORY / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.invalid"]
    git("init", "--quiet", "--initial-branch=main", cwd=folder)
    for number in (1, 2):
        (folder / "revision.txt").write_text(f"{number}\n")
        git("add", "--all", cwd=folder)
        env = dict(os.environ) | {"GIT_COMMITTER_DATE": f"2026-01-0{number}T00:00:00Z"}  # what prek goes by
        git(*identity, "commit", "--quiet", "--message", f"Revision {number}", cwd=folder, env=env)
        git("tag", f"v{number}.0", cwd=folder)


class Frameworks:
    """roost's repository, and the folders in which pre-commit and prek keep what they installed."""

    def __init__(self, folder: Path) -> None:
        """Prepare everything below `folder`, unless that was done; nothing is installed yet."""
        self.repository = folder / "roost.git"
        self.wheels = folder / "packed"
        self.tools = folder / "tools"  # prek looks for uv on PATH, and would fetch it
        self.home = folder / "frameworks"
        if not self.tools.exists():
            self._fill()

    def _fill(self) -> None:
        self.repository.mkdir(parents=True)
        snapshot(self.repository)
        self.wheels.mkdir()
        tables = tomli.loads((REPOSITORY / "pyproject.toml").read_text())
        wanted = [*tables["build-system"]["requires"], *tables["project"]["dependencies"], "nox"]
        for name in _closure(wanted):
            pack(name, self.wheels)
        self.tools.mkdir()
        (self.tools / "uv").symlink_to(UV)

    def variables(self) -> dict[str, str]:
        """Return the variables that let both programs install without an index, each in its own folder."""
        return {
            "PATH": os.pathsep.join([os.environ["PATH"], str(self.tools)]),
            "PRE_COMMIT_HOME": str(self.home / "pre-commit"),
            "PREK_HOME": str(self.home / "prek"),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_NO_INDEX": "1",
            "UV_FIND_LINKS": str(self.wheels),
        }


class HookedProject(Project):
    """A project that is a git repository with hooks."""

    frameworks: Frameworks

    def hooks(self, *hooks: str, rev: str = "v1.0", more: str = "") -> None:
        """Write and stage `.pre-commit-config.yaml` with roost's hooks, each an item in YAML's flow style."""
        lines = ["repos:", f"- repo: {self.frameworks.repository}", f"  rev: {rev}", "  hooks:"]
        lines += [f"  - {hook}" for hook in hooks]
        self.file(".pre-commit-config.yaml", "\n".join([*lines, more, ""]))
        self.git("add", ".pre-commit-config.yaml")

    def git(self, *words: str | Path, **options: Any) -> str:
        """Run git in the project."""
        options.setdefault("cwd", self.root)
        return git(*words, **options)

    def begin(self) -> None:
        """Make the repository, and commit what is there, without hooks."""
        self.file(".gitignore", "/.roost\n__pycache__/\nbuilds.log\ntree.lock\n")
        self.file("module.py", "FIRST = 1\n")
        self.git("init", "--quiet")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--no-verify", "--message", "Begin")

    def install(self, program: Path = PRE_COMMIT, *stages: str) -> None:
        """Let `program` write its git hooks."""
        words = [word for stage in stages or ("pre-commit",) for word in ("--hook-type", stage)]
        run([program, "install", *words], cwd=self.root, check=True)

    def change(self, name: str = "module.py", text: str | None = None) -> None:
        """Change a file, and stage it."""
        path = self.root / name
        before = path.read_text() if path.exists() else ""
        path.write_text(f"{before}MORE = {len(before)}\n" if text is None else text)
        self.git("add", name)

    def commit(self, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Commit what is staged, as a user would; both outputs are in `stdout`, without what prek indents by."""
        options.setdefault("cwd", self.root)
        got = run(["git", "commit", "--message", "Change"], stderr=subprocess.STDOUT, **options)
        got.stdout = "".join(f"{line.strip()}\n" for line in got.stdout.splitlines())
        return got


@pytest.fixture(scope="session")
def frameworks(shared_folder: Path) -> Frameworks:
    """Provide roost's repository, and pre-commit and prek with roost installed from it: once for all workers."""
    with FileLock(shared_folder / "frameworks.lock"):
        return Frameworks(shared_folder / "frameworks")


@pytest.fixture
def hooked(tmp_path: Path, wheels: Path, frameworks: Frameworks, monkeypatch: pytest.MonkeyPatch) -> HookedProject:
    """Provide a locked project under git: `apple`, and in its group `dev` `banana`. No hook is installed yet."""
    for name, value in frameworks.variables().items():
        monkeypatch.setenv(name, value)
    made = HookedProject(tmp_path / "work" / "project", wheels)
    made.frameworks = frameworks
    made.write(dependencies=["apple"], groups={"dev": ["banana"]})
    made.lock()
    made.begin()
    return made
