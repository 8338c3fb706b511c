"""The stages of every row of the split table (src/text/split.cc) as pre-tokenisers of the
`tokenizers` package. Shared by the golden generator (tools/golden/tokenizers_bpe.py) and the heavy
oracle (tests/oracles/test_splits.py). A string is a Split that isolates; None is Digits one by one.

Sources: the tokenizer.json files of GPT-2, SmolLM2, Llama 3.1, Qwen 3, DeepSeek-V3, gpt-oss; for
Qwen 3.5, Seed-Coder, Mistral (tekken) and Ufakzeka the expressions that llama.cpp quotes from
theirs (src/llama-vocab.cpp)."""
from tokenizers import Regex, pre_tokenizers

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
TAIL = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
ANY_CASE = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA = (ANY_CASE + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL)
QWEN = LLAMA.replace("{1,3}", "")
WORDS = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+C"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*C")
O200K = (WORDS.replace("C", ANY_CASE + "?") + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL)

ROWS = {
    "gpt-2": [GPT2],
    "smollm": [None, GPT2],
    "llama-bpe": [LLAMA],
    "qwen2": [QWEN],
    "qwen35": [ANY_CASE + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" +
               TAIL],
    "seed-coder": [ANY_CASE + "|[^\r\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\r\n]+"
                   "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"],
    "ufakzeka": [r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL],
    "gpt-4o": [O200K],
    "tekken": [WORDS.replace("C", "") + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL],
    "deepseek-v3": [
        r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
        "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
        "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"],
}


def pre_tokenizer(row):
    """All stages of a row, without ByteLevel."""
    return pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True) if stage is None else
        pre_tokenizers.Split(Regex(stage), "isolated") for stage in ROWS[row]])


def lengths(split, text):
    """Characters per piece."""
    return [len(piece) for piece, _ in split.pre_tokenize_str(text)]
