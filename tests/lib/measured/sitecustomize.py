"""Start to measure coverage, where COVERAGE_PROCESS_START names a configuration."""

import contextlib

with contextlib.suppress(ImportError):  # other venvs have no coverage
    import coverage

    coverage.process_startup()
