"""Trains the example network: one CPU thread, a schedule in wall time, resumable.

Progress is seconds trained / seconds planned, so the run ends on time however busy the
machine is. Learning rate: warm-up, a short constant stretch, linear to zero. Muon updates
the ternary masters, AdamW the embedding and norms; weight decay acts on the masters in the
first half only. The checkpoint (model, optimisers, random state, clock) is replaced
atomically every few minutes; starting again with the same arguments continues from it.
best.pt holds the weights with the lowest story loss.
"""

import argparse
import csv
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from corpus import SOURCES
from data import Mixture, validation_batches
from network import Network, Shape, ternary_codes

EARLY_SHARES = (0.50, 0.22, 0.17, 0.11)  # in the order of corpus.SOURCES
FINAL_SHARES = (0.66, 0.15, 0.12, 0.07)
COLUMNS = ("step", "minutes", "tokens", "learning_rate", "train_loss", "val_stories",
           "val_tales", "flipped", "zeros")


@dataclass
class Plan:
    seconds: float
    batch: int = 4
    length: int = 512
    peak_rate: float = 2e-3
    warmup_steps: int = 150
    decay_from: float = 0.15
    final_shares_from: float = 0.6
    weight_decay: float = 0.1
    weight_decay_until: float = 0.5
    dropout_threshold: int = 48  # of 256
    clip_norm: float = 1.0
    eval_steps: int = 300
    checkpoint_seconds: float = 180.0
    seed: int = 1

    def rate(self, step, progress):
        warm = min(1.0, (step + 1) / self.warmup_steps)
        cool = min(1.0, max(0.0, (1.0 - progress) / (1.0 - self.decay_from)))
        return self.peak_rate * warm * cool


class Trainer:
    def __init__(self, work, plan):
        self.work, self.plan = work, plan
        torch.manual_seed(plan.seed)
        self.network = Network(Shape(context_length=plan.length))
        linears = list(self.network.linears().values())
        known = {id(p) for p in linears}
        rest = [p for p in self.network.parameters() if id(p) not in known]
        self.muon = torch.optim.Muon(linears, lr=plan.peak_rate, weight_decay=plan.weight_decay,
                                     momentum=0.95, adjust_lr_fn="match_rms_adamw")
        self.adam = torch.optim.AdamW(rest, lr=plan.peak_rate, betas=(0.9, 0.98),
                                      weight_decay=0.0, fused=True)
        self.mixture = Mixture(work, SOURCES, plan.seed)
        self.loss = torch.compile(self.network.loss, dynamic=False)
        self.validation = {
            "val_stories": validation_batches(work, "val_stories", plan.batch, plan.length, 13),
            "val_tales": validation_batches(work, "val_tales", plan.batch, plan.length, 7)}
        self.step, self.seconds, self.best = 0, 0.0, float("inf")
        self.codes = None

    def save(self):
        state = {"model": self.network.state_dict(), "muon": self.muon.state_dict(),
                 "adam": self.adam.state_dict(), "rng": self.mixture.rng.bit_generator.state,
                 "step": self.step, "seconds": self.seconds, "best": self.best}
        replace(state, self.work / "checkpoint.pt")

    def resume(self):
        path = self.work / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=False)
        self.network.load_state_dict(state["model"])
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])
        self.mixture.rng.bit_generator.state = state["rng"]
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        drop_rows_after(self.work / "loss.csv", self.step)

    def train_step(self):
        """One update; returns the loss."""
        plan, progress = self.plan, self.seconds / self.plan.seconds
        shares = EARLY_SHARES if progress < plan.final_shares_from else FINAL_SHARES
        tokens, targets = self.mixture.batch(shares, plan.batch, plan.length)
        shape = self.network.shape
        noise = self.mixture.noise(2 * shape.layer_count, tokens.numel(), shape.hidden_size)
        for optimiser in (self.muon, self.adam):
            optimiser.param_groups[0]["lr"] = plan.rate(self.step, progress)
        if progress >= plan.weight_decay_until:
            self.muon.param_groups[0]["weight_decay"] = 0.0
        loss = self.loss(tokens, targets, torch.bfloat16, plan.dropout_threshold, noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), plan.clip_norm)
        for optimiser in (self.muon, self.adam):
            optimiser.step()
            optimiser.zero_grad()
        self.step += 1
        return loss.item()

    @torch.no_grad()
    def evaluate(self):
        """Validation losses, the share of codes changed since the last call, share of zeros."""
        row = {}
        for name, batches in self.validation.items():
            losses = [self.loss(t, y, torch.bfloat16).item() for t, y in batches]
            row[name] = sum(losses) / len(losses)
        codes = torch.cat([ternary_codes(w)[0].to(torch.int8).view(-1)
                           for w in self.network.linears().values()])
        changed = 0.0 if self.codes is None else (codes != self.codes).float().mean().item()
        self.codes = codes
        return row | {"flipped": changed, "zeros": (codes == 0).float().mean().item()}

    def report(self, losses):
        row = self.evaluate() | {
            "step": self.step, "minutes": self.seconds / 60,
            "tokens": self.step * self.plan.batch * self.plan.length,
            "learning_rate": self.adam.param_groups[0]["lr"],
            "train_loss": sum(losses) / len(losses)}
        if row["val_stories"] < self.best:
            self.best = row["val_stories"]
            replace({"model": self.network.state_dict(), "step": self.step}, self.work / "best.pt")
        append_row(self.work / "loss.csv", row)
        print(" ".join(f"{c} {row[c]:.5g}" for c in COLUMNS), flush=True)

    def run(self):
        losses, saved, clock = [], self.seconds, time.monotonic()
        while self.seconds < self.plan.seconds:
            losses.append(self.train_step())
            now = time.monotonic()
            self.seconds, clock = self.seconds + now - clock, now
            if self.step % self.plan.eval_steps == 0:
                self.report(losses)
                losses = []
            if self.seconds - saved > self.plan.checkpoint_seconds:
                self.save()
                saved = self.seconds
        if losses:
            self.report(losses)
        self.save()


def replace(state, path):
    """Writes beside the target, then renames: a reader never sees half a file."""
    torch.save(state, path.with_suffix(".tmp"))
    os.replace(path.with_suffix(".tmp"), path)


def drop_rows_after(path, step):
    """Removes rows that a resumed run will write again."""
    if path.exists():
        header, *rows = path.read_text().splitlines(keepends=True)
        kept = [row for row in rows if int(row.split(",")[0]) <= step]
        path.write_text("".join([header] + kept))


def append_row(path, row):
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(COLUMNS)
        writer.writerow([f"{row[c]:.6g}" if isinstance(row[c], float) else row[c] for c in COLUMNS])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="folder written by corpus.py")
    parser.add_argument("--minutes", type=float, required=True, help="training time in all")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    trainer = Trainer(args.work, Plan(seconds=args.minutes * 60))
    trainer.resume()
    trainer.run()


if __name__ == "__main__":
    main()
