"""What a household agrees to when it joins a ward: the text that it is shown, and its version. Pure.

Whoever has a ward told more raises VERSION and says so in both texts. A household that has joined under an earlier one
keeps that one: it was never asked about the later. Of what it has agreed to it can take two parts back, and allow them
again, without leaving: its switches `health` and `events`.
"""
from collections.abc import Collection
from typing import Literal

VERSION = 3
# The doors: somebody who may write the configuration; a paired browser; the ward's own card, for a camera of its own.
BY_SETTINGS, BY_PAGE, BY_CARD = "settings", "page", "provisioning"
TOLD = ("status", "birth", "health", "motion", "label", "tamper", "clip", "camera", "storage", "clock", "security",
        "command", "config", "consent", "delivery", "gap")
Switch = Literal["health", "events"]
KINDS_OF: dict[Switch, tuple[str, ...]] = {"health": ("health", "camera", "storage"),
                                           "events": ("motion", "label", "tamper", "clip")}

EN = """\
Joining a ward means: from then on, and not before, the recorder tells the ward
- that it is there, and what it is: versions, board, names of its cameras;
- how it does, unless you switch that off: cameras, card, power, network, faults and pauses;
- what happens, unless you switch that off: each motion and tampering, with camera, time, zone, place in the picture;
- with that, where the recorder can tell, one word for what moved: person, vehicle, animal, other or nothing;
- with that, the name, time and size of each clip; never the picture, the sound or the clip itself;
- what messages need: its clock, wrong and missing ones, what became of the ward's commands and settings;
- your answer to each of its requests for pictures, and what was delivered.
Nothing from before is told. Pictures leave the house only as you allow, those of earlier days, too.
You can switch off each part, and leave, at any time. From then on it is not told, messages that wait are deleted,
and when you leave, or let pictures out no more, open requests are refused.
"""

VI = """\
Tham gia với phường nghĩa là: từ lúc đó, không sớm hơn, máy báo cho phường
- rằng máy đang chạy, và là máy gì: phiên bản, bo mạch, tên các camera;
- tình trạng máy, trừ khi bạn tắt mục này: camera, thẻ nhớ, nguồn điện, mạng, lỗi và lúc tạm dừng;
- chuyện xảy ra, trừ khi bạn tắt mục này: mỗi chuyển động, mỗi lần phá camera: camera, lúc, vùng, chỗ trong hình;
- cùng với đó, khi máy nhận ra được, một từ cho biết đó là gì: người, xe, con vật, thứ khác hay không có gì;
- cùng với đó là tên, giờ và độ lớn của mỗi đoạn video; không gửi hình, tiếng hay chính đoạn video;
- những gì việc gửi tin cần: đồng hồ, tin sai, tin thiếu, kết quả các lệnh và thiết lập của phường;
- câu trả lời của bạn cho mỗi lần phường xin hình, và những gì đã giao.
Chuyện trước đó không được báo. Hình chỉ rời nhà khi bạn cho phép, kể cả hình của những ngày trước.
Lúc nào bạn cũng tắt được từng phần, và thôi tham gia. Từ lúc đó phần ấy không được báo nữa, tin đang chờ bị xoá,
và khi bạn thôi tham gia, hoặc không cho lấy hình nữa, các yêu cầu chưa xong bị từ chối.
"""

TEXTS = {"en": EN, "vi": VI}


def told(withheld: Collection[Switch]) -> list[str]:
    """The kinds of messages that a ward gets of a household that keeps these parts to itself."""
    gone = {kind for switch in withheld for kind in KINDS_OF[switch]}
    return [kind for kind in TOLD if kind not in gone]


def withheld(kinds: Collection[str]) -> list[Switch]:
    """The parts of which none of these kinds is."""
    return [switch for switch, its in KINDS_OF.items() if not set(its) & set(kinds)]
