"""Titles and remedies of all conditions for a household, in Vietnamese and English."""
from typing import NamedTuple


class ConditionText(NamedTuple):
    """A title that needs no context, and one sentence with the remedy."""

    title: str
    remedy: str


VI = {
    "power_low": ConditionText(
        "Nguồn điện yếu",
        "Hãy dùng bộ nguồn chính hãng và dây cáp ngắn, dày; bỏ bớt thiết bị cắm qua cổng USB."),
    "power_was_low": ConditionText(
        "Nguồn điện đã từng bị yếu",
        "Hãy theo dõi thêm; nếu thông báo này trở lại thì thay bộ nguồn và dây cáp."),
    "hot": ConditionText(
        "Máy quá nóng",
        "Hãy đặt máy ở nơi thoáng và tránh nắng, hoặc gắn thêm tản nhiệt."),
    "throttled": ConditionText(
        "Máy đang tự chạy chậm lại",
        "Hãy làm mát máy và kiểm tra bộ nguồn, vì máy chạy chậm thì hình có thể bị giật."),
    "memory_low": ConditionText(
        "Sắp hết bộ nhớ (RAM)",
        "Hãy tắt các chương trình khác trên máy, hoặc giảm số camera và độ phân giải."),
    "memory_unlimited": ConditionText(
        "Máy chưa bật giới hạn bộ nhớ",
        "Kỹ thuật viên hãy cài gói taimat-board (sudo apt install taimat-board) rồi khởi động lại máy."),
    "watchdog_reset": ConditionText(
        "Máy đã bị treo và tự khởi động lại",
        "Nếu việc này lặp lại, hãy kiểm tra nguồn điện và thẻ nhớ, rồi báo cho kỹ thuật viên."),
    "clock_unset": ConditionText(
        "Đồng hồ chưa đúng giờ",
        "Hãy nối máy với mạng một lần để lấy giờ, hoặc gắn thêm đồng hồ có pin; máy vẫn ghi hình trong lúc chờ."),
    "network_down": ConditionText(
        "Mất kết nối mạng",
        "Hãy kiểm tra bộ phát Wi-Fi và dây mạng; các đoạn video vẫn được giữ trên thẻ nhớ của máy."),
    "card_missing": ConditionText(
        "Không tìm thấy thẻ nhớ hoặc ổ đĩa lưu hình",
        "Hãy cắm lại thẻ nhớ hoặc ổ đĩa cho chắc rồi khởi động lại máy."),
    "card_hung": ConditionText(
        "Thẻ nhớ không phản hồi",
        "Hãy khởi động lại máy, nếu máy không tự khởi động lại sau vài phút; nếu vẫn như vậy thì thay thẻ nhớ mới."),
    "card_io": ConditionText(
        "Thẻ nhớ bị lỗi",
        "Hãy chép các đoạn video cần giữ sang nơi khác rồi sớm thay thẻ nhớ mới."),
    "card_read_only": ConditionText(
        "Thẻ nhớ chỉ đọc được, không ghi được",
        "Hãy khởi động lại máy; nếu vẫn như vậy thì thay thẻ nhớ mới."),
    "card_given_up": ConditionText(
        "Máy không tự cứu được thẻ nhớ",
        "Hãy thay thẻ nhớ mới; trong lúc chờ, hãy rút nguồn rồi cắm lại một lần, vì có khi thẻ lại ghi được."),
    "card_full": ConditionText(
        "Thẻ nhớ đã đầy",
        "Hãy xoá các tệp khác trên thẻ, bỏ giữ những đoạn video không còn cần, hoặc dùng thẻ lớn hơn."),
    "inodes_low": ConditionText(
        "Thẻ nhớ chứa quá nhiều tệp",
        "Hãy xoá các tệp không phải của máy ghi hình, nhất là những tệp nhỏ."),
    "card_drops_writes": ConditionText(
        "Thẻ nhớ không giữ lại dữ liệu đã ghi",
        "Hãy chép các đoạn video cần giữ sang nơi khác và thay thẻ nhớ ngay, vì những gì mới ghi sẽ mất khi tắt máy."),
    "card_ends": ConditionText(
        "Thẻ nhớ sắp hỏng",
        "Trong tuần này, hãy mua thẻ bền (High Endurance), không nhỏ hơn thẻ cũ, và đổi theo hướng dẫn: Đổi thẻ nhớ."),
    "card_went_back": ConditionText(
        "Thẻ nhớ đã trở về trạng thái cũ",
        "Nếu bạn vừa đổi thẻ hoặc chép lại bản sao thì không sao; nếu không, hãy chép video cần giữ rồi thay thẻ mới."),
    "database_damaged": ConditionText(
        "Danh mục video bị hỏng và đã được dựng lại",
        "Máy vẫn ghi hình; nếu việc này lặp lại thì hãy chép các đoạn video cần giữ sang nơi khác và thay thẻ nhớ."),
    "database_unclear": ConditionText(
        "Danh mục video báo lỗi mà không tìm thấy chỗ hỏng",
        "Hãy khởi động lại máy; nếu vẫn như vậy thì gửi nhật ký của máy cho kỹ thuật viên."),
    "database_held": ConditionText(
        "Danh mục video bị một tiến trình chiếm giữ",
        "Máy vẫn ghi hình, nhưng video mới hiện ra sau; hãy khởi động lại máy, nếu còn bị thì báo kỹ thuật viên."),
    "clip_redated": ConditionText(
        "Danh mục video bị sửa sai camera hoặc thời gian",
        "Máy tự sửa lại theo những gì đã ký và không giao ra đoạn nào còn sai; hãy cập nhật máy và báo kỹ thuật viên."),
    "nothing_signed": ConditionText(
        "Đoạn video không được ký xác nhận",
        "Máy vẫn ghi hình, nhưng khoá ký không dùng được: kỹ thuật viên xem nhật ký của taimat-keeper."),
    "card_days_low": ConditionText(
        "Thẻ nhớ sắp đầy",
        "Những đoạn video cũ nhất sẽ sớm bị xoá; hãy dùng thẻ lớn hơn, hoặc giảm số ngày lưu và chất lượng hình."),
    "holds_over": ConditionText(
        "Các đoạn video được giữ chiếm quá nhiều chỗ",
        "Chưa mất đoạn nào, nhưng hình mới còn ít chỗ; hãy bỏ giữ những đoạn không còn cần (taimat clips holds)."),
    "role_restarting": ConditionText(
        "Một phần của máy cứ phải khởi động lại",
        "Hãy khởi động lại máy; nếu vẫn như vậy thì gửi nhật ký của máy cho kỹ thuật viên."),
    "role_not_started": ConditionText(
        "Một phần của máy chưa chạy lần nào",
        "Kỹ thuật viên hãy chạy: sudo systemctl start setup-taimat; lý do: journalctl -u setup-taimat -u taimat-UNIT."),
    "role_down": ConditionText(
        "Một phần của máy đã ngừng chạy",
        "Hãy chờ một phút để máy tự bật lại; nếu không được thì khởi động lại máy."),
    "config_rejected": ConditionText(
        "Cấu hình mới bị từ chối",
        "Máy đang dùng cấu hình đúng gần nhất; hãy sửa dòng được nêu rồi lưu lại."),
    "no_camera": ConditionText(
        "Chưa có camera nào",
        "Máy không ghi gì: hãy thêm [[camera]] vào tệp cấu hình hoặc đặt enabled = true; taimat discover tìm camera."),
    "camera_auth": ConditionText(
        "Camera từ chối mật khẩu",
        "Hãy nhập lại tên đăng nhập và mật khẩu của camera."),
    "camera_certificate": ConditionText(
        "Camera đổi giấy chứng nhận",
        "Nếu vừa thay hoặc đặt lại camera, hãy nhờ kỹ thuật viên xoá tệp được nêu; nếu không, có thể có máy giả mạo."),
    "camera_unreachable": ConditionText(
        "Không kết nối được với camera",
        "Hãy kiểm tra nguồn điện, dây mạng hoặc Wi-Fi của camera, và xem địa chỉ của nó có thay đổi không."),
    "camera_not_found": ConditionText(
        "Không tìm thấy camera",
        "Hãy tắt máy, cắm lại dây camera cho chắc, rồi bật máy lên."),
    "camera_no_frames": ConditionText(
        "Camera không gửi hình",
        "Hãy tắt camera rồi bật lại; máy vẫn tự thử kết nối lại."),
    "camera_frozen": ConditionText(
        "Hình của camera bị đứng",
        "Hãy tắt camera rồi bật lại; nếu hay bị đứng thì kiểm tra nguồn và dây của nó."),
    "camera_tampered": ConditionText(
        "Camera bị che, bị xoay hoặc bị mờ",
        "Hãy xem hình trực tiếp, lau ống kính, chỉnh lại camera; nếu bạn tự xoay nó thì báo này tự hết sau 10 phút."),
    "camera_stream_bad": ConditionText(
        "Luồng hình của camera không đọc được",
        "Hãy kiểm tra địa chỉ luồng hình, và đặt camera ở chế độ nén H.264 hoặc H.265."),
    "encoder_missing": ConditionText(
        "Máy không có bộ nén hình",
        "Hãy chọn độ phân giải thấp hơn, hoặc dùng camera tự nén H.264."),
    "masks_unsafe": ConditionText(
        "Vùng che có thể lộ, nên camera này không ghi",
        "Hãy cập nhật gói python3-picamera2 (0.3.33 trở lên), hoặc bỏ vùng che của camera này."),
    "encoder_failed": ConditionText(
        "Bộ nén hình của máy không chạy",
        "Máy tạm nén bằng phần mềm, nóng và chậm hơn; hãy khởi động lại máy, nếu vẫn vậy thì cập nhật hệ thống."),
    "encoder_reduced": ConditionText(
        "Hình nhỏ hơn mức đã đặt",
        "Máy này không nén kịp hình lớn hơn; hãy đặt ít khung hình mỗi giây hơn, hoặc dùng máy mạnh hơn."),
    "camera_recovering": ConditionText(
        "Máy đang tự cứu camera",
        "Bạn chưa cần làm gì: máy khởi động lại phần ghi hình, rồi trình điều khiển của camera, rồi cả máy."),
    "camera_given_up": ConditionText(
        "Máy không tự cứu được camera",
        "Hãy tắt máy, rút nguồn, cắm lại dây camera cho chắc rồi bật lên; nếu vẫn mất hình thì thay dây hoặc camera."),
    "pause_unreadable": ConditionText(
        "Không đọc được lệnh tạm dừng camera",
        "Để giữ sự riêng tư, mọi camera đang tắt; hãy cho camera chạy lại, và kiểm tra thẻ nhớ nếu việc này lặp lại."),
    "hours_unknown": ConditionText(
        "Chưa thể tắt camera theo giờ đã hẹn",
        "Đồng hồ chưa chắc đúng nên camera giữ như trước; hãy nối máy với mạng một lần, hoặc gắn đồng hồ có pin."),
    "camera_slow": ConditionText(
        "Hình bị giật, thiếu khung hình",
        "Hãy giảm độ phân giải hoặc số khung hình mỗi giây của camera."),
    "not_recording": ConditionText(
        "Máy không ghi được hình",
        "Hãy kiểm tra thẻ nhớ, rồi khởi động lại máy."),
    "picture_too_large": ConditionText(
        "Hình của camera quá lớn, máy không phân tích được",
        "Máy vẫn ghi hình, nhưng thiếu chuyển động hoặc ảnh; hãy giảm độ phân giải, hoặc khai báo luồng phụ (sub)."),
    "motion_blind": ConditionText(
        "Không phát hiện được chuyển động",
        "Hãy kiểm tra luồng hình phụ của camera, hoặc chuyển sang chế độ ghi liên tục."),
    "broker_unreachable": ConditionText(
        "Không liên lạc được với phường",
        "Máy vẫn ghi hình và sẽ gửi tin sau; hãy kiểm tra mạng, hoặc hỏi kỹ thuật viên của phường."),
    "broker_refused": ConditionText(
        "Máy chủ của phường từ chối kết nối",
        "Hãy nhờ kỹ thuật viên của phường kiểm tra giấy chứng nhận và quyền truy cập của máy này."),
    "notifications_wait": ConditionText(
        "Thông báo không gửi được tới điện thoại",
        "Hãy mở Cài đặt > Thông báo trên trang của máy: ở đó có ghi lý do và nút gửi thử; không sự kiện nào bị mất."),
    "outbox_growing": ConditionText(
        "Nhiều tin chưa gửi được",
        "Tin vẫn được giữ trên máy và sẽ tự gửi đi; hãy kiểm tra tốc độ mạng."),
}

