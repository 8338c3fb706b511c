"""Tokens that the caller chooses, and what the model thinks of them."""

from __future__ import annotations

import contextlib
import threading
from ctypes import POINTER, byref, c_float, c_int64
from types import TracebackType
from typing import TYPE_CHECKING, Iterator, Sequence

import numpy as np

from bittern._library import Handle, check, library
from bittern._options import token_array
from bittern.errors import UsageError

if TYPE_CHECKING:
    import numpy.typing as npt


class TokenSequence:
    """Tokens with their keys and values (Model.sequence()). Runs between the steps of requests.
    One thread at a time."""

    def __init__(self, model: object, handle: Handle, vocab_size: int) -> None:
        self._model = model  # is not freed as long as this is used
        self._handle: Handle | None = handle
        self._vocab_size = vocab_size
        self._lock = threading.Lock()

    def eval(self, tokens: Sequence[int], wanted: int = 1) -> npt.NDArray[np.float32]:
        """Appends tokens; the logits behind the last `wanted` of them, [wanted, vocab_size]."""
        array, count = token_array(tokens, "tokens")
        if not 0 <= wanted <= count:
            raise UsageError(f"wanted: 0 to {count} (the tokens) expected, got {wanted}")
        logits = np.empty((wanted, self._vocab_size), dtype=np.float32)
        with self._open() as handle:
            check(library().bittern_sequence_eval(handle, array, count, wanted,
                                                  logits.ctypes.data_as(POINTER(c_float)),
                                                  logits.size))
        return logits

    def reset(self) -> None:
        """Forgets everything."""
        with self._open() as handle:
            check(library().bittern_sequence_reset(handle))

    def __len__(self) -> int:
        length = c_int64()
        with self._open() as handle:
            check(library().bittern_sequence_length(handle, byref(length)))
        return length.value

    def close(self) -> None:
        """Frees its memory, at the end of a call that another thread is in."""
        self._handle = None

    def __enter__(self) -> TokenSequence:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()

    @contextlib.contextmanager
    def _open(self) -> Iterator[Handle]:
        with self._lock:
            handle = self._handle
            if handle is None:
                raise UsageError("the sequence is closed")
            yield handle
