"""Runs language models on the CPU.

    from bittern import Model

    with Model("model.gguf") as model:
        print(model.generate("Once upon a time", max_tokens=50, seed=1))
        for piece in model.stream("Once upon a time"):
            print(piece, end="", flush=True)
        answer = model.chat([{"role": "user", "content": "Who are you?"}])
        person = model.generate("A person: ", json_schema={"type": "object"})
        logits = model.logits(model.tokenize("Once upon"))  # numpy, float32 [tokens, vocab_size]

The same model, options and seed give the same text, whatever else runs."""

from bittern._library import version
from bittern._model import Model
from bittern._options import GenerateOptions
from bittern._results import (Choice, Completion, Delta, Logprobs, ModelInfo, Stats,
                              TokenLogprob)
from bittern._sequence import TokenSequence
from bittern._stream import Stream
from bittern.errors import (BitternError, GenerationError, InputError, InternalError, LibraryError,
                            ResourceError, UnsupportedError, UsageError)

__all__ = [
    "BitternError", "Choice", "Completion", "Delta", "GenerateOptions", "GenerationError",
    "InputError", "InternalError", "LibraryError", "Logprobs", "Model", "ModelInfo",
    "ResourceError", "Stats", "Stream", "TokenLogprob", "TokenSequence", "UnsupportedError",
    "UsageError", "version",
]
