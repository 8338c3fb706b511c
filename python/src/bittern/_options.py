"""What a caller may ask of a text, and its way into bittern_generate_options."""

from __future__ import annotations

import difflib
import json
from ctypes import byref, c_char_p, c_int32, sizeof
from typing import Any, Iterable, Mapping, Sequence, TypedDict, Union

from bittern import _structs as s
from bittern._library import Handle, check, library
from bittern.errors import UsageError

Prompt = Union[str, Sequence[int]]
Message = Mapping[str, Any]


class GenerateOptions(TypedDict, total=False):
    """Options of Model.generate(), stream() and chat(). What is left out, or None, has the
    model's own default (generation_config.json, general.sampling.*), else Bittern's."""

    max_tokens: int | None
    """Tokens to make at most; by default until the text ends or the context is full."""
    min_tokens: int | None
    stop: str | Sequence[str] | None
    """Texts before which it stops."""
    stop_tokens: Sequence[int] | None
    seed: int | None
    """The same seed gives the same text; drawn where it is not given."""
    temperature: float | None
    top_k: int | None
    top_p: float | None
    min_p: float | None
    typical_p: float | None
    top_n_sigma: float | None
    xtc_probability: float | None
    xtc_threshold: float | None
    repeat_penalty: float | None
    frequency_penalty: float | None
    presence_penalty: float | None
    repeat_last_n: int | None
    dry_multiplier: float | None
    dry_base: float | None
    dry_allowed_length: int | None
    dry_last_n: int | None
    dry_breakers: Sequence[str] | None
    samplers: str | Sequence[str] | None
    """Which act, in this order: ["top_k", "temperature"]."""
    logit_bias: Mapping[int, float] | None
    json_schema: Mapping[str, Any] | bool | str | None
    """The text is JSON that this schema accepts. At most one of these five."""
    json_object: bool | None
    regex: str | None
    choice: Sequence[str] | None
    grammar: str | None
    """GBNF."""
    n: int | None
    """Texts of one prompt; text i draws with seed + i."""
    best_of: int | None
    logprobs: int | None
    """Log-probabilities of each token, and of so many likeliest."""
    prompt_logprobs: int | None
    ignore_eos: bool | None
    priority: int | None
    tenant: str | None
    reuse_prefix: bool | None


_REALS = {"temperature", "top_p", "min_p", "typical_p", "top_n_sigma", "xtc_probability",
          "xtc_threshold", "repeat_penalty", "frequency_penalty", "presence_penalty",
          "dry_multiplier", "dry_base"}
# First and last of each range: ctypes would cut what does not fit.
_INT64 = (-(1 << 63), (1 << 63) - 1)
_INTEGERS = {"seed": (0, (1 << 64) - 1), "priority": (-(1 << 31), (1 << 31) - 1)}
_INTEGERS.update(dict.fromkeys(
    ("max_tokens", "min_tokens", "top_k", "repeat_last_n", "dry_allowed_length", "dry_last_n", "n",
     "best_of", "logprobs", "prompt_logprobs"), _INT64))
_FLAGS = {"json_object", "ignore_eos", "reuse_prefix"}
_TEXTS = {"regex", "grammar", "tenant"}


def encoded(text: str, name: str) -> bytes:
    """A text that ends at its NUL on the other side."""
    if not isinstance(text, str):
        raise TypeError(f"{name}: a str expected, got {type(text).__name__}")
    if "\0" in text:
        raise UsageError(f"{name}: holds a NUL character")
    return encoded_prompt(text)


def encoded_prompt(text: str) -> bytes:
    """A text whose length goes along."""
    # What the system gave as undecodable bytes (os.fsdecode) becomes those again.
    return text.encode("utf-8", "surrogateescape")


def text_array(texts: str | Sequence[str], name: str) -> tuple[Any, int]:
    listed = [texts] if isinstance(texts, str) else list(texts)
    array = (c_char_p * len(listed))(*(encoded(text, name) for text in listed))
    return array, len(listed)


