"""The tokenizer.json that the vocabulary of a GGUF file would be, so that the `tokenizers` package
can answer for it. Byte-level vocabularies only."""
LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def split_stage(pattern):
    return {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
        {**BYTES, "use_regex": False}]}


DIGITS = {"type": "Sequence", "pretokenizers": [
    {"type": "Digits", "individual_digits": True}, BYTES]}
# tokenizer.ggml.pre -> pre_tokenizer, ignore_merges, normalizer
GGUF_PRE = {
    "gpt-2": (BYTES, False, None), "mpt": (BYTES, False, {"type": "NFC"}),
    "smollm": (DIGITS, False, None), "starcoder": (DIGITS, False, None),
    "refact": (DIGITS, False, None), "command-r": (DIGITS, False, {"type": "NFC"}),
    "llama-bpe": (split_stage(LLAMA), True, None),
    "qwen2": (split_stage(LLAMA.replace("{1,3}", "")), False, {"type": "NFC"}),
}


def from_gguf(path):
    """None where the model or its pre-tokeniser is not in the table."""
    from gguf import GGUFReader
    fields = GGUFReader(path).fields

    def value(key):
        field = fields.get("tokenizer.ggml." + key)
        return None if field is None else field.contents()

    if value("model") != "gpt2" or value("pre") not in GGUF_PRE:
        return None
    tokens, types = value("tokens"), value("token_type")
    pre, ignore_merges, normalizer = GGUF_PRE[value("pre")]
    added = [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": kind == 3}
             for i, (t, kind) in enumerate(zip(tokens, types)) if kind in (3, 4)]
    vocab = {t: i for i, t in enumerate(tokens) if types[i] == 1}
    vocab.update({a["content"]: a["id"] for a in added})
    adds = value("add_bos_token")
    adds = value("pre") == "llama-bpe" if adds is None else adds
    begin = tokens[value("bos_token_id")] if adds else None
    template = begin and {
        "type": "TemplateProcessing", "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                                               {"Sequence": {"id": "B", "type_id": 0}}],
        "single": [{"SpecialToken": {"id": begin, "type_id": 0}},
                   {"Sequence": {"id": "A", "type_id": 0}}],
        "special_tokens": {begin: {"id": begin, "ids": [value("bos_token_id")], "tokens": [begin]}}}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": normalizer, "pre_tokenizer": pre, "post_processor": template,
            "decoder": BYTES, "model": {
                "type": "BPE", "dropout": None, "unk_token": None,
                "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
                "byte_fallback": False, "ignore_merges": ignore_merges, "vocab": vocab,
                "merges": [m.split(" ", 1) for m in value("merges")]}}
