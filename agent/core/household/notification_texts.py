"""The texts of a notification, in Vietnamese and English. Pure: the caller passes local times."""
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

from agent.core.household.notifications import Notification

Language = Literal["vi", "en"]
LocalTime = Callable[[int], datetime]       # of a wall time in milliseconds

TEXTS: dict[Language, dict[str, str]] = {
    "vi": {
        "motion": "Chuyển động ở {camera}", "person": "Có người ở {camera}", "vehicle": "Có xe ở {camera}",
        "animal": "Có con vật ở {camera}", "other": "Sự kiện ở {camera}", "covered": "{camera}: camera bị che",
        "sprayed": "{camera}: camera bị xịt bẩn", "moved": "{camera}: camera bị xoay",
        "defocused": "{camera}: camera bị mất nét", "blinded": "{camera}: camera bị chói sáng",
        "frozen": "{camera}: hình bị đứng",
        "at": "Lúc {time}.", "in_zone": "Lúc {time}, vùng {zones}.", "more": "Thêm {n} sự kiện từ {since}: {where}.",
        "late": "{n} sự kiện từ {since} đến {time}", "where": "{where}. Mới nhất: {newest}.",
        "trial": "Thông báo thử", "trial_body": "Điện thoại này sẽ nhận được thông báo của {recorder}.",
        "recorder": "máy ghi hình",
    },
    "en": {
        "motion": "Movement at {camera}", "person": "A person at {camera}", "vehicle": "A vehicle at {camera}",
        "animal": "An animal at {camera}", "other": "Event at {camera}", "covered": "{camera}: the camera is covered",
        "sprayed": "{camera}: the camera is sprayed", "moved": "{camera}: the camera was turned",
        "defocused": "{camera}: the camera is out of focus", "blinded": "{camera}: the camera is blinded",
        "frozen": "{camera}: the picture stands still",
        "at": "At {time}.", "in_zone": "At {time}, in {zones}.", "more": "{n} more since {since}: {where}.",
        "late": "{n} events from {since} to {time}", "where": "{where}. The newest: {newest}.",
        "trial": "A trial", "trial_body": "This is where notifications of {recorder} will come.",
        "recorder": "the recorder",
    },
}


def told(message: Notification, labels: Mapping[str, str], language: Language, local: LocalTime,
         now_ms: int) -> tuple[str, str]:
    """Returns title and body. `labels` has the cameras' titles. A time of another day gets its date."""
    words, newest = TEXTS[language], message.newest
    newest_told = words.get(newest.code or newest.label or "", words.get(newest.kind, words["other"])).format(
        camera=labels.get(newest.camera, newest.camera))
    time, since = (_time(local(ms), local(now_ms)) for ms in (newest.wall_ms, message.since_ms))
    counts = message.more.copy()
    if message.is_late and counts:
        counts[newest.camera] += 1
        title = words["late"].format(n=message.events_n, since=since, time=time)
        return title, words["where"].format(where=_where(counts, labels), newest=newest_told)
    body = words["in_zone" if newest.zones else "at"].format(time=time, zones=", ".join(newest.zones))
    if counts:
        body += " " + words["more"].format(n=counts.total(), since=since, where=_where(counts, labels))
    return newest_told, body


def trial(recorder: str, language: Language) -> tuple[str, str]:
    """Returns title and body of a trial message. `recorder` is the recorder's title, or ""."""
    words = TEXTS[language]
    return words["trial"], words["trial_body"].format(recorder=recorder or words["recorder"])


def _where(counts: Mapping[str, int], labels: Mapping[str, str]) -> str:
    most_first = sorted(counts.items(), key=lambda each: -each[1])
    return ", ".join(f"{labels.get(camera, camera)} {n}" for camera, n in most_first)


def _time(moment: datetime, now: datetime) -> str:
    return moment.strftime("%H:%M" if moment.date() == now.date() else "%H:%M (%d/%m)")
