"""Noxfiles as `roost init` edits them."""

import pytest

from roost.init import noxfile

GUARD = """\
try:
    import roost.nox
except ModuleNotFoundError:
    logging.getLogger("nox").warning("roost is missing: using nox's own venvs")
else:
    nox.options.default_venv_backend = roost.nox.BACKEND
"""
SESSION = "\n\n@nox.session\ndef tests(session): ...\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"import nox\n{SESSION}", f"import logging\n\nimport nox\n\n{GUARD}{SESSION}"),
        (
            f'import os\n\nimport nox\n\nnox.options.default_venv_backend = "uv"\n{SESSION}',
            f'import logging\nimport os\n\nimport nox\n\nnox.options.default_venv_backend = "uv"\n\n{GUARD}{SESSION}',
        ),
        (
            f"import argparse\n\nimport nox\nX = 1{SESSION}",
            f"import argparse\nimport logging\n\nimport nox\n\n{GUARD}\nX = 1{SESSION}",
        ),
        (
            f"from __future__ import annotations\n\nfrom pathlib import Path\n\nimport nox\n{SESSION}",
            "from __future__ import annotations\n\nimport logging\nfrom pathlib import Path\n\nimport nox\n\n"
            f"{GUARD}{SESSION}",
        ),
        ("import logging\nfrom nox import session", f"import logging\nimport nox\nfrom nox import session\n\n{GUARD}"),
    ],
)
def test_backend_is_added_after_the_one_that_is_there(before: str, after: str) -> None:
    assert noxfile.edit(before).rstrip("\n") == after.rstrip("\n")
    assert noxfile.edit(after) == after
    compile(after, "noxfile.py", "exec")


def test_lines_are_short_enough_for_the_formatter_of_every_project() -> None:
    assert max(map(len, GUARD.splitlines())) <= 79


def test_inline_metadata_gets_roost() -> None:
    one = noxfile.edit('# /// script\n# dependencies = ["nox"]\n# ///\nimport nox\n')
    assert one.startswith('# /// script\n# dependencies = ["roost", "nox"]\n# ///\nimport logging\n')
    several = noxfile.edit('# /// script\n# dependencies = [\n#   "nox",\n# ]\n# ///\nimport nox\n')
    assert '# dependencies = [\n#   "roost",\n#   "nox",\n# ]\n' in several


def test_inline_metadata_stays_where_roost_has_no_index() -> None:
    """Here roost is installed from a folder; a name that no index knows would break nox for everybody."""
    text = '# /// script\n# dependencies = ["nox"]\n# ///\nimport nox\n'
    assert noxfile.edit(text, in_metadata=False).startswith(text.replace("import nox", "import logging"))
    assert noxfile.has_metadata(text)
    assert not noxfile.has_metadata("import nox\n")


@pytest.mark.parametrize("text", ["import nox\nimport roost.nox\n", "from roost import nox\n", "x = 1\n"])
def test_noxfile_that_has_roost_or_no_nox_stays(text: str) -> None:
    assert noxfile.edit(text) == text
