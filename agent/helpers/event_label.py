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

from agent.core.contract.helper_messages import LabelAnswer, ShownLook, label_message, label_question
from agent.core.vision.label import CutOut, Scores, cut_out, model_input, scores_of, word_for
from agent.footage.film import last_picture
from agent.host.prctl import step_back
from agent.host.weights import weights

QUESTION_B_MAX = 32 << 20
MEMORY_B = 700 << 20        # of address space; libraries and the model map half of it
CPU_S = 60
ANSWERS = ("raw_outputs/class_predictions", "raw_outputs/box_encodings")       # the model's names for them


def scores(file: Path, parts: Iterable[CutOut]) -> Iterator[Scores]:
    """Yields the model's scores for each cut-out. Raises cv2.error if the file is not such a model."""
    cv2.setNumThreads(1)
    net = cv2.dnn.readNetFromTFLite(str(file), cv2.dnn.ENGINE_CLASSIC)      # the new engine gives one answer at a time
    for part in parts:
        net.setInput(model_input(part.picture))
        logits, places = net.forward(ANSWERS)
        yield scores_of(logits[0], places[0], part.edges)


def cut_outs(looks: Iterable[ShownLook]) -> Iterator[CutOut]:
    for look in looks:
        picture = last_picture(look.info, look.packets)
        if picture is not None:
            yield cut_out(picture.to_ndarray(format="bgr24"), look.box)


def main() -> int:
    step_back()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_B, MEMORY_B))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    file = weights()
    if file is None:
        print("event label: no weights here", file=sys.stderr)
        return 1
    try:
        question = label_question(sys.stdin.buffer.read(QUESTION_B_MAX))
        found = list(scores(file, list(cut_outs(question.looks))))
    except (av.FFmpegError, cv2.error, msgspec.DecodeError, ValueError, MemoryError) as error:
        print(f"event label: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(label_message(LabelAnswer(label=word_for(found) if found else None)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
