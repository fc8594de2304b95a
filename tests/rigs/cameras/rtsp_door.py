"""The door of an RTSP camera: it describes its streams to whoever proves the password, and plays nothing."""
import base64
import hashlib
import re
import socketserver
import threading

END_S = 0.02        # how often it looks whether it is over
SDP = ("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
       "a=framerate:15\r\na=control:track1\r\n")


class RtspDoor:
    """A context manager on `address`. `asked` are the paths asked for, `refused_n` counts wrong passwords."""

    def __init__(self, address: str, paths: tuple[str, ...], login: str = "admin:right", realm: str = "IP Camera(X1)",
                 port: int = 0, hangs_up: bool = False, once: bool = False, basic: bool = False) -> None:
        """`hangs_up`: after every answer. `once`: a nonce is good for one request only. `basic`: instead of Digest."""
        self.address = address
        self.asked: list[str] = []
        self.refused_n = 0
        self.saw_basic = False
        self._paths, self._login, self._realm = paths, login, realm
        self._once, self._basic = once, basic
        self._nonce_n = 0
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            """One connection."""

            def handle(self) -> None:
                while head := self._head():
                    self.wfile.write(owner.answer(head))
                    if hangs_up:
                        return

            def _head(self) -> str:
                head = ""
                while line := self.rfile.readline(10_000).decode():
                    if line == "\r\n":
                        break
                    head += line
                return head

        class Server(socketserver.ThreadingTCPServer):
            """Gone with the test."""

            allow_reuse_address = daemon_threads = True

        self._server = Server((address, port), Handler)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_address[1]

    def answer(self, head: str) -> bytes:
        """What is said to a request."""
        method, uri, _ = head.split(" ", 2)
        path = re.sub(r"^rtsp://[^/]*", "", uri)
        self.asked.append(path)
        sequence = re.search(r"CSeq: (\d+)", head)[1]
        if self._login and not self._proved(method, uri, head):
            offer = f'Basic realm="{self._realm}"' if self._basic else (
                f'Digest realm="{self._realm}", nonce="n{self._nonce_n}"')
            return self._say(401, sequence, f"WWW-Authenticate: {offer}\r\n")
        if path not in self._paths:
            return self._say(404, sequence)
        return self._say(200, sequence, f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n", SDP)

    def _proved(self, method: str, uri: str, head: str) -> bool:
        self.saw_basic |= "Authorization: Basic" in head
        if self._basic:
            right = f"Authorization: Basic {base64.b64encode(self._login.encode()).decode()}" in head
            self.refused_n += "Authorization" in head and not right
            return right
        said = dict(re.findall(r'(\w+)="([^"]*)"', "".join(re.findall(r"Authorization: .*", head))))
        if not said:
            return False
        user, _, password = self._login.partition(":")
        ha1, ha2 = (hashlib.md5(text.encode()).hexdigest() for text in (f"{user}:{self._realm}:{password}",
                                                                        f"{method}:{uri}"))
        fresh = said.get("nonce") == f"n{self._nonce_n}"
        right = said.get("response") == hashlib.md5(f"{ha1}:{said.get('nonce')}:{ha2}".encode()).hexdigest()
        self.refused_n += not right
        self._nonce_n += self._once and fresh
        return right and fresh

    @staticmethod
    def _say(status: int, sequence: str, headers: str = "", body: str = "") -> bytes:
        return f"RTSP/1.0 {status} X\r\nCSeq: {sequence}\r\n{headers}\r\n{body}".encode()

    def __enter__(self) -> "RtspDoor":
        threading.Thread(target=self._server.serve_forever, args=[END_S], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
