"""Names one event by its looks: `python -m agent.footage.event_label`, a question in, an answer out, and the end.

A process of its own: it decodes strangers' video and holds the model only for as long as that takes. It opens no
recording, no key and no database; the packets come at stdin, of those that the recorder held in memory.
"""
import resource
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import cv2
import msgspec

from agent.core.contract.label_question import LabelAnswer, ShownLook, encode, question_of
from agent.core.vision.label import CutOut, Scores, cut_out, model_input, scores_of, word_for
from agent.footage.still import last_picture
from agent.host.prctl import step_back
from agent.host.weights import weights

QUESTION_B_MAX = 32 << 20
MEMORY_B = 700 << 20        # of addresses; libraries and model map half of that
CPU_S = 60
ANSWERS = ("raw_outputs/class_predictions", "raw_outputs/box_encodings")       # the model's names for them


def scores(file: Path, parts: Iterable[CutOut]) -> Iterator[Scores]:
    """What the model says of each cut-out. Raises cv2.error for a file that is no such model."""
    cv2.setNumThreads(1)
    net = cv2.dnn.readNetFromTFLite(str(file), cv2.dnn.ENGINE_CLASSIC)      # the new one gives one answer at a time
    for part in parts:
        net.setInput(model_input(part.picture))
        logits, places = net.forward(ANSWERS)
        yield scores_of(logits[0], places[0], part.edges)


def cut_outs(looks: Iterable[ShownLook]) -> Iterator[CutOut]:
    """That of each look that can be decoded."""
    for look in looks:
        picture = last_picture(look.info, look.packets)
        if picture is not None:
            yield cut_out(picture.to_ndarray(format="bgr24"), look.box)


def main() -> int:
    """The process's work. Returns the exit code."""
    step_back()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_B, MEMORY_B))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    file = weights()
    if file is None:
        print("event label: no weights here", file=sys.stderr)
        return 1
    try:
        question = question_of(sys.stdin.buffer.read(QUESTION_B_MAX))
        said = list(scores(file, list(cut_outs(question.looks))))
    except (av.FFmpegError, cv2.error, msgspec.DecodeError, ValueError, MemoryError) as error:
        print(f"event label: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(encode(LabelAnswer(label=word_for(said) if said else None)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
