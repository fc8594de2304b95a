"""Labels finished events, one at a time: a thread of capture asks another process, and waits.

That process (agent/helpers/event_label.py) decodes and looks; capture only sends the packets that it kept for this. On
a device, systemd starts it in a unit with limits of its own (systemd/label-taimat.socket); elsewhere capture does.
"""
import logging
import os
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import msgspec

from agent.capture.writer_jobs import BestLook
from agent.core.contract.helper_messages import LabelAnswer, LabelQuestion, ShownLook, label_answer, label_message
from agent.core.household import labels
from agent.core.household.labels import EventWord, Hindrance, WordLack
from agent.core.media.model import Box
from agent.host.probes import kernel
from agent.host.weights import words_lack

SOCKET = "label/desk.sock"      # in the runtime folder; systemd listens there
PROGRAM = "agent.helpers.event_label"
TIMEOUT_S = 120.0               # the process has the lowest priority
ANSWER_B_MAX = 4096

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class LabelTask:
    """An event to label. The labeller's thread calls `done` once, with None for no label, unless it is not `wanted`."""

    looks: Sequence[BestLook]
    done: Callable[[EventWord | None], object]
    camera: str = ""
    event: int | None = None        # its number, if the database has taken it by now
    wanted: Callable[[], bool] = lambda: True
    tries_n: int = 0

    @property
    def size_b(self) -> int:
        return sum(map(_video_b, self.looks))


def _video_b(look: BestLook) -> int:
    return sum(len(packet.data) for packet in look.packets)


class Labeller:
    """One for a process. Its thread lives while an event waits."""

    def __init__(self, runtime: Path, root: Path = Path("/"), retry_s: float = labels.RETRY_S) -> None:
        """`root` is the machine whose memory, load and temperature are checked, again after each `retry_s`."""
        self._door, self._root, self._retry_s = runtime / SOCKET, root, retry_s
        self._tasks: deque[LabelTask] = deque()     # the oldest first
        self._lock, self._came = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, task: LabelTask) -> bool:
        """Queues an event; whether that is possible. Its task is then called later, perhaps with None.

        Looks with too much video are dropped. The newest event is looked at first; if too many wait, the oldest lose
        looks and then are given up.
        """
        sizes_b = accumulate(map(_video_b, task.looks))
        looks = [look for look, size_b in zip(task.looks, sizes_b, strict=True) if size_b <= labels.TASKS_MAX_B]
        if not looks or self.lack:
            return False
        task = replace(task, looks=looks)
        with self._lock:
            self._tasks = deque([*(waiting for waiting in self._tasks if waiting.wanted()), task])
            given_up = list(self._shortened())
            if self._thread is None and self._tasks:
                self._thread = threading.Thread(target=self._work, name="labeller", daemon=True)
                self._thread.start()
        self._came.set()
        for oldest in given_up:
            oldest.done(None)
        return True

    def _shortened(self) -> Iterator[LabelTask]:
        """Shortens what waits to the limits. Yields the events that have to be given up."""
        for number, task in enumerate(self._tasks):
            if self._size_b <= labels.TASKS_MAX_B:
                break
            self._tasks[number] = replace(task, looks=task.looks[:labels.FEW_LOOKS_N])
        while len(self._tasks) > labels.TASKS_MAX or self._size_b > labels.TASKS_MAX_B:
            yield self._tasks.popleft()

    @property
    def _size_b(self) -> int:
        return sum(task.size_b for task in self._tasks)

    @property
    def lack(self) -> WordLack | None:
        """Returns why no event gets a label here. On a device, capture has no memory to start the process itself."""
        reachable = self._door.exists() or "NOTIFY_SOCKET" not in os.environ
        return words_lack() or (None if reachable else "no_door")

    def _work(self) -> None:
        while (task := self._next()) is not None:
            answer = self._answer(task)
            if answer is None and task.tries_n < labels.TRIES_MAX:
                with self._lock:
                    self._tasks.append(replace(task, tries_n=task.tries_n + 1))
                self._came.wait(self._retry_s)
            else:
                task.done(answer.label if answer else None)

    def _next(self) -> LabelTask | None:
        """Waits until the machine has room. Returns the newest event then; None if none waits any more."""
        while True:
            self._came.clear()
            why = self._hindrance()
            with self._lock:
                while self._tasks and not self._tasks[-1].wanted():
                    self._tasks.pop()
                if not self._tasks:
                    self._thread = None
                    return None
                if why is None:
                    return self._tasks.pop()
            _log.debug("%d events wait for a label: %s", len(self._tasks), why)
            self._came.wait(self._retry_s)

    def _hindrance(self) -> Hindrance | None:
        free_b, _ = kernel.memory_b(self._root)
        return labels.hindrance(free_b, kernel.load1(self._root), os.cpu_count() or 1, kernel.temperature_c(self._root))

    def _answer(self, task: LabelTask) -> LabelAnswer | None:
        """Returns None if the process was busy with another question, or ended without an answer."""
        looks = [ShownLook(info=look.info, packets=list(look.packets), box=Box(*look.boxes[0]))
                 for look in task.looks if look.info is not None]
        question = label_message(LabelQuestion(looks=looks))
        import subprocess
        try:
            answer = ask_at(self._door, question) if self._door.exists() else _ask_child(question)
            return label_answer(answer)
        except (OSError, subprocess.SubprocessError, msgspec.DecodeError) as error:
            _log.warning("a look at an event of %s failed: %s", task.camera, error, extra={"EVENT": task.event})
            return None


def ask_at(door: Path, question: bytes) -> bytes:
    """Asks the process that systemd starts. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as asker:
        asker.settimeout(TIMEOUT_S)
        asker.connect(str(door))
        asker.sendall(question)
        asker.shutdown(socket.SHUT_WR)
        data = b""
        while (piece := asker.recv(ANSWER_B_MAX)) and len(data) < ANSWER_B_MAX:
            data += piece
        return data


def _ask_child(question: bytes) -> bytes:
    """Raises OSError and subprocess.SubprocessError."""
    import subprocess
    done = subprocess.run([sys.executable, "-P", "-m", PROGRAM], input=question, stdout=subprocess.PIPE,
                          timeout=TIMEOUT_S, check=True)
    return done.stdout
