"""What the device's parts are called in Home Assistant, in the household's language."""
VI = {"motion": "chuyển động", "recording": "đang ghi", "problem": "sự cố", "pause": "tạm dừng", "snapshot": "ảnh",
      "health": "Tình trạng", "temperature": "Nhiệt độ", "free": "Chỗ trống", "kept": "Số ngày lưu",
      "update": "Phiên bản", "good": "Mọi thứ đều ổn"}
EN = {"motion": "motion", "recording": "recording", "problem": "problem", "pause": "paused", "snapshot": "picture",
      "health": "Health", "temperature": "Temperature", "free": "Free space", "kept": "Days kept",
      "update": "Software", "good": "Everything is fine"}
NAMES = {"vi": VI, "en": EN}
