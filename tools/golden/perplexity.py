"""Writes tests/data/eval/perplexity.json: llama.cpp's perplexity protocol over a made-up model,
in plain numpy float64 (tools/perplexity/perplexity.cpp, crate llama-cpp-sys-2 0.1.161).

The model is a formula both sides compute exactly: logit v after token t at position p of a chunk
is ((31 t + 17 p + 7 v + v (t mod 5)) mod 97) / 8 - 4.
"""
import json
import pathlib

import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "data" / "eval" / "perplexity.json"
VOCAB = 50


def logits(token, position):
    v = np.arange(VOCAB)
    return ((31 * token + 17 * position + 7 * v + v * (token % 5)) % 97) / 8.0 - 4.0


def perplexity(tokens, context, chunk_limit, bos):
    chunks = len(tokens) // context
    if chunk_limit is not None:
        chunks = min(chunks, chunk_limit)
    nlls, running = [], []
    for index in range(chunks):
        chunk = list(tokens[index * context:(index + 1) * context])
        if bos is not None:
            chunk[0] = bos
        for position in range(context // 2, context - 1):
            row = logits(chunk[position], position)
            row = row - row.max()
            nlls.append(np.log(np.exp(row).sum()) - row[chunk[position + 1]])
        running.append(float(np.exp(np.mean(nlls))))
    nlls = np.array(nlls)
    mean = nlls.mean()
    spread = np.sqrt((np.mean(nlls**2) - mean**2) / (len(nlls) - 1))
    return dict(perplexity=float(np.exp(mean)), error=float(np.exp(mean) * spread),
                mean_nll=float(mean), scored_tokens=len(nlls), chunks=chunks, running=running)


def main():
    rng = np.random.default_rng(7)
    cases = []
    for context, count, limit, bos in ((8, 16, None, None), (8, 47, None, 1), (7, 60, None, None),
                                       (32, 200, 3, 0), (5, 10, 1, 49), (64, 128, None, None)):
        tokens = rng.integers(0, VOCAB, count).tolist()
        cases.append(dict(context=context, tokens=tokens, chunk_limit=limit, first_token=bos)
                     | perplexity(tokens, context, limit, bos))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(dict(vocab_size=VOCAB, cases=cases), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
