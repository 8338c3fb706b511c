#!/usr/bin/env python3
"""Makes tests/data/models/<family>: a tiny random checkpoint per family of families.py, with the
logits (encoders: hidden states) that transformers gives in float32 on the CPU.

Files and formats are those of make_models.py: config[.VARIANT].json, model.safetensors (bf16) and
golden[.VARIANT].bin. `config.legacy.json` says what config.json says in the spelling of older
checkpoints; transformers itself must give the same logits for it. model.gguf is made by
family_gguf.py; before it is kept, llama.cpp must give transformers' logits for its f32 form.

Usage: make_families.py OUT_DIR [FAMILY...]
  (torch, transformers 5.23, safetensors, gguf 0.19, llama-cpp-python 0.3.36, numpy)
"""
import json
import pathlib
import shutil
import sys
import tempfile

import families
import family_gguf
import make_models
import numpy as np
import torch
import transformers

FORM_LIMIT = 2e-4  # llama.cpp's logits against transformers', of the range


def write_config(path, config, architecture):
    text = config if isinstance(config, dict) else config.to_dict()
    text = {k: v for k, v in text.items() if k not in ("transformers_version", "id2label",
                                                       "label2id", "_name_or_path")}
    text["architectures"] = [architecture]
    path.write_text(json.dumps(text, indent=1, sort_keys=True) + "\n")


def reference(folder, architecture, ids):
    model = architecture.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        result = model.eval()(torch.tensor(np.asarray(ids)[None], dtype=torch.long))
    values = result.logits if hasattr(result, "logits") else result.last_hidden_state
    return values[0].float().numpy()


class Family:
    def __init__(self, out, case, seed):
        self.case = case
        self.folder = out / case.name
        self.ids = make_models.token_ids(families.VOCAB)
        shutil.rmtree(self.folder, ignore_errors=True)
        model = families.fill(case.architecture(case.config), seed, torch.bfloat16)
        with tempfile.TemporaryDirectory() as scratch:  # the names that checkpoints have
            model.to(torch.bfloat16).save_pretrained(scratch)
            self.folder.mkdir(parents=True)
            shutil.copy(pathlib.Path(scratch) / "model.safetensors", self.folder)
        (self.folder / "model.safetensors").chmod(0o644)
        write_config(self.folder / "config.json", case.config, case.architecture.__name__)

    def as_variant(self, scratch, config):
        """A folder of the same weights with another config.json."""
        shutil.copy(self.folder / "model.safetensors", scratch)
        write_config(pathlib.Path(scratch) / "config.json", config,
                     self.case.architecture.__name__)
        return scratch

    def write_goldens(self):
        self.goldens = {"": reference(self.folder, self.case.architecture, self.ids)}
        make_models.write_golden(self.folder / "golden.bin", self.ids, self.goldens[""])
        for name, changes in self.case.variants.items():
            config = type(self.case.config)(**{**self.case.config.to_dict(), **changes})
            with tempfile.TemporaryDirectory() as scratch:
                self.as_variant(scratch, config)
                self.goldens[name] = reference(scratch, self.case.architecture, self.ids)
            write_config(self.folder / f"config.{name}.json", config,
                         self.case.architecture.__name__)
            make_models.write_golden(self.folder / f"golden.{name}.bin", self.ids,
                                     self.goldens[name])
            change = family_gguf.relative_error(self.goldens[""], self.goldens[name])
            assert change > 1e-2, f"{self.case.name}: variant {name} changes only {change}"

    def write_legacy(self):
        if self.case.name == "phi3":
            config = families.legacy_phi3(self.case.config)
        elif self.case.name in families.LEGACY:
            dropped, added = families.LEGACY[self.case.name]
            config = self.case.config.to_dict()
            for name in dropped:
                config.pop(name, None)
            config.update(added)
        else:
            return
        with tempfile.TemporaryDirectory() as scratch:
            self.as_variant(scratch, config)
            logits = reference(scratch, self.case.architecture, self.ids)
        assert np.array_equal(logits, self.goldens[""]), f"{self.case.name}: legacy spelling"
        write_config(self.folder / "config.legacy.json", config, self.case.architecture.__name__)

    def write_short(self):
        """longrope within the original context: the short factors."""
        if self.case.name != "phi3":
            return
        short = make_models.token_ids(families.VOCAB, 24)
        make_models.write_golden(self.folder / "golden.short.bin", short,
                                 reference(self.folder, self.case.architecture, short))

    def write_gguf(self):
        variant = self.case.gguf
        if variant is None:
            return
        config = self.folder / (f"config.{variant}.json" if variant else "config.json")
        with tempfile.TemporaryDirectory() as scratch:
            shutil.copy(self.folder / "model.safetensors", scratch)
            shutil.copy(config, pathlib.Path(scratch) / "config.json")
            exact = pathlib.Path(scratch) / "exact.gguf"
            family_gguf.convert(scratch, exact, "f32")
            family_gguf.convert(scratch, self.folder / "model.gguf", "bf16")
            peer = family_gguf.LlamaCpp(exact, self.case.encoder)
            error = family_gguf.relative_error(self.goldens[variant], peer.run(self.ids))
            peer.close()
        if error > FORM_LIMIT:
            (self.folder / "model.gguf").unlink()
            print(f"  {self.case.name}: llama.cpp is {error:.1e} off: no GGUF form")
        else:
            print(f"  {self.case.name}: llama.cpp within {error:.1e}")


def main():
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    out = pathlib.Path(sys.argv[1])
    for seed, case in enumerate(families.all_cases(), 100):  # a new case goes behind the others
        if not case.stored or sys.argv[2:] and case.name not in sys.argv[2:]:
            continue
        family = Family(out, case, seed)
        family.write_goldens()
        family.write_legacy()
        family.write_short()
        family.write_gguf()
        print(case.name, flush=True)


if __name__ == "__main__":
    main()
