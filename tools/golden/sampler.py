"""Writes tests/data/engine/sampler.json: what is left before the draw, by llama.cpp's default
chain (logit bias, penalties, top-k, top-p, min-p, temperature), in plain numpy float64.

Written from llama.cpp's description of each step (src/llama-sampling.cpp, the crate
llama-cpp-sys-2 0.1.161), not from Bittern's code. Logits are multiples of 1/16, so that both
sides read the same numbers; `margin` keeps cases whose cut-off falls on a rounding error out.
"""
import json
import pathlib

import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "data" / "engine" / "sampler.json"
DEFAULTS = dict(logit_bias=[], repeat_last_n=64, repeat_penalty=1.0, frequency_penalty=0.0,
                presence_penalty=0.0, top_k=0, top_p=1.0, min_p=0.0, temperature=1.0)


def softmax(logits):
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def penalised(logits, history, o):
    window = history[-o["repeat_last_n"]:] if o["repeat_last_n"] > 0 else []
    for token in set(window):
        value = logits[token]
        # float32, as logits are
        value = np.float32(value) / np.float32(o["repeat_penalty"]) if value > 0 \
            else np.float32(value) * np.float32(o["repeat_penalty"])
        drop = np.float32(window.count(token)) * np.float32(o["frequency_penalty"]) \
            + np.float32(o["presence_penalty"])
        logits[token] = np.float32(value - drop)
    return logits


def chain(logits, history, o):
    """(token, probability) of the survivors, most probable first; None where a cut is too close
    to call in floating point."""
    logits = np.array(logits, np.float64)
    for token, bias in o["logit_bias"]:
        logits[token] += -np.inf if bias == "-inf" else bias
    logits = penalised(logits, list(history), o)
    if o["temperature"] <= 0:
        return [(int(np.argmax(logits)), 1.0)]  # numpy takes the first of equals
    order = [int(t) for t in np.argsort(-logits, kind="stable") if np.isfinite(logits[t])]
    if o["top_k"] > 0:
        order = order[:o["top_k"]]
    margin = 1e-9
    if o["top_p"] < 1.0:
        cumulative = np.cumsum(softmax(logits[order]))
        if np.min(np.abs(cumulative - o["top_p"])) < margin:
            return None
        order = order[:int(np.searchsorted(cumulative, o["top_p"])) + 1]
    if o["min_p"] > 0.0:
        share = softmax(logits[order])
        share = share / share[0]
        if np.min(np.abs(share - o["min_p"])) < margin and o["min_p"] < 1.0:
            return None
        order = [t for t, s in zip(order, share) if s >= o["min_p"]]
    return list(zip(order, softmax(logits[order] / o["temperature"]).tolist()))


def main():
    rng = np.random.default_rng(20261121)
    tables = [
        dict(), dict(top_k=1), dict(top_k=5), dict(top_k=40, top_p=0.95, min_p=0.05,
                                                   temperature=0.8),
        dict(top_p=0.5), dict(top_p=0.0), dict(min_p=0.3), dict(min_p=1.0), dict(temperature=0.0),
        dict(temperature=0.25), dict(temperature=3.0), dict(top_k=7, top_p=0.9, temperature=1.5),
        dict(repeat_penalty=1.3), dict(repeat_penalty=0.7), dict(frequency_penalty=0.5),
        dict(presence_penalty=1.25), dict(repeat_penalty=1.1, frequency_penalty=0.25,
                                          presence_penalty=0.5, repeat_last_n=5),
        dict(repeat_penalty=2.0, repeat_last_n=0), dict(repeat_penalty=1.5, repeat_last_n=1),
        dict(logit_bias=[[3, 2.5], [9, -4.0]]), dict(logit_bias=[[0, "-inf"], [1, "-inf"]]),
        dict(logit_bias=[[2, 8.0]], temperature=0.0), dict(repeat_penalty=8.0, temperature=0.0),
        dict(top_p=0.9, min_p=0.35), dict(top_p=0.6, min_p=0.1, top_k=100),
        dict(top_k=3, min_p=0.01, top_p=0.99, repeat_penalty=1.2, temperature=0.6),
    ]
    cases = []
    for table in tables:
        # Steep rows, where a few tokens have it all, and flat ones, where the cuts fall in the
        # tail.
        for count, spread in ((11, 160), (64, 48), (200, 20)):
            options = DEFAULTS | table
            while True:
                logits = rng.integers(-spread, spread + 1, count) / 16.0
                logits[rng.integers(0, count, 4)] = logits.max()  # ties at the top
                history = rng.integers(0, min(count, 12), 9).tolist()
                left = chain(logits, history, options)
                if left is not None:
                    break
            cases.append(dict(options=options, logits=logits.tolist(), history=history,
                              tokens=[t for t, _ in left], probabilities=[p for _, p in left]))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(dict(cases=cases), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
