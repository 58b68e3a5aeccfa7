"""The nox backend on Windows: sessions share a venv, and one that installs something gets its own."""

import pytest

from tests.lib.nox_sessions import PREFIX, session, write_noxfile
from tests.lib.windows import WindowsProject, lines

pytestmark = pytest.mark.slow


def test_two_sessions_share_a_venv_and_one_that_installs_has_its_own(there: WindowsProject) -> None:
    install = 'session.install("cherry", "--no-index", "--find-links", {!r})'.format("Z:" + str(there.wheels))
    write_noxfile(
        there,
        session("one", PREFIX) + session("two", PREFIX) + session("own", install, PREFIX),
    )
    got = there.windows("-m", "nox")
    assert got.returncode == 0, got.stderr
    one, two, own = lines(got)
    assert one == two != own
    (shared,) = there.venvs()
    assert one.endswith(shared.name)
    assert not list(shared.glob("Lib/site-packages/cherry*"))
    assert len(there.all_venvs()) == 2
