"""Names one event by its pictures: `python -m agent.helpers.event_label` reads a question, answers it and ends.

A process of its own, because it decodes untrusted video and needs the model's memory only for a moment. It opens no
recording, key or database: the recorder sends the packets to its stdin.
"""
import resource
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import cv2
import msgspec
import numpy as np

from agent.core.contract.helper_messages import LabelAnswer, ShownLook, label_message, label_question
from agent.core.media.model import Box
from agent.core.vision.label import SIDE_PX, CutOut, Scores, edges_in, model_input, part_around, scores_of, word_for
from agent.core.vision.network import outputs
from agent.core.vision.tflite import network
from agent.footage.film import last_picture
from agent.host.decoder import part_of
from agent.host.prctl import step_back
from agent.host.weights import weights

QUESTION_B_MAX = 32 << 20
MEMORY_B = 512 << 20        # of private memory; OpenBLAS reserves most of it, and 50 MB are used
CPU_S = 60


def scores(file: Path, parts: Iterable[CutOut]) -> Iterator[Scores]:
    """Yields the model's scores for each cut-out. Raises ValueError if the file is not such a model."""
    cv2.setNumThreads(1)
    model = network(np.memmap(file, np.uint8, "r"))
    for part in parts:
        places, logits = outputs(model, model_input(part.picture))
        yield scores_of(logits, places, part.edges)


def _decoded(look: ShownLook) -> CutOut | None:
    picture = last_picture(look.info, look.packets)
    return None if picture is None else cut_out(picture, look.box)


def cut_out(picture: av.VideoFrame, box: Box) -> CutOut:
    """Cuts the box and its surroundings out. Only that part is converted: a whole picture of 4K would take 25 MB."""
    part = part_around(box, picture.width, picture.height)
    pixels = part_of(picture, *part).reformat(SIDE_PX, SIDE_PX, "rgb24").to_ndarray()
    return CutOut(pixels, edges_in(part, box, picture.width, picture.height))


def main() -> int:
    step_back()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_B, MEMORY_B))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    file = weights()
    if file is None:
        print("event label: no weights here", file=sys.stderr)
        return 1
    try:
        question = label_question(sys.stdin.buffer.read(QUESTION_B_MAX))
        found = list(scores(file, filter(None, map(_decoded, question.looks))))
    except (av.FFmpegError, cv2.error, msgspec.DecodeError, ValueError, MemoryError) as error:
        print(f"event label: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(label_message(LabelAnswer(label=word_for(found) if found else None)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
