"""Errors by kind, as the C API has them. Each is a BitternError, and what Python calls such a
thing where it has a word for it."""

from __future__ import annotations


class BitternError(Exception):
    """Anything that went wrong in Bittern. `status` is the kind's number: the exit status that
    the program would have."""

    status = 70


class UsageError(BitternError, ValueError):
    """An argument that can never be right."""

    status = 2


class InputError(BitternError, ValueError):
    """A file, template, grammar or schema that cannot be accepted."""

    status = 3


class ResourceError(BitternError, RuntimeError):
    """Not enough memory or disk, or the queue of requests is full."""

    status = 4


class UnsupportedError(BitternError, NotImplementedError):
    """Understood, but not possible here or with this model."""

    status = 5


class InternalError(BitternError, RuntimeError):
    """A bug in Bittern."""

    status = 70


class LibraryError(BitternError, OSError):
    """libbittern is not there, or is too old."""

    status = 5


class GenerationError(BitternError, RuntimeError):
    """A text could not go on: no token could be drawn."""

    status = 3


_KINDS = {kind.status: kind for kind in
          (UsageError, InputError, ResourceError, UnsupportedError, InternalError)}


def error_of(status: int, message: str) -> BitternError:
    """The exception of a status of the C API."""
    return _KINDS.get(status, BitternError)(message)
