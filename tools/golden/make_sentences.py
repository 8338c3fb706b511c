#!/usr/bin/env python3
"""Makes tests/data/models/bert a sentence-transformers folder: a WordPiece tokenizer over the 64
tokens of that model, pooling files, and sentences.json, the vectors that sentence-transformers
gives for a few texts (float32) with each pooling. Run after make_families.py.

Usage: make_sentences.py MODELS_DIR   (torch, transformers 5.23, sentence-transformers 6.2,
                                       tokenizers 0.23)
"""
import json
import pathlib
import sys

import sentence_transformers
import tokenizers
import torch
from tokenizers import models, normalizers, pre_tokenizers, processors

torch.set_num_threads(1)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["the", "cat", "dog", "house", "##ing", "##s", "."]
TEXTS = ["the cat", "The Cats.", "a dog is running to the house", "caf\u00e9 \u4f60", "",
         "the house . the cat sings", "the dogs"]
LIMIT = 24  # tokens of a text
POOLINGS = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token",
            "last": "pooling_mode_lasttoken"}


def write_json(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")


def write_tokenizer(path):
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS,
              *("##" + letter for letter in LETTERS), *WORDS]
    assert len(tokens) == 64
    vocab = {token: index for index, token in enumerate(tokens)}
    tokenizer = tokenizers.Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    tokenizer.add_special_tokens(tokens[:5])
    tokenizer.save(str(path))


def write_pooling(folder, pooling):
    write_json(folder / "1_Pooling" / "config.json",
               {"word_embedding_dimension": 32,
                **{key: name == pooling for name, key in POOLINGS.items()}})


def main():
    folder = pathlib.Path(sys.argv[1]) / "bert"
    write_tokenizer(folder / "tokenizer.json")
    write_json(folder / "tokenizer_config.json",
               {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "cls_token": "[CLS]",
                "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]",
                "mask_token": "[MASK]", "model_max_length": 64})
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    write_json(folder / "modules.json",
               [{"idx": index, "name": str(index), "path": path,
                 "type": f"sentence_transformers.models.{kind}"}
                for index, (kind, path) in enumerate(kinds)])
    write_json(folder / "sentence_bert_config.json",
               {"max_seq_length": LIMIT, "do_lower_case": False})
    golden = {"texts": TEXTS, "long": "the cats sing " * 12}
    for pooling in reversed(POOLINGS):  # the folder is left with the first, mean
        write_pooling(folder, pooling)
        model = sentence_transformers.SentenceTransformer(
            str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
        golden[pooling] = model.encode(TEXTS, batch_size=1).tolist()
        golden[pooling + "_long"] = model.encode([golden["long"]])[0].tolist()  # cut to LIMIT
        golden["ids"] = [model.tokenizer(text)["input_ids"] for text in TEXTS]
    write_json(folder / "sentences.json", golden)


if __name__ == "__main__":
    main()