def token_array(tokens: Sequence[int], name: str) -> tuple[Any, int]:
    listed = [int(token) for token in tokens]
    for token in listed:
        if not -(1 << 31) <= token < 1 << 31:
            raise UsageError(f"{name}: {token} is no token")
    return (c_int32 * len(listed))(*listed), len(listed)


def chat_json(messages: Sequence[Message], extras: Mapping[str, Any]) -> bytes:
    """A conversation as the C API reads it."""
    if isinstance(messages, (str, bytes)):
        raise TypeError("messages: a list of {'role': ..., 'content': ...} expected")
    members = {name: value for name, value in extras.items() if value is not None}
    document = json.dumps({"messages": list(messages), **members}, ensure_ascii=False)
    return encoded(document, "messages")


class PreparedOptions:
    """A bittern_generate_options, with what it points to."""

    def __init__(self, model: Handle, options: Mapping[str, Any]) -> None:
        self.struct = s.GenerateOptions()
        self._kept: list[Any] = []
        check(library().bittern_generate_options_init(byref(self.struct), sizeof(self.struct),
                                                      model))
        for name, value in options.items():
            if value is not None:
                self._set(name, value)

    def set_prompt(self, prompt: Prompt) -> None:
        if isinstance(prompt, str):
            text = encoded_prompt(prompt)
            self.struct.prompt, self.struct.prompt_bytes = text, len(text)
            self._kept.append(text)
        elif isinstance(prompt, bytes) or not isinstance(prompt, Iterable):
            raise TypeError(f"prompt: a str or token ids expected, got {type(prompt).__name__}")
        else:
            array, count = token_array(prompt, "prompt")
            self._kept.append(array)
            self.struct.prompt_tokens, self.struct.prompt_token_count = array, count

    def set_chat(self, document: bytes) -> None:
        self._kept.append(document)
        self.struct.chat_json = document

    def _set(self, name: str, value: Any) -> None:
        struct = self.struct
        if name in _REALS:
            self._set_real(name, value)
        elif name in _INTEGERS:
            self._set_integer(name, value)
        elif name in _FLAGS:
            setattr(struct, name, 1 if value else 0)
        elif name in _TEXTS:
            self._set_text(name, encoded(value, name))
        elif name == "json_schema":
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            self._set_text(name, encoded(text, name))
        elif name == "samplers":
            text = value if isinstance(value, str) else ";".join(value)
            self._set_text(name, encoded(text, name))
        elif name in ("stop", "choice", "dry_breakers"):
            array, count = text_array(value, name)
            self._kept.append(array)
            fields = {"stop": ("stops", "stop_count"), "choice": ("choices", "choice_count"),
                      "dry_breakers": ("dry_breakers", "dry_breaker_count")}[name]
            setattr(struct, fields[0], array)
            setattr(struct, fields[1], count)
        elif name == "stop_tokens":
            array, count = token_array(value, name)
            self._kept.append(array)
            struct.stop_tokens, struct.stop_token_count = array, count
        elif name == "logit_bias":
            entries = [s.LogitBias(int(token), float(bias)) for token, bias in value.items()]
            bias_array = (s.LogitBias * len(entries))(*entries)
            self._kept.append(bias_array)
            struct.logit_bias, struct.logit_bias_count = bias_array, len(entries)
        else:
            known = list(GenerateOptions.__annotations__)
            nearest = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are: {', '.join(known)}"
            raise TypeError(f"unknown option {name!r}; {hint}")

    def _set_real(self, name: str, value: Any) -> None:
        if isinstance(value, (str, bytes)):
            raise TypeError(f"{name}: a number expected, got {value!r}")
        setattr(self.struct, name, float(value))

    def _set_integer(self, name: str, value: Any) -> None:
        least, most = _INTEGERS[name]
        if isinstance(value, (str, bytes)):
            raise TypeError(f"{name}: an integer expected, got {value!r}")
        number = int(value)
        if number != value or not least <= number <= most:
            raise UsageError(f"{name}: an integer from {least} to {most} expected, got {value}")
        setattr(self.struct, name, number)

    def _set_text(self, name: str, text: bytes) -> None:
        self._kept.append(text)
        setattr(self.struct, name, text)
