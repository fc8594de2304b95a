"""Checks whether Prometheus is answered, or another program has the port.

It asks as Prometheus does, because only an answer shows whose port it is.
"""
import urllib.request
from pathlib import Path

from agent.cli.doctor import CheckVerdict, bad, ok
from agent.config.positions import line_of, positions


def examine(port: int, config: Path) -> CheckVerdict:
    where, direct = f"http://127.0.0.1:{port}/metrics", urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        if b"taimat_version" in direct.open(where, timeout=5.0).read():
            return ok(f"Prometheus is answered at {where}")
    except Exception as error:          # whatever another program answers
        if isinstance(getattr(error, "reason", None), ConnectionRefusedError):
            return bad(f"nobody answers at {where}", "see roles: the link answers there")
    line = line_of(positions(config.read_text(encoding="utf-8")), ("metrics", "port"))
    return bad(f"{config}:{line}: metrics.port: another program has port {port}",
               f"choose another port there, or end that program: sudo ss -ltnp 'sport = :{port}'")
