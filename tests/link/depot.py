"""An HTTPS server for tests that hands bundles to whoever has a certificate; it can cut a line, and then goes on."""
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.rigs.pki import Authority


class Depot:
    """Serves `files` by name; `asked` are the requests as they came."""

    def __init__(self, authority: Authority) -> None:
        """Listen on a port of 127.0.0.1."""
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []       # path, Range
        self.cut_after_b: int | None = None                 # the next answer breaks off there
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue("depot"))
        context.load_verify_locations(authority.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def url(self, name: str) -> str:
        """Where that file is."""
        return f"https://127.0.0.1:{self._server.server_port}/{name}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        depot = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                depot.asked.append((self.path, wanted))
                data = depot.files.get(self.path.lstrip("/"))
                if data is None:
                    self.send_error(404)
                    return
                begin_b = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
                self.send_response(206 if wanted else 200)
                if wanted:
                    self.send_header("Content-Range", f"bytes {begin_b}-{len(data) - 1}/{len(data)}")
                self.send_header("Content-Length", str(len(data) - begin_b))
                self.end_headers()
                end_b, depot.cut_after_b = depot.cut_after_b, None
                self.wfile.write(data[begin_b:end_b])
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler

    def __enter__(self) -> "Depot":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
