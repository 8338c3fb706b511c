"""A text while it is made. The library makes it on a thread of its own and keeps what nobody has
fetched yet, so no Python code runs there: nothing can be raised inside of it, and a slow reader
holds up nobody else."""

from __future__ import annotations

import threading
from ctypes import POINTER, byref
from types import TracebackType
from typing import Iterator

from bittern import _structs as s
from bittern._library import Handle, check, library
from bittern._results import Completion, Delta, completion_of, delta_of
from bittern.errors import GenerationError, UsageError

# How long Ctrl-C may wait for its turn: Python looks for it between two calls.
_WAIT_MS = 100


class Stream:
    """An iterator of the pieces of a text (of the first, where `n` asks for several; deltas()
    has all). To leave it early ends the text: by break, by close() or at the end of a `with`.

    One thread at a time gets pieces; cancel() and close() may come from any."""

    def __init__(self, model: object, handle: Handle) -> None:
        self._model = model  # is not freed as long as somebody reads
        self._handle: Handle | None = handle
        self._next_lock = threading.Lock()
        self._deltas: list[Delta] = []

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> str:
        while True:
            delta = self._advance()
            if delta is None:
                raise StopIteration
            if delta.choice == 0 and delta.text:
                return delta.text

    def deltas(self) -> Iterator[Delta]:
        """What is still to come, of all texts, with tokens and log-probabilities. Raises
        GenerationError where a text could not go on."""
        while True:
            delta = self._advance()
            if delta is None:
                return
            yield delta

    def completion(self) -> Completion:
        """All texts, whole; waits for their end. Of a stream that was closed, what came."""
        while self._advance() is not None:
            pass
        if not self._deltas:
            raise UsageError("the stream was closed before anything came")
        return completion_of(self._deltas)

    def cancel(self) -> None:
        """Ends the texts within a step; what was made until then still comes."""
        handle = self._handle
        if handle is not None:
            check(library().bittern_request_cancel(handle))

    def close(self) -> None:
        """Ends the texts; nothing more comes."""
        self.cancel()
        self._handle = None

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()

    def _advance(self) -> Delta | None:
        with self._next_lock:
            found = POINTER(s.Delta)()
            status = s.TIMEOUT
            while status == s.TIMEOUT:
                handle = self._handle
                if handle is None:
                    return None
                status = check(library().bittern_request_next(handle, _WAIT_MS, byref(found)))
            if status == s.END:
                return None
            delta = delta_of(found.contents)
            self._deltas.append(delta)
        if delta.finish_reason == "failed":
            raise GenerationError(delta.error or "no token could be drawn")
        return delta
