"""The labels' network: its file is read, and its outputs are those of another implementation and lie where things are.
"""
import contextlib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.media.model import Box
from agent.core.vision.label import SIDE_PX, WORD_OF, boxes_of, edges_in, model_input, part_around
from agent.core.vision.network import outputs
from agent.core.vision.tflite import Network, Operation, network
from agent.helpers.event_label import cut_out
from scripts.packaging import weights
from tests.rigs.cameras import footage

WALKER_AT, WALKER = 100, Box(590 / 768, 153 / 576, 27 / 768, 80 / 576)     # a picture of the yard, and somebody in it
PERSON = next(number for number, word in WORD_OF.items() if word == "person")
sizes, strides = st.integers(1, 9), st.integers(1, 2)


@pytest.fixture(scope="module")
def file() -> Path:
    """The model that the package brings."""
    try:
        return next(weights.fetched().rglob("*.tflite"))
    except weights.NoWeights as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def model(file: Path) -> Network:
    return network(np.memmap(file, np.uint8, "r"))


@pytest.fixture(scope="module")
def yard() -> av.VideoFrame:
    if footage.original().stem != "vtest":
        pytest.skip("no real footage here")
    with av.open(str(footage.original())) as film:
        return next(frame for number, frame in enumerate(film.decode(video=0)) if number == WALKER_AT)


def logistic(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values.astype(float)))


def test_the_outputs_are_those_of_opencv(file: Path, model: Network, yard: av.VideoFrame):
    picture = cut_out(yard, WALKER).picture
    places, logits = outputs(model, model_input(picture))
    other = cv2.dnn.readNetFromTFLite(str(file), cv2.dnn.ENGINE_CLASSIC)
    other.setInput(cv2.dnn.blobFromImage(picture, 1 / 127.5, (SIDE_PX, SIDE_PX), (127.5, 127.5, 127.5)))
    their_logits, their_places = other.forward(("raw_outputs/class_predictions", "raw_outputs/box_encodings"))
    assert np.abs(logits - their_logits[0]).max() < 1e-3
    # OpenCV 5.0 has the same places in another order, which is wrong: see the next test
    assert np.abs(np.sort(places, axis=None) - np.sort(their_places, axis=None)).max() < 1e-3


def test_the_likeliest_box_is_around_the_person(model: Network, yard: av.VideoFrame):
    for shift in (-0.02, 0.0, 0.02):
        around = Box(WALKER.x + shift, WALKER.y + shift, WALKER.w, WALKER.h)
        places, logits = outputs(model, model_input(cut_out(yard, around).picture))
        part = part_around(around, yard.width, yard.height)
        likeliest = boxes_of(places)[logits[:, PERSON].argmax()]
        assert likeliest == pytest.approx(edges_in(part, WALKER, yard.width, yard.height), abs=0.06)


@given(sizes, sizes, strides, st.booleans())
def test_a_convolution_is_the_sum_over_the_pixels_around(high: int, wide: int, stride: int, depthwise: bool):
    seeded = np.random.default_rng(high * 100 + wide * 10 + stride)
    picture = seeded.normal(size=(high, wide, 2)).astype(np.float32)
    kernel = seeded.normal(size=(1 if depthwise else 3, 3, 3, 2)).astype(np.float16)
    shape = (-(-high // stride), -(-wide // stride), 2 if depthwise else 3)
    step = Operation("depthwise" if depthwise else "convolve", (0, 1, 2), 3, shape, stride)
    made = Network([step], {1: kernel, 2: np.zeros(shape[2], np.float16)}, 0, [3])
    done, = outputs(made, picture)
    before = [max((across - 1) * stride + 3 - size, 0) // 2 for across, size in zip(shape, (high, wide), strict=False)]
    padded = np.pad(picture, ((before[0], 3), (before[1], 3), (0, 0)))
    for row, column in np.ndindex(shape[:2]):
        around = padded[row * stride:row * stride + 3, column * stride:column * stride + 3]
        wanted = (around * kernel[0]).sum(axis=(0, 1)) if depthwise else (around * kernel).sum(axis=(1, 2, 3))
        assert done[row, column] == pytest.approx(wanted, abs=1e-2)


def test_what_is_used_twice_is_there_twice_and_is_cut_off_at_six():
    picture = np.array([[[-3.0, 9.0]]], np.float32)
    one = np.array([[[[1, 0]]], [[[0, 1]]]], np.float16)
    steps = [Operation("convolve", (0, 1, 2), 3, (1, 1, 2), clipped=True), Operation("add", (3, 0), 4, (1, 1, 2)),
             Operation("concat", (3, 4), 5, (2, 1, 2)), Operation("reshape", (5,), 6, (4,))]
    done, before = outputs(Network(steps, {1: one, 2: np.zeros(2, np.float16)}, 0, [6, 4]), picture)
    assert done.tolist() == [0, 6, -3, 15] and before.tolist() == [[[-3, 15]]]


@given(st.binary(max_size=200))
def test_other_files_are_refused(data: bytes):
    with pytest.raises(ValueError, match="no network"):
        network(np.frombuffer(data, np.uint8))


@settings(max_examples=30)
@given(st.data())
def test_a_damaged_file_is_refused_or_read(file: Path, data: st.DataObject):
    head = bytearray(file.read_bytes())
    for _ in range(3):
        head[data.draw(st.integers(0, len(head) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        assert network(np.frombuffer(head, np.uint8)).steps
