"""Files outside the store that name a venv in it by its path: git hooks and Jupyter kernels.

`pre-commit install`, `prek install` and `ipykernel install` write the path of the Python or program that runs them.
"""

import glob
import os
import re
import shutil
import sys
from collections.abc import Iterable

from roost import warm
from roost.inputs.files import text_of
from roost.store import venvs
from roost.store.store import Store
from roost.system import processes

_VENV = re.compile(rf"""([^"'\s=]*/{re.escape(warm.INNER)}/envs/{venvs.FOLDER.pattern}/{venvs.VENV.pattern})/""")


def git_hooks(project: str) -> list[str]:
    """Return the hooks that git runs for `project`; none where git does not say."""
    if shutil.which("git") is None:
        return []
    got = processes.git("rev-parse", "--git-path", "hooks", cwd=project)
    folder = os.path.join(project, got.stdout.strip())
    if got.status or not os.path.isdir(folder):
        return []
    return [f"{folder}/{name}" for name in sorted(os.listdir(folder)) if not name.endswith(".sample")]


def kernels() -> list[str]:
    """Return the Jupyter kernels of this user (`jupyter --paths`)."""
    if not (data := os.environ.get("JUPYTER_DATA_DIR")):
        share = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
        data = os.path.expanduser("~/Library/Jupyter") if sys.platform == "darwin" else f"{share}/jupyter"
    return sorted(glob.glob(f"{glob.escape(data)}/kernels/*/kernel.json"))


def named(store: Store, paths: Iterable[str]) -> dict[str, str]:
    """Return the venvs that the files `paths` name, as they are called here, each with a file that names it.

    A venv that does not exist any more is among them. One of another project is not; a hook can name it by another path
    of the same checkout.
    """
    found = {}
    for path in paths:
        for venv in _VENV.findall(text_of(path)):
            if venv.startswith(f"{store.data}/") or os.path.isdir(store.here(venv)):
                found[store.here(venv)] = path
    return found
