"""Token windows for training and validation, from the files that corpus.py wrote.

A training window starts at a document (half of the time at its <|endoftext|>, else
anywhere inside) and continues with other documents of the same source until full, so
that neighbours differ every time. Documents are drawn in proportion to their length.
"""

import numpy as np
import torch


class Source:
    def __init__(self, folder, name):
        tokens = np.load(folder / f"{name}.tokens.npy").astype(np.int64)
        starts = np.load(folder / f"{name}.starts.npy")
        self.documents = np.split(tokens[:-1], starts[1:])
        sizes = np.array([len(d) for d in self.documents], dtype=np.float64)
        self.cumulative = np.cumsum(sizes / sizes.sum())

    def pick(self, rng):
        index = np.searchsorted(self.cumulative, rng.random(), side="right")
        return self.documents[min(index, len(self.documents) - 1)]

    def window(self, rng, length):
        first = self.pick(rng)
        offset = 0 if rng.random() < 0.5 else int(rng.integers(len(first)))
        pieces = [first[offset:offset + length]]
        filled = len(pieces[0])
        while filled < length:
            pieces.append(self.pick(rng)[:length - filled])
            filled += len(pieces[-1])
        return np.concatenate(pieces)


class Mixture:
    """Draws batches from several sources; all randomness is in self.rng."""

    def __init__(self, folder, names, seed):
        self.sources = [Source(folder, name) for name in names]
        self.rng = np.random.Generator(np.random.PCG64(seed))

    def batch(self, shares, count, length):
        """Returns (tokens, targets), each [count, length]."""
        chosen = self.rng.choice(len(self.sources), size=count, p=shares)
        rows = np.stack([self.sources[c].window(self.rng, length + 1) for c in chosen])
        rows = torch.from_numpy(rows)
        return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()

    def noise(self, *shape):
        """Random bytes for dropout masks."""
        raw = np.frombuffer(self.rng.bytes(int(np.prod(shape))), dtype=np.uint8)
        return torch.from_numpy(raw.copy()).view(*shape)


def validation_batches(folder, name, count, length, limit):
    """Consecutive windows of a validation split, at most limit batches."""
    tokens = torch.from_numpy(np.load(folder / f"{name}.tokens.npy").astype(np.int64))
    step = count * length
    batches = []
    for start in range(0, len(tokens) - step - 1, step)[:limit]:
        batches.append((tokens[start:start + step].view(count, length),
                        tokens[start + 1:start + step + 1].view(count, length)))
    return batches
