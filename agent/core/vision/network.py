"""Computes a network's outputs for one picture. Pure.

cv2.dnn is twice as fast, but holds all weights twice in full precision: 65 MB. Here they are converted step by step and
nothing is kept longer than needed: 16 MB. OpenCV 5.0 also reads this model's boxes in a wrong order.
"""
from collections.abc import Iterator

import cv2
import numpy as np

from agent.core.vision.tflite import Network, Operation

KERNEL = 3                  # side of all convolutions but those of single pixels


def outputs(network: Network, picture: np.ndarray) -> list[np.ndarray]:
    """Returns the network's outputs in its order. `picture` is (height, width, channels) of float32. Raises ValueError
    and cv2.error if the shapes do not fit."""
    values = {network.input: picture}
    last_use = {number: step for step in network.steps for number in step.inputs}
    for step in network.steps:
        values[step.output] = _done(step, network, values)
        for number in {*step.inputs} - {*network.outputs}:
            if last_use[number] is step:
                values.pop(number, None)
    return [values[number] for number in network.outputs]


def _done(step: Operation, network: Network, values: dict[int, np.ndarray]) -> np.ndarray:
    first = values[step.inputs[0]]
    match step.kind:
        case "add":
            return first + values[step.inputs[1]]
        case "concat":
            return np.concatenate([values[number] for number in step.inputs])
        case "reshape":
            return first.reshape(step.shape)
    kernel, bias = (network.weights[number].astype(np.float32) for number in step.inputs[1:])
    if step.kind == "convolve" and kernel.shape[1] == 1:
        done = _mixed(first, kernel[:, 0, 0]).reshape(step.shape)
    else:
        done = np.zeros(step.shape, np.float32)
        for at, part, weights in _overlaid(first, kernel, done, step.stride):
            done[at] += part * weights if step.kind == "depthwise" else _mixed(part, weights)
    done += bias
    return np.clip(done, 0, 6, out=done) if step.clipped else done


def _mixed(picture: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Multiplies each pixel's channels by `weights` (new channels, channels). NumPy may be far slower."""
    *shape, channels = picture.shape
    flat = np.ascontiguousarray(picture).reshape(-1, channels)
    return cv2.gemm(flat, np.ascontiguousarray(weights), 1, None, 0, flags=cv2.GEMM_2_T).reshape(*shape, -1)


def _overlaid(picture: np.ndarray, kernel: np.ndarray, done: np.ndarray,
              stride: int) -> Iterator[tuple[tuple[slice, slice], np.ndarray, np.ndarray]]:
    """Yields for each of the kernel's places: where it adds to `done`, the pixels that it reads, and its weights."""
    high, wide = picture.shape[:2]
    for row in range(KERNEL):
        for column in range(KERNEL):
            (down, y), (right, x) = (_span(size, across, at, stride) for size, across, at in (
                (high, done.shape[0], row), (wide, done.shape[1], column)))
            if (part := picture[y, x]).size:
                yield (down, right), part, kernel[:, row, column]


def _span(size: int, across: int, at: int, stride: int) -> tuple[slice, slice]:
    """Returns which of `across` places read a pixel within `size` at this place of the kernel, and which pixels."""
    shift = at - max((across - 1) * stride + KERNEL - size, 0) // 2
    first, last = max(-(shift // stride), 0), min((size - 1 - shift) // stride, across - 1)
    return slice(first, last + 1), slice(first * stride + shift, last * stride + shift + 1, stride)
