"""The first configuration of a recorder that has none: its own cameras, the page for the house, and nothing else.

It is loaded once in a recorder's life, and tomlkit with it.
"""
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import tomlkit

from agent.core.contract.setup import LocalCamera
from agent.core.household.camera_names import camera_name
from agent.host.files import sync_folder, write_durably

TEXT = """\
# Cấu hình của máy ghi hình Taimat. Trang web ghi vào đây. Quý vị cũng có thể tự sửa: ghi chú luôn được giữ nguyên.
# The configuration of this Taimat recorder. Its page writes here, and so may you: comments stay as they are.
# Xem mọi mục / see every key: taimat config show        Kiểm tra / check: taimat config check

[device]
title = ""              # tên máy ghi hình, ví dụ Nhà bà Sáu / what you call this recorder
language = "vi"         # tiếng trên trang web: vi hoặc en / the language of the page

[web]
listen = "0.0.0.0"      # điện thoại trong nhà xem được / phones in your network can see the page, once they are paired

[ward]
enabled = false         # không gửi gì ra khỏi nhà / nothing leaves the house
"""
NO_CAMERA = """
# Chưa thấy camera nào. Thêm camera trên trang web, hoặc ghi vào đây.
# No camera was seen. Add one on the page, or here:
#[[camera]]
#name = "cong-truoc"
#title = "Cổng trước"
#source = "rtsp://user:password@192.168.1.20/stream1"
"""


def first_text(cameras: Sequence[LocalCamera]) -> str:
    names: list[str] = []
    tables = []
    for camera in cameras:
        names.append(camera_name(camera.title, names))
        values = {"name": names[-1], "title": camera.title, "source": camera.source}
        lines = (f"{key} = {tomlkit.item(value).as_string()}" for key, value in values.items())
        tables.append("\n".join(["", "[[camera]]", *lines, ""]))
    return TEXT + ("".join(tables) or NO_CAMERA)


def write_first(path: Path, text: str) -> None:
    """Write it, unless somebody else has just written one. Raises OSError."""
    draft = path.with_name(f".{path.name}.first")
    write_durably(draft, text.encode())
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    sync_folder(path.parent)
