"""Models: loaded, asked, closed."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, byref, c_float, c_int32, c_size_t, sizeof
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Mapping, Sequence

import numpy as np

from bittern import _structs as s
from bittern._library import Handle, check, library
from bittern._options import (GenerateOptions, Message, PreparedOptions, Prompt, chat_json, encoded,
                              encoded_prompt, token_array)
from bittern._results import Completion, ModelInfo, Stats, info_of, stats_of
from bittern._sequence import TokenSequence
from bittern._stream import Stream
from bittern.errors import UsageError

if TYPE_CHECKING:
    import numpy.typing as npt
    from typing_extensions import Unpack

    Floats = npt.NDArray[np.float32]


def _chosen(names: Mapping[str, int], value: str, what: str) -> int:
    if value not in names:
        raise UsageError(f"{what}: one of {', '.join(names)} expected, got {value!r}")
    return names[value]


def _cache(value: bool | str | os.PathLike[str]) -> bytes | None:
    if isinstance(value, bool):
        return None if value else b"off"
    return os.fsencode(value)


class Model:
    """A loaded model with the threads that run it. Any thread may use it, several at once: their
    texts are made side by side, and each is what it would be alone.

    `model` is a path (GGUF, SafeTensors, a Hugging Face folder) or the name of a pulled model.
    `context`: positions of a text (None: the model's maximum, or what memory allows); `threads`:
    None means the physical cores there are; `sequences`: texts that run at once, others wait;
    `cache`: True keeps packed weights in the store of models, False nowhere, a path there;
    `max_guesses`: tokens that are guessed to go on as the text did before, which changes no text
    and makes edits and extracts faster."""

    def __init__(self, model: str | os.PathLike[str], *, context: int | None = None,
                 threads: int | None = None, sequences: int = 4, kv_type: str = "f16",
                 activations: str = "native", head: str = "auto",
                 cache: bool | str | os.PathLike[str] = True, gguf_dialect: str | None = None,
                 max_queued_requests: int = 512, max_guesses: int = 0, verbosity: int = 0) -> None:
        options = s.LoadOptions()
        check(library().bittern_load_options_init(byref(options), sizeof(options)))
        options.context = context or 0
        options.threads = threads or 0
        options.sequences = sequences
        options.kv_type = _chosen(s.KV_TYPES, kv_type, "kv_type")
        options.activations = _chosen(s.ACTIVATIONS, activations, "activations")
        options.head = _chosen(s.HEADS, head, "head")
        options.cache = _cache(cache)
        options.gguf_dialect = None if gguf_dialect is None else encoded(gguf_dialect,
                                                                         "gguf_dialect")
        options.max_queued_requests = max_queued_requests
        options.max_guesses = max_guesses
        options.verbosity = verbosity
        self._handle: Handle | None = None
        handle = Handle("bittern_model_free")
        check(library().bittern_model_load(os.fsencode(model), byref(options), handle.slot))
        info = s.ModelInfo()
        check(library().bittern_model_get_info(handle, byref(info), sizeof(info)))
        self._handle = handle
        self.info: ModelInfo = info_of(info)

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._handle is None

    def close(self) -> None:
        """Ends its texts and frees it; where other threads are inside of a call, at the end of
        that."""
        self._handle = None

    def __enter__(self) -> Model:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Model({self.info.path!r}{', closed' if self.closed else ''})"

    def _open(self) -> Handle:
        handle = self._handle
        if handle is None:
            raise UsageError("the model is closed")
        return handle

    # Text and tokens

    def tokenize(self, text: str, *, add_special: bool = True,
                 parse_special: bool = False) -> list[int]:
        """The tokens of a text. `add_special`: with what the model expects around it (BOS, EOS);
        `parse_special`: what spells a special token becomes one, which a user's text never
        should."""
        data = encoded_prompt(text)
        flags = add_special * s.ADD_SPECIAL + parse_special * s.PARSE_SPECIAL
        return self._tokens(len(data) + 16, lambda handle, *out: library().bittern_tokenize(
            handle, data, len(data), flags, *out))

    def detokenize(self, tokens: Sequence[int], *, keep_special: bool = False) -> str:
        """The text of tokens; bytes that are no UTF-8 become U+FFFD."""
        array, count = token_array(tokens, "tokens")
        return self._text(16 * count + 16, lambda handle, *out: library().bittern_detokenize(
            handle, array, count, keep_special * s.KEEP_SPECIAL, *out)).decode("utf-8", "replace")

    def token_bytes(self, token: int) -> bytes:
        """The bytes of one token behind other text, which may be part of a character."""
        array, _ = token_array([token], "token")
        return self._text(64, lambda handle, *out: library().bittern_token_bytes(
            handle, array[0], *out))

    def apply_chat_template(self, messages: Sequence[Message], *,
                            tools: Sequence[Any] | None = None,
                            documents: Sequence[Any] | None = None,
                            add_generation_prompt: bool = True, continue_final: str | None = None,
                            chat_template: str | None = None,
                            chat_template_kwargs: Mapping[str, Any] | None = None) -> str:
        """What the model's chat template makes of a conversation. tokenize_chat() gives its
        tokens, in which no message spells a special one."""
        document = chat_json(messages, {
            "tools": tools, "documents": documents, "add_generation_prompt": add_generation_prompt,
            "continue_final": continue_final, "chat_template": chat_template,
            "chat_template_kwargs": chat_template_kwargs})
        return self._text(
            2 * len(document), lambda handle, *out: library().bittern_apply_chat_template(
                handle, None, 0, document, *out)).decode("utf-8", "replace")

    def tokenize_chat(self, messages: Sequence[Message], **extras: Any) -> list[int]:
        """The tokens of a conversation, as chat() uses them; arguments as above."""
        document = chat_json(messages, extras)
        return self._tokens(len(document), lambda handle, *out: library().bittern_tokenize_chat(
            handle, None, 0, document, *out))

    def _tokens(self, guess: int, call: Callable[..., int]) -> list[int]:
        count = c_size_t()
        capacity = guess
        handle = self._open()
        while True:
            tokens = (c_int32 * capacity)()
            status = call(handle, tokens, capacity, byref(count))
            if status == s.ERROR_USAGE and count.value > capacity:
                capacity = count.value
                continue
            check(status)
            return tokens[:count.value]

    def _text(self, guess: int, call: Callable[..., int]) -> bytes:
        count = c_size_t()
        capacity = guess
        handle = self._open()
        while True:
            text = ctypes.create_string_buffer(capacity)
            status = call(handle, text, capacity, byref(count))
            if status == s.ERROR_USAGE and count.value >= capacity:
                capacity = count.value + 1
                continue
            check(status)
            return text.raw[:count.value]

    # Generation

    def stream(self, prompt: Prompt, **options: Unpack[GenerateOptions]) -> Stream:
        """Goes on with a prompt (a text as it is, or tokens): an iterator of the pieces of the
        text, as they are made."""
        handle = self._open()
        prepared = PreparedOptions(handle, options)
        prepared.set_prompt(prompt)
        return self._submit(handle, prepared)

    def generate(self, prompt: Prompt, **options: Unpack[GenerateOptions]) -> Completion:
        """The same, whole."""
        with self.stream(prompt, **options) as stream:
            return stream.completion()

    def stream_chat(self, messages: Sequence[Message], *, tools: Sequence[Any] | None = None,
                    documents: Sequence[Any] | None = None, chat_template: str | None = None,
                    chat_template_kwargs: Mapping[str, Any] | None = None,
                    continue_final: str | None = None,
                    **options: Unpack[GenerateOptions]) -> Stream:
        """Answers a conversation by the model's chat template."""
        document = chat_json(messages, {
            "tools": tools, "documents": documents, "continue_final": continue_final,
            "chat_template": chat_template, "chat_template_kwargs": chat_template_kwargs})
        handle = self._open()
        prepared = PreparedOptions(handle, options)
        prepared.set_chat(document)
        return self._submit(handle, prepared)

    def chat(self, messages: Sequence[Message], *, tools: Sequence[Any] | None = None,
             documents: Sequence[Any] | None = None, chat_template: str | None = None,
             chat_template_kwargs: Mapping[str, Any] | None = None,
             continue_final: str | None = None,
             **options: Unpack[GenerateOptions]) -> Completion:
        """The same, whole."""
        with self.stream_chat(messages, tools=tools, documents=documents,
                              chat_template=chat_template,
                              chat_template_kwargs=chat_template_kwargs,
                              continue_final=continue_final, **options) as stream:
            return stream.completion()

    def _submit(self, handle: Handle, prepared: PreparedOptions) -> Stream:
        request = Handle("bittern_request_free")
        check(library().bittern_submit(handle, byref(prepared.struct), request.slot))
        return Stream(self, request)

    # Numbers

    def embed(self, texts: str | Sequence[str], *, pooling: str = "model",
              truncate: bool = False) -> Floats:
        """Texts as vectors of length 1, float32 [texts, embedding_size]; of one str
        [embedding_size]. `pooling`: "model" (what its files say), "mean", "cls" or "last"."""
        options = s.EmbedOptions()
        check(library().bittern_embed_options_init(byref(options), sizeof(options)))
        options.pooling = _chosen(s.POOLINGS, pooling, "pooling")
        options.truncate = truncate
        listed = [texts] if isinstance(texts, str) else list(texts)
        width = self.info.embedding_size
        vectors = np.empty((len(listed), width), dtype=np.float32)
        for row, text in zip(vectors, listed):
            data = encoded_prompt(text)
            count = c_size_t()
            check(library().bittern_embed(self._open(), data, len(data), byref(options),
                                          row.ctypes.data_as(POINTER(c_float)), width,
                                          byref(count)))
        return vectors[0] if isinstance(texts, str) else vectors

    def logits(self, tokens: Sequence[int], *, last: int | None = None) -> Floats:
        """What the model thinks comes behind each token, float32 [tokens, vocab_size]; behind the
        `last` ones only, where given."""
        with self.sequence(max(1, len(tokens))) as sequence:
            return sequence.eval(tokens, len(tokens) if last is None else last)

    def sequence(self, positions: int | None = None) -> TokenSequence:
        """A sequence with room for so many tokens (None: the context), to be evaluated piece by
        piece."""
        handle = Handle("bittern_sequence_free")
        check(library().bittern_sequence_new(self._open(), positions or 0, handle.slot))
        return TokenSequence(self, handle, self.info.vocab_size)

    def stats(self) -> Stats:
        """What it has done since it was loaded."""
        stats = s.Stats()
        check(library().bittern_model_get_stats(self._open(), byref(stats), sizeof(stats)))
        return stats_of(stats)
