"""The text that a household accepts when it joins a ward, and its version. Pure.

A change that sends the ward more must raise VERSION and say so in both texts. A household that joined under an earlier
version keeps that one, because it was never asked about the later one. It can withdraw and allow two parts without
leaving: its switches `health` and `events`.
"""
from collections.abc import Collection
from typing import Literal

VERSION = 3
# Where a decision comes from: a person who may write the configuration; a paired browser; the ward's own card, for its
# own camera.
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
    """Returns the kinds of messages that a ward gets if the household withholds these parts."""
    gone = {kind for switch in withheld for kind in KINDS_OF[switch]}
    return [kind for kind in TOLD if kind not in gone]


def withheld(kinds: Collection[str]) -> list[Switch]:
    """Returns the parts that contain none of these kinds."""
    return [switch for switch, its in KINDS_OF.items() if not set(its) & set(kinds)]
