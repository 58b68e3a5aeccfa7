"""A package index on 127.0.0.1 with the wheels of the tests, which may ask for a name and a password."""

import base64
import contextlib
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Index(ThreadingHTTPServer):
    """Serves what is in the folder `wheels` (PEP 503), and notes each request with what it came with."""

    daemon_threads = True

    def __init__(self, wheels: Path, login: str = "") -> None:
        """Listen; with a `login` such as `me:hush` every request needs it."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.wheels = wheels
        self.login = login
        self.requests: list[tuple[str, str]] = []
        """The path of each request, and the login that it brought."""

    def url(self, login: str = "") -> str:
        """Return the address of the index, with `login` in it where one is given."""
        return f"http://{login}{'@' if login else ''}127.0.0.1:{self.server_port}/simple"

    def served(self) -> list[str]:
        """Return the names of the wheels that were fetched."""
        fetched = (path for path, login in self.requests if login == self.login)
        return [path.rpartition("/")[2] for path in fetched if path.endswith(".whl")]


@contextlib.contextmanager
def index(wheels: Path, login: str = "") -> Iterator[Index]:
    """Provide an index that runs."""
    with Index(wheels, login) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        """Answer with the list of a project's files, or with one of them."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer as to a GET, without the content."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        kind, _, encoded = self.headers.get("Authorization", "").partition(" ")
        login = base64.b64decode(encoded).decode() if kind == "Basic" else ""
        self.server.requests.append((self.path, login))
        content = self._content()
        if self.server.login and login != self.server.login:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="tests"')
            content = b""
        else:
            self.send_response(200 if content else 404)
            self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
            if "/files/" in self.path:  # what an index has under one name never changes
                self.send_header("Cache-Control", "max-age=365000000, immutable, public")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _content(self) -> bytes:
        folder, _, name = self.path.strip("/").rpartition("/")
        if folder == "files":
            return (self.server.wheels / name).read_bytes()
        lines = []
        for path in sorted(self.server.wheels.glob(f"{name}-*.whl")) if folder == "simple" else []:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            lines.append(f'<a href="/files/{path.name}#sha256={digest}">{path.name}</a>')
        return f"<!DOCTYPE html><html><body>{'<br>'.join(lines)}</body></html>".encode() if lines else b""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name for it
        """Say nothing."""
