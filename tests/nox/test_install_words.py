"""Which commands of a session build the project in its source tree, and so need the build lock."""

from pathlib import Path

import pytest

from roost.runners import install_commands


@pytest.mark.parametrize(
    ("words", "builds"),
    [
        ("pip install .", True),
        ("pip install -e .[docs]", True),
        ("pip install -r dev.txt", True),
        ("uv pip install --requirement=deep/nested.txt", True),
        ("pip install -rnone.txt", False),
        ("pip install -r plain.txt apple", False),
        ("maturin develop", True),
        ("python setup.py develop", True),
        ("poetry install", True),
        ("hatch run roost-run pytest", False),
        ("conda install apple", False),
    ],
)
def test_commands_that_build_in_the_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, builds: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep").mkdir()
    (tmp_path / "dev.txt").write_text("apple  # a fruit\n.\n")
    (tmp_path / "deep/nested.txt").write_text("-r more.txt\n")
    (tmp_path / "deep/more.txt").write_text("-e .\n")
    (tmp_path / "plain.txt").write_text("# . is not installed\napple>=1\n-r plain.txt\n")
    change = install_commands.read(words.split(), {}, "/own", "/shared/bin")
    assert change is not None
    assert change.builds == builds


@pytest.mark.parametrize("words", ["pip install --pre apple", "uv pip install --prerelease=allow apple"])
def test_command_that_may_select_another_version_needs_a_venv_of_its_own(words: str) -> None:
    change = install_commands.read(words.split(), {}, "/own", "/shared/bin")
    assert change is not None
    assert change.needs_own
    assert change.args[-1] == "--force-reinstall"  # a word of uv and of pip
