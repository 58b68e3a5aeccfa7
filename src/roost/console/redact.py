"""Redaction: roost quotes other programs' output on terminals and in CI logs, so credentials are masked."""

import os
import re
from collections.abc import Iterator

_USERINFO = re.compile(r"([a-z][a-z0-9+.-]*)://([^\s/]+)@", re.IGNORECASE)
_SECRET_NAMES = ("PASSWORD", "PASSWD", "TOKEN", "SECRET", "API_KEY")
_SHORTEST = 8  # characters; a shorter value is part of other words


def without_secrets(text: str) -> str:
    """Return `text` with credentials in URLs masked, and passwords and tokens from environment variables.

    The user in a URL such as `ssh://git@host` stays: it may be a token only with a password, or over HTTP.
    """
    for value in _known():
        text = text.replace(value, "****")
    return _USERINFO.sub(_without_login, text)


def _known() -> Iterator[str]:
    for name, value in os.environ.items():
        found = [value] if name.upper().endswith(_SECRET_NAMES) else []
        found += [login.partition(":")[2] or login for _, login in _USERINFO.findall(value)]
        for secret in found:
            from urllib.parse import unquote  # noqa: PLC0415 - it takes 2 ms, and most users have no secret there

            yield from (form for form in (secret, unquote(secret)) if len(form) >= _SHORTEST)


def _without_login(found: "re.Match[str]") -> str:
    scheme, login = found.groups()
    if ":" not in login and not scheme.lower().endswith(("http", "https")):
        return found[0]
    return f"{scheme}://****@"
