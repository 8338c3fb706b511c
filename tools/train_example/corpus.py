"""Text for the example model: cleaning, splitting, tokenizer training, token files.

Reads the prose/*.txt.gz files named in SOURCES, turns them into plain documents
(straight quotes, one paragraph a line), trains a 4096-token byte-level BPE on the
training part and writes into the work folder:
  tokenizer.json          Hugging Face tokenizers file, GPT-2 pre-tokenisation
  <split>.tokens.npy      uint16, every document preceded by <|endoftext|>
  <split>.starts.npy      int64, index of each document's <|endoftext|>
  <split>.txt             validation splits only: the documents, for per-byte figures
Training documents that overlap fairytales_val or fairytales_test are dropped.
"""

import argparse
import gzip
import json
import random
import re
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

END_OF_TEXT = "<|endoftext|>"
VOCAB_SIZE = 4096
SOURCES = ("tinystories_sample", "fairytales_train", "andersen_tales", "gutenberg_children")
HELD_OUT_SHARE = 0.05
STORY_REPEATS = 4  # weight of TinyStories when merges are counted
SHINGLE_WORDS = 10
MAX_SHINGLE_OVERLAP = 0.02

PUNCTUATION = str.maketrans({
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u00ab": '"', "\u00bb": '"',
    "\u2018": "'", "\u2019": "'", "\u00b4": "'", "`": "'",
    "\u2013": "-", "\u2014": "--", "\u2026": "...", "\u00a0": " ", "\u200b": "",
    "\u00a1": "", "\ufeff": "", "\t": " ", "\r": "",
})


def normalise(text):
    """Straight quotes, plain dashes, single spaces."""
    text = text.translate(PUNCTUATION)
    return re.sub(r" +", " ", text)


def unwrap(text):
    """Joins hard-wrapped lines: a line ends a paragraph if the next word would have fitted."""
    lines = [line.strip() for line in text.split("\n")]
    width = max(len(line) for line in lines)
    if width > 100:  # one paragraph a line already
        return "\n".join(line for line in lines if line)
    paragraphs, current = [], ""
    for line, following in zip(lines, lines[1:] + [""]):
        current = f"{current} {line}".strip()
        first_word = following.split(" ")[0]
        if not first_word or len(line) + 1 + len(first_word) <= width - 4:
            paragraphs.append(current)
            current = ""
    return "\n".join(p for p in paragraphs if p)


def join_sentences(text):
    """gutenberg_children holds one sentence a line: drop its artefacts, make paragraphs."""
    text = re.sub(r"\[Illustration[^\]]{0,400}\]", " ", text)
    text = re.sub(r"_ ?Page ?_? ?\d+ ?_?\.?\s*_?\]?|\[?Page _? ?\d+ ?_?\.?\]?", " ", text)
    text = re.sub(r" ?_ ?", " ", text)
    paragraphs, current = [], ""
    for line in text.split("\n"):
        current = re.sub(r" +", " ", f"{current} {line}").strip()
        current = re.sub(r" ([.,;:!?])", r"\1", current)
        if len(current) > 400:
            paragraphs.append(current)
            current = ""
    return "\n".join(paragraphs + [current])


def documents(folder, name):
    """The cleaned documents of one source."""
    raw = gzip.open(folder / f"{name}.txt.gz", "rt", encoding="utf-8").read()
    parts = raw.split(END_OF_TEXT)
    if name == "tinystories_sample":
        parts = parts[:-1]  # the sample is cut at 2 MiB, inside its last story
    reflow = join_sentences if name == "gutenberg_children" else unwrap
    cleaned = [reflow(normalise(part)).strip() for part in parts if part.strip()]
    return list(dict.fromkeys(doc for doc in cleaned if len(doc) > 40))


def shingles(doc):
    words = re.findall(r"[a-z]+", doc.lower())
    return {tuple(words[i:i + SHINGLE_WORDS]) for i in range(len(words) - SHINGLE_WORDS + 1)}


def without_overlap(docs, forbidden):
    """Drops documents that share text with the held-out tales."""
    kept = []
    for doc in docs:
        own = shingles(doc)
        if not own or len(own & forbidden) / len(own) <= MAX_SHINGLE_OVERLAP:
            kept.append(doc)
    return kept


def load_splits(folder):
    """Returns ({name: documents} for training, the same for validation)."""
    train = {name: documents(folder, name) for name in SOURCES}
    stories = train["tinystories_sample"]
    random.Random(1).shuffle(stories)
    held_out = round(len(stories) * HELD_OUT_SHARE)
    tales = documents(folder, "fairytales_val")
    reserved = tales + documents(folder, "fairytales_test")
    forbidden = set().union(*map(shingles, reserved))
    for name in SOURCES[1:]:
        train[name] = without_overlap(train[name], forbidden)
    validation = {"val_stories": stories[:held_out], "val_tales": tales}
    train["tinystories_sample"] = stories[held_out:]
    return train, validation


def train_tokenizer(train):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE, special_tokens=[END_OF_TEXT], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    text = train["tinystories_sample"] * STORY_REPEATS
    for name in SOURCES[1:]:
        text = text + train[name]
    tokenizer.train_from_iterator(text, trainer)
    assert tokenizer.get_vocab_size() == VOCAB_SIZE
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END_OF_TEXT} $A",
        special_tokens=[(END_OF_TEXT, tokenizer.token_to_id(END_OF_TEXT))])
    return tokenizer


def write_tokens(folder, split, docs, tokenizer):
    end = tokenizer.token_to_id(END_OF_TEXT)
    pieces, starts, position = [], [], 0
    for encoding in tokenizer.encode_batch(docs):  # each begins with <|endoftext|>
        starts.append(position)
        pieces.append(np.array(encoding.ids, dtype=np.uint16))
        position += len(pieces[-1])
    pieces.append(np.array([end], dtype=np.uint16))
    np.save(folder / f"{split}.tokens.npy", np.concatenate(pieces))
    np.save(folder / f"{split}.starts.npy", np.array(starts, dtype=np.int64))
    size = sum(len(doc.encode()) for doc in docs)
    return {"documents": len(docs), "bytes": size, "tokens": position + 1}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--prose", type=Path, required=True, help="folder with the *.txt.gz files")
    parser.add_argument("--work", type=Path, required=True, help="folder to write into")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    train, validation = load_splits(args.prose)
    tokenizer = train_tokenizer(train)
    tokenizer.save(str(args.work / "tokenizer.json"))
    counts = {}
    for split, docs in {**train, **validation}.items():
        counts[split] = write_tokens(args.work, split, docs, tokenizer)
    for split, docs in validation.items():
        (args.work / f"{split}.txt").write_text(f"\n{END_OF_TEXT}\n".join(docs), encoding="utf-8")
    (args.work / "corpus.json").write_text(json.dumps(counts, indent=1) + "\n")
    print(json.dumps(counts, indent=1))


if __name__ == "__main__":
    main()
