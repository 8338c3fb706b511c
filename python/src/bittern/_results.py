"""What a request gives back, as plain values."""

from __future__ import annotations

import dataclasses
from typing import Any, Sequence

from bittern import _structs as s


@dataclasses.dataclass(frozen=True)
class TokenLogprob:
    """A token and the natural logarithm of its probability."""

    token: int
    logprob: float


@dataclasses.dataclass(frozen=True)
class Logprobs:
    """Of one place: the token that stands there, and the likeliest ones, likeliest first."""

    token: int
    logprob: float
    top: tuple[TokenLogprob, ...] = ()


@dataclasses.dataclass(frozen=True)
class Delta:
    """News of one text (`choice`). The last of a text has a finish_reason."""

    choice: int
    text: str
    tokens: tuple[int, ...]
    finish_reason: str | None = None
    """stop_token, stop_string, max_tokens, context_full, cancelled or failed."""
    stop: str | None = None
    error: str | None = None
    logprobs: tuple[Logprobs, ...] = ()
    prompt_logprobs: tuple[Logprobs, ...] = ()
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0


@dataclasses.dataclass(frozen=True)
class Choice:
    """One whole text."""

    text: str
    tokens: tuple[int, ...]
    finish_reason: str
    stop: str | None = None
    logprobs: tuple[Logprobs, ...] = ()
    generated_tokens: int = 0


@dataclasses.dataclass(frozen=True)
class Completion:
    """All texts of a request; str() of it is the first one."""

    choices: tuple[Choice, ...]
    prompt_tokens: int
    cached_tokens: int
    prompt_logprobs: tuple[Logprobs, ...] = ()

    @property
    def text(self) -> str:
        return self.choices[0].text

    @property
    def tokens(self) -> tuple[int, ...]:
        return self.choices[0].tokens

    @property
    def finish_reason(self) -> str:
        return self.choices[0].finish_reason

    @property
    def logprobs(self) -> tuple[Logprobs, ...]:
        return self.choices[0].logprobs

    def __str__(self) -> str:
        return self.text


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """What a loaded model is; the fields are those of bittern_model_info."""

    path: str
    name: str
    architecture: str
    format: str
    backend: str
    vocab_size: int
    token_count: int
    embedding_size: int
    layer_count: int
    context: int
    max_context: int
    sequences: int
    threads: int
    can_generate: bool
    has_pooling: bool
    has_chat_template: bool
    bos_token: int | None
    eos_token: int | None
    load_seconds: float


@dataclasses.dataclass(frozen=True)
class Stats:
    """What a model has done since it was loaded; the fields are those of bittern_stats."""

    queued_requests: int
    running_sequences: int
    waiting_sequences: int
    finished_requests: int
    preemptions: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    guessed_tokens: int
    accepted_guesses: int
    steps: int
    used_pages: int
    kept_pages: int
    page_count: int
    model_seconds: float
    other_seconds: float


def info_of(struct: s.ModelInfo) -> ModelInfo:
    values: dict[str, Any] = {name: getattr(struct, name) for name, *_ in s.ModelInfo._fields_}
    for name, value in values.items():
        if isinstance(value, bytes):
            values[name] = value.decode("utf-8", "replace")
        elif name.startswith(("can_", "has_")):
            values[name] = bool(value)
        elif name in ("bos_token", "eos_token"):
            values[name] = None if value < 0 else value
    return ModelInfo(**values)


def stats_of(struct: s.Stats) -> Stats:
    return Stats(**{name: getattr(struct, name) for name, *_ in s.Stats._fields_})


def _logprobs(chosen: Any, top: Any, count: int, top_count: int) -> tuple[Logprobs, ...]:
    if not chosen:
        return ()
    return tuple(
        Logprobs(chosen[row].token, chosen[row].logprob,
                 tuple(TokenLogprob(top[row * top_count + rank].token,
                                    top[row * top_count + rank].logprob)
                       for rank in range(top_count)))
        for row in range(count))


def delta_of(struct: s.Delta) -> Delta:
    def text(value: bytes | None) -> str | None:
        return None if value is None else value.decode("utf-8", "replace")

    return Delta(
        choice=struct.choice,
        text=struct.text[:struct.text_bytes].decode("utf-8", "replace"),
        tokens=tuple(struct.tokens[:struct.token_count]) if struct.token_count else (),
        finish_reason=s.FINISH_REASONS.get(struct.finish_reason),
        stop=text(struct.stop),
        error=text(struct.error),
        logprobs=_logprobs(struct.logprobs, struct.top_logprobs, struct.token_count,
                           struct.top_count),
        prompt_logprobs=_logprobs(struct.prompt_logprobs, struct.prompt_top_logprobs,
                                  struct.prompt_logprob_count, struct.prompt_top_count),
        prompt_tokens=struct.prompt_tokens,
        cached_tokens=struct.cached_tokens,
        generated_tokens=struct.generated_tokens)


def completion_of(deltas: Sequence[Delta]) -> Completion:
    """Of all deltas of a request."""
    choices = []
    for index in sorted({delta.choice for delta in deltas}):
        own = [delta for delta in deltas if delta.choice == index]
        last = own[-1]
        choices.append(Choice(
            text="".join(delta.text for delta in own),
            tokens=tuple(token for delta in own for token in delta.tokens),
            finish_reason=last.finish_reason or "cancelled",
            stop=last.stop,
            logprobs=tuple(entry for delta in own for entry in delta.logprobs),
            generated_tokens=last.generated_tokens))
    last = deltas[-1]
    return Completion(
        choices=tuple(choices),
        prompt_tokens=last.prompt_tokens,
        cached_tokens=last.cached_tokens,
        prompt_logprobs=tuple(entry for delta in deltas for entry in delta.prompt_logprobs))