EN = {
    "power_low": ConditionText(
        "Power supply too weak",
        "Use the original power supply and a short, thick cable, and unplug USB devices you don't need."),
    "power_was_low": ConditionText(
        "Power was too weak for a while",
        "Keep an eye on it; if this comes back, replace the power supply and its cable."),
    "hot": ConditionText(
        "Too hot",
        "Move the device to an airy place out of the sun, or fit a heat sink."),
    "throttled": ConditionText(
        "Slowed down to protect itself",
        "Cool the device and check its power supply, because a slow device may drop pictures."),
    "memory_low": ConditionText(
        "Memory (RAM) is running out",
        "Stop other programs on the device, or use fewer cameras or a lower resolution."),
    "memory_unlimited": ConditionText(
        "Memory limits are off",
        "A technician should install taimat-board (sudo apt install taimat-board) and restart the device."),
    "watchdog_reset": ConditionText(
        "The device hung and restarted itself",
        "If this happens again, check the power supply and the card, and tell a technician."),
    "clock_unset": ConditionText(
        "Clock not set",
        "Connect the device to the network once, or fit a clock with a battery; it records meanwhile."),
    "network_down": ConditionText(
        "No network",
        "Check the Wi-Fi router and the network cable; recordings stay safe on the device's card."),
    "card_missing": ConditionText(
        "Recording card or disk not found",
        "Plug the card or disk in firmly and restart the device."),
    "card_hung": ConditionText(
        "The card does not answer",
        "Restart the device, unless it does so by itself within minutes; if that does not help, replace the card."),
    "card_io": ConditionText(
        "The card is failing",
        "Copy the recordings you need to another place and replace the card soon."),
    "card_read_only": ConditionText(
        "The card can be read but not written",
        "Restart the device; if that does not help, replace the card."),
    "card_given_up": ConditionText(
        "The card could not be revived",
        "Replace the card; until then unplug the device and plug it in again once, which sometimes brings it back."),
    "card_full": ConditionText(
        "The card is full",
        "Delete other files on it, release recordings you no longer need to keep, or use a larger card."),
    "inodes_low": ConditionText(
        "Too many files on the card",
        "Delete files that are not the recorder's, above all small ones."),
    "card_drops_writes": ConditionText(
        "The card does not keep what is written to it",
        "Copy the recordings you need to another place and replace the card now: a restart loses what is new on it."),
    "card_ends": ConditionText(
        "The card is nearing its end",
        "Buy a high-endurance card of its size or larger and move to it this week: see Change the card in the guide."),
    "card_went_back": ConditionText(
        "The card is as it was at an earlier time",
        "If you changed the card or wrote back a copy of it, all is well; if not, copy what you need and replace it."),
    "database_damaged": ConditionText(
        "The list of recordings was damaged and rebuilt",
        "Recording goes on; if it happens again, copy the recordings you need to another place and replace the card."),
    "database_unclear": ConditionText(
        "The list of recordings gives unexplained errors",
        "Restart the device; if that does not help, send its journal to a technician."),
    "database_held": ConditionText(
        "A process holds the list of recordings",
        "Recording goes on, but new recordings are listed later; restart the device, else tell a technician."),
    "clip_redated": ConditionText(
        "Recordings were listed with a wrong camera or time",
        "What is signed is put right, and what stays wrong is not handed out: update it and tell a technician."),
    "nothing_signed": ConditionText(
        "Recordings are not being signed",
        "Recording goes on, but the signing key can't be used: a technician looks at the journal of taimat-keeper."),
    "card_days_low": ConditionText(
        "The card will soon be full",
        "The oldest recordings will soon be deleted; use a larger card, or keep fewer days or a lower quality."),
    "holds_over": ConditionText(
        "Recordings on hold take too much room",
        "None is lost, but little room is left for new ones: release those no longer needed (taimat clips holds)."),
    "role_restarting": ConditionText(
        "A part of the recorder keeps restarting",
        "Restart the device; if that does not help, send its log to a technician."),
    "role_not_started": ConditionText(
        "A part of the recorder was never started",
        "Run: sudo systemctl start setup-taimat; if that does not help: journalctl -u setup-taimat -u taimat-UNIT."),
    "role_down": ConditionText(
        "A part of the recorder has stopped",
        "Wait a minute for it to come back; if it does not, restart the device."),
    "config_rejected": ConditionText(
        "New settings were refused",
        "The last good settings are in use; correct the line that is named and save again."),
    "no_camera": ConditionText(
        "No camera is set up",
        "Nothing is recorded: add a [[camera]] to the configuration, or enable one; taimat discover finds cameras."),
    "camera_auth": ConditionText(
        "The camera refuses the password",
        "Enter the camera's user name and password again."),
    "camera_certificate": ConditionText(
        "The camera shows another certificate than before",
        "If it was replaced or reset, have the file that is named removed; if not, something may pose as the camera."),
    "camera_unreachable": ConditionText(
        "The camera can't be reached",
        "Check the camera's power and its network cable or Wi-Fi, and whether its address has changed."),
    "camera_not_found": ConditionText(
        "Camera not found",
        "Switch the device off, plug the camera's cable in firmly, and switch it on again."),
    "camera_no_frames": ConditionText(
        "The camera sends no picture",
        "Switch the camera off and on again; the recorder keeps trying."),
    "camera_frozen": ConditionText(
        "The camera's picture is frozen",
        "Switch the camera off and on again; if it happens often, check its power and its cable."),
    "camera_tampered": ConditionText(
        "The camera is covered, turned or blurred",
        "Look at its live picture, clean its lens, turn it back; if you turned it yourself, this goes in 10 minutes."),
    "camera_stream_bad": ConditionText(
        "The camera's stream can't be read",
        "Check the stream's address, and set the camera to H.264 or H.265."),
    "encoder_missing": ConditionText(
        "This device has no video encoder",
        "Choose a lower resolution, or use a camera that sends H.264 itself."),
    "masks_unsafe": ConditionText(
        "Masks may not hold: this camera is not recorded",
        "Update the package python3-picamera2 (to 0.3.33 or newer), or remove this camera's masks."),
    "encoder_failed": ConditionText(
        "The device's own video encoder does not work",
        "Software encodes instead, hotter and slower; restart the device, and if it comes back update the system."),
    "encoder_reduced": ConditionText(
        "The picture is smaller than set",
        "This device can't encode a larger one in time; set fewer pictures per second, or use a faster device."),
    "camera_recovering": ConditionText(
        "The recorder is reviving the camera",
        "Nothing to do yet: it restarts its own part, then the camera's driver, then the whole device."),
    "camera_given_up": ConditionText(
        "The camera could not be revived",
        "Unplug the device, seat the camera's cable firmly and plug it in again, or else replace cable or camera."),
    "pause_unreadable": ConditionText(
        "What is paused can't be read",
        "To be safe all cameras see nothing; resume them, and check the card if this happens again."),
    "hours_unknown": ConditionText(
        "The camera's weekly hours can't be kept",
        "The clock may be wrong, so it stays as it was; connect the network once, or fit a clock with a battery."),
    "camera_slow": ConditionText(
        "The picture stutters",
        "Lower the camera's resolution or its pictures per second."),
    "not_recording": ConditionText(
        "Not recording",
        "Check the card, then restart the device."),
    "picture_too_large": ConditionText(
        "The camera's picture is too large to be looked at",
        "It is recorded, but motion or stills are missing; lower its resolution, or set its small stream as sub."),
    "motion_blind": ConditionText(
        "Motion can't be detected",
        "Check the camera's second stream, or switch to recording all the time."),
    "broker_unreachable": ConditionText(
        "The ward can't be reached",
        "Recording goes on and messages are sent later; check the network, or ask the ward's technician."),
    "broker_refused": ConditionText(
        "The ward's server refuses this device",
        "Ask the ward's technician to check this device's certificate and permissions."),
    "notifications_wait": ConditionText(
        "Notifications do not reach a phone",
        "Open Settings > Notifications on the recorder's page: it says why, and has a button to try; nothing is lost."),
    "outbox_growing": ConditionText(
        "Many messages are waiting to be sent",
        "They are kept on the device and go out by themselves; check how fast the network is."),
}

TEXTS = {"vi": VI, "en": EN}


UNIT = "taimat-UNIT"        # in a remedy: stands for the systemd unit


def text(code: str, language: str, unit: str | None = None) -> ConditionText:
    """Returns the texts for `code` in `language` ("vi" or "en"). `unit` is the process, as in its heartbeat. Raises
    KeyError for an unknown code or language."""
    said = TEXTS[language][code]
    return said if unit is None else said._replace(remedy=said.remedy.replace(UNIT, _service(unit)))


def _service(unit: str) -> str:
    """The process of all network cameras is not an instance of the unit for a single camera."""
    return "taimat-capture-network" if unit == "capture@network" else f"taimat-{unit}"
