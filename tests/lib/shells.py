"""The shells in which `roost-run` is tested."""

import shutil
from pathlib import Path

from tests.lib.processes import ROOST, ROOST_RUN

SHELLS = {name: path for name in ("dash", "bash", "ksh", "mksh", "zsh", "busybox") if (path := shutil.which(name))}


class Shell:
    """A `roost-run` for one shell, next to a `roost` that notes when the script hands over."""

    def __init__(self, folder: Path, shell: str) -> None:
        """Put both into `folder`."""
        folder.mkdir()
        self.script = folder / "roost-run"
        self.note = folder / "handed over"
        first, rest = Path(ROOST_RUN).read_text().split("\n", 1)
        assert first == "#!/bin/sh"
        (folder / "sh").symlink_to(shell)  # zsh and busybox go by the name they are called by
        self.script.write_text(f"#!{folder}/sh\n{rest}")
        (folder / "roost").write_text(f'#!/bin/sh\n: >"{self.note}"\nexec "{ROOST}" "$@"\n')
        for path in (self.script, folder / "roost"):
            path.chmod(0o755)

    def only_note(self) -> None:
        """Let `roost` note that it was called, and do no more: for many calls."""
        (self.note.parent / "roost").write_text(f'#!/bin/sh\n: >"{self.note}"\n')

    def handed_over(self) -> bool:
        """Return whether it did since the last question."""
        try:
            self.note.unlink()
        except FileNotFoundError:
            return False
        return True
