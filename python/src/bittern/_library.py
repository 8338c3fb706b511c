"""libbittern: where it is, and how its functions are called. It is looked for at first use:

  $BITTERN_LIBRARY, then beside this file (a wheel brings it along), then where the system looks.
"""

from __future__ import annotations

import ctypes
import functools
import os
import pathlib
import weakref
from ctypes import POINTER, byref, c_char_p, c_float, c_int32, c_int64, c_size_t, c_void_p
from typing import Any

from bittern import _structs as s
from bittern.errors import LibraryError, error_of

_tokens = POINTER(c_int32)
_size = POINTER(c_size_t)
_handle = POINTER(c_void_p)

# Arguments; all of these give a status.
_FUNCTIONS: dict[str, list[Any]] = {
    "bittern_load_options_init": [POINTER(s.LoadOptions), c_size_t],
    "bittern_model_load": [c_char_p, POINTER(s.LoadOptions), _handle],
    "bittern_model_get_info": [c_void_p, POINTER(s.ModelInfo), c_size_t],
    "bittern_model_get_stats": [c_void_p, POINTER(s.Stats), c_size_t],
    "bittern_tokenize": [c_void_p, c_char_p, c_size_t, c_int32, _tokens, c_size_t, _size],
    "bittern_detokenize": [c_void_p, _tokens, c_size_t, c_int32, c_char_p, c_size_t, _size],
    "bittern_token_bytes": [c_void_p, c_int32, c_char_p, c_size_t, _size],
    "bittern_apply_chat_template": [c_void_p, POINTER(s.Message), c_size_t, c_char_p, c_char_p,
                                    c_size_t, _size],
    "bittern_tokenize_chat": [c_void_p, POINTER(s.Message), c_size_t, c_char_p, _tokens, c_size_t,
                              _size],
    "bittern_generate_options_init": [POINTER(s.GenerateOptions), c_size_t, c_void_p],
    "bittern_submit": [c_void_p, POINTER(s.GenerateOptions), _handle],
    "bittern_request_next": [c_void_p, c_int64, POINTER(POINTER(s.Delta))],
    "bittern_request_cancel": [c_void_p],
    "bittern_sequence_new": [c_void_p, c_int64, _handle],
    "bittern_sequence_eval": [c_void_p, _tokens, c_size_t, c_size_t, POINTER(c_float), c_size_t],
    "bittern_sequence_reset": [c_void_p],
    "bittern_sequence_length": [c_void_p, POINTER(c_int64)],
    "bittern_embed_options_init": [POINTER(s.EmbedOptions), c_size_t],
    "bittern_embed": [c_void_p, c_char_p, c_size_t, POINTER(s.EmbedOptions), POINTER(c_float),
                      c_size_t, _size],
}
_FREES = ("bittern_model_free", "bittern_request_free", "bittern_sequence_free")


class Handle:
    """What the library made, freed with the last reference to this. A call holds one while it
    runs, so nothing is freed under another thread's feet."""

    def __init__(self, free: str) -> None:
        self._as_parameter_ = c_void_p()
        weakref.finalize(self, _free, free, self._as_parameter_)

    @property
    def slot(self) -> Any:
        """Where the library puts it."""
        return byref(self._as_parameter_)


def _free(name: str, pointer: c_void_p) -> None:
    if pointer.value:
        getattr(library(), name)(pointer)


def _candidates() -> list[str]:
    named = os.environ.get("BITTERN_LIBRARY")
    if named:
        return [named]  # whoever names one wants no other
    beside = pathlib.Path(__file__).with_name("libbittern.so")
    return [*([str(beside)] if beside.exists() else []), "libbittern.so.0"]


@functools.lru_cache(maxsize=None)
def library() -> Any:
    """The library, loaded once. Throws LibraryError where there is none."""
    tried = []
    for name in _candidates():
        try:
            loaded = ctypes.CDLL(name)
        except OSError as error:
            tried.append(str(error))
            continue
        loaded.bittern_api_version.restype = c_int32
        version = loaded.bittern_api_version()
        if version < s.API_VERSION:
            raise LibraryError(f"{name}: has version {version} of the API, "
                               f"{s.API_VERSION} expected")
        for function, arguments in _FUNCTIONS.items():
            getattr(loaded, function).argtypes = arguments
            getattr(loaded, function).restype = c_int32
        for function in _FREES:
            getattr(loaded, function).argtypes = [c_void_p]
            getattr(loaded, function).restype = None
        for function in ("bittern_version", "bittern_last_error"):
            getattr(loaded, function).restype = c_char_p
        return loaded
    raise LibraryError("libbittern was not found; BITTERN_LIBRARY may name it. "
                       f"Tried: {'; '.join(tried)}")


def last_error() -> str:
    """What this thread's last call that failed said."""
    text: bytes = library().bittern_last_error()
    return text.decode("utf-8", "replace")


def check(status: int) -> int:
    """The status, where it is no error; else raises it."""
    if status > 0:
        raise error_of(status, last_error())
    return status


def version() -> str:
    """The version of the library: "0.1.0"."""
    text: bytes = library().bittern_version()
    return text.decode()
