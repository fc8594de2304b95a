"""Reads a neural network from a TensorFlow Lite file: its steps and where its weights are. Pure.

It knows what an SSD on MobileNet with weights of half precision consists of, and nothing else. The format is
FlatBuffers (google.github.io/flatbuffers) with the tables of TensorFlow's schema.fbs; the numbers of fields are theirs.
"""
import struct
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

Kind = Literal["add", "concat", "convolve", "depthwise", "reshape"]
KINDS: Mapping[int, Kind] = {0: "add", 2: "concat", 3: "convolve", 4: "depthwise", 22: "reshape"}
WIDEN = 6                   # a step that converts weights to full precision
OPTIONS, STRIDE, RELU6 = 4, 1, 3        # fields of an operator and of its options; an activation
ACTIVATION_AT: Mapping[Kind, int] = {"convolve": 3, "depthwise": 4}     # field of the options


class Operation(NamedTuple):
    """One operation. Tensors have numbers; `shape` is that of the output, without the batch."""

    kind: Kind
    inputs: Sequence[int]
    output: int
    shape: Sequence[int]
    stride: int = 1
    clipped: bool = False       # to 0..6


class Network(NamedTuple):
    """Its steps in order. `weights` are views of the file, so the kernel keeps only the pages that a step reads."""

    steps: Sequence[Operation]
    weights: Mapping[int, np.ndarray]
    input: int
    outputs: Sequence[int]


class _Table:
    """A FlatBuffers table. A field that is absent has its default."""

    def __init__(self, data: np.ndarray, at: int) -> None:
        self._data, self._begin = data, at

    def number(self, field: int, form: str = "i") -> int:
        at = self._place(field)
        return self._read(form, at) if at else 0

    def table(self, field: int) -> "_Table":
        at = self._place(field)
        return _Table(self._data, at + self._read("I", at))

    def tables(self, field: int) -> "list[_Table]":
        return [_Table(self._data, at + self._read("I", at)) for at in self._items(field, 4)]

    def numbers(self, field: int) -> list[int]:
        return [self._read("i", at) for at in self._items(field, 4)]

    def halves(self, field: int) -> np.ndarray:
        items = self._items(field, 1)
        return self._data[items.start:items.stop].view(np.float16)

    def _items(self, field: int, size_b: int) -> range:
        if not (at := self._place(field)):
            return range(0)
        at += self._read("I", at)
        return range(at + 4, at + 4 + self._read("I", at) * size_b, size_b)

    def _place(self, field: int) -> int:
        """Returns where the field is; 0 if it is absent."""
        offsets = self._begin - self._read("i", self._begin)
        offset = 4 + 2 * field
        there = self._read("H", offsets + offset) if offset < self._read("H", offsets) else 0
        return self._begin + there if there else 0

    def _read(self, form: str, at: int) -> int:
        return struct.unpack_from("<" + form, self._data, at)[0]


def network(data: np.ndarray) -> Network:
    """Reads the file's bytes. Raises ValueError if they are not such a network."""
    try:
        root = _Table(data, struct.unpack_from("<I", data)[0])
        codes = [max(code.number(0, "b"), code.number(3)) for code in root.tables(1)]
        graph, buffers, weights, steps = root.tables(2)[0], root.tables(4), {}, []
        tensors = graph.tables(0)
        for operator in graph.tables(3):
            code, inputs, output = codes[operator.number(0)], operator.numbers(1), operator.numbers(2)[0]
            if code == WIDEN:
                stored = tensors[inputs[0]]
                weights[output] = buffers[stored.number(2)].halves(0).reshape(stored.numbers(0))
            else:
                steps.append(_step(KINDS[code], inputs, output, tensors[output].numbers(0)[1:], operator))
        return Network(steps, weights, graph.numbers(1)[0], graph.numbers(2))
    except (struct.error, IndexError, KeyError) as error:
        raise ValueError(f"no network that is known here: {error!r}") from None


def _step(kind: Kind, inputs: Sequence[int], output: int, shape: Sequence[int], operator: _Table) -> Operation:
    if kind not in ACTIVATION_AT:
        return Operation(kind, inputs, output, shape)
    options = operator.table(OPTIONS)
    clipped = options.number(ACTIVATION_AT[kind], "b") == RELU6
    return Operation(kind, inputs, output, shape, options.number(STRIDE), clipped)
