"""What a household agrees to when it joins a ward: the text that it is shown, and its version. Pure.

Whoever has a ward told more raises VERSION and says so in both texts. A household that has joined under an earlier one
keeps that one: it was never asked about the later.
"""
VERSION = 1
BY_SETTINGS = "settings"    # the door: somebody who may write the configuration
TOLD = ("status", "birth", "health", "motion", "tamper", "clip", "camera", "storage", "clock", "security", "command",
        "config", "consent", "delivery", "gap")

EN = """\
[ward] enabled = true joins this household to a ward. From then on, and not before, the recorder tells the ward:
- that it is there, what it is, and how it does: cameras, card, power, network, clock;
- each motion and each tampering: camera, time, zone, place in the picture; never the picture or the sound;
- each clip: its name, time and size; never the clip itself;
- faults of cameras and card, pauses, wrong messages, missing ones, what became of the ward's commands and settings;
- your answer to each of its requests for pictures, and what was delivered.
Nothing from before is told. Pictures leave the house by [sharing] alone, those of earlier days, too, if you agree.
enabled = false ends it: nothing more is told, messages that wait are deleted, and open requests are refused.
"""

VI = """\
[ward] enabled = true nghĩa là nhà này tham gia với phường. Từ lúc đó, không sớm hơn, máy báo cho phường:
- rằng máy đang chạy, là máy gì, và tình trạng ra sao: camera, thẻ nhớ, nguồn điện, mạng, đồng hồ;
- mỗi chuyển động, mỗi lần phá camera: camera nào, lúc nào, vùng nào, chỗ nào trong hình; không gửi hình hay tiếng;
- mỗi đoạn video: tên, giờ và độ lớn; không gửi chính đoạn video;
- lỗi của camera và thẻ nhớ, lúc tạm dừng, tin sai, tin thiếu, kết quả các lệnh và thiết lập của phường;
- câu trả lời của bạn cho mỗi lần phường xin hình, và những gì đã giao.
Chuyện trước đó không được báo. Hình chỉ rời nhà theo [sharing], kể cả hình của những ngày trước, nếu bạn đồng ý.
enabled = false là thôi: không báo gì nữa, tin đang chờ bị xoá, yêu cầu chưa xong bị từ chối.
"""

TEXTS = {"en": EN, "vi": VI}
