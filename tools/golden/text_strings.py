"""Strings that tokenisers get wrong: by hand, and random from seeded pools. Shared by the golden
generator (tools/golden/tokenizers_bpe.py) and the heavy oracle (tests/oracles/test_tokenizers.py).
"""
import random

HAND = [
    "", " ", "  ", "   ", "\n", "\r\n", "\n\n\n", "\t", "\t\t\tx", " \n \n x", "a \n\n b", "x   ",
    "x  \n", "  x", "\u00a0x", "x\u0085y", "\u2028\u2029a", "\u3000あ", "a\u200bb", "\ufeffbom",
    "Hello, world!", "Hello  world", "hello's it's IT'S WE'LL we'Ll they'RE I'M i'D you'Ve o'clock",
    "it'\u017f IT'\u017ft '\u017f'\u017f", "don't'd'll''s 's 't",
    "we've they're'verb 'reply 'llama 'VEx I'mm 'tis 'Dx 'lx", "'", "''", "'\u00e9", "' s", "'S",
    "1", "12", "123", "1234", "12345678", "1 234 567", "a1b22c333", "٣٤٥٦ १२३ ²³¹ ½ Ⅷ ㊿ 𝟙𝟚𝟛",
    "3.14159e-10, 0x1F, 1,000,000.00", "$100 €50 £3", "x=1;y=2", "...!!!???", "!?\r\n\r\n", "a,\n",
    "def f(x):\n    if x > 0:\n        return x ** 2\n\treturn -1\n", "for (int i=0;i<n;++i){a[i]+=1;}",
    "https://example.org/a?b=c&d=%20#e", "user@example.com",
    "<html><body class=\"x\">&nbsp;</body>",
    "Ünïcödé façade naïve Ångström", "U\u0308ni\u0308co\u0308de\u0301 fac\u0327ade A\u030angstro\u0308m",
    "e\u0301\u0323 e\u0323\u0301 \u0344 \u0958 \ufb1d \u1e9b\u0323", "\u1100\u1161\u11a8 각 가\u11a8",
    "Привет, мир! Ёжик", "Γειά σου Κόσμε ΐ", "שלום עולם", "مرحبا بالعالم ١٢٣", "नमस्ते दुनिया १२३",
    "สวัสดีชาวโลก", "こんにちは世界。カタカナ ｶﾀｶﾅ", "你好，世界！一二三", "안녕하세요 세계", "မင်္ဂလာပါ",
    "ሰላም ልዑል", "გამარჯობა", "Բարեւ", "வணக்கம் உலகம்", "ᏣᎳᎩ", "𐐷𐐲 𝒜𝓑 𠀀𠀁", "ﬁ ﬂ ﬆ ŉ",
    "🙂🙃👍🏽", "👩‍👩‍👧‍👦 👨🏿‍🚀 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇩🇪🇫🇷", "☺️ ☺ ❤️‍🔥", "a\u0301\u0302\u0303\u0304b", "\u0301start", "Z̸̧̢͓͇̖̺̈a̴l̵g̶o̷",
    "\x00", "a\x00b\x01\x1f\x7f", "\x1c\x1d\x1e", "\ufffd\ufffd", "\ufffe\uffff\U0010ffff", "\U000e0001",
    "\U0001d165\U0001d16d", "\u1c89\u1c8a \U00010d40\U00010d41 \U00011de0\U00011de1 \U00016ff4",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    " " * 70, "=" * 50, "ab" * 40, "the" * 30, "\n" * 40 + " " * 9, "0" * 37, "é" * 33, "字" * 35,
    "The quick brown fox jumps over the lazy dog. The princess said: \"I'll come!\"",
    "Once upon a time, there was a little girl named Lily. She loved to play outside.",
    "<|endoftext|>", "a<|endoftext|>b", "a <|endoftext|> b", "<|endoftext|><|endoftext|>",
    "<|endoftext", "|endoftext|>", "<|end<|endoftext|>|>", "<|endoftext|>\n\nUser: hi",
    "<tool>", "x <tool> y", "x  <tool>  \n y", "<tool><tool>", "<tool> <tool>", "word", "word word",
    "swordword", "word.", "_word_", "éword", "a word b", "wordword", "<tool>word", "<|endoftext|>word",
    "<strip>", "  <strip>  ", "a\t<strip>\u00a0\u3000b", "a<strip>b", "\n<strip>\n<strip>\n",
    "caf\u00e9x cafe\u0301x CAF\u00c9X", "<<tool>>", "  ", "a  b", "<strip>    b", "x \u2000<strip>\u200b",
]

POOLS = [
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", " \t\n\r", " ", "'",
    "stremvdlSTREMVDL\u017f'", "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~", "éèüñçßøåÉÈÜ", "абвгдеёАБВ",
    "αβγδΩ", "\u0300\u0301\u0308\u0323\u0327\u0345", "שלוםעברית", "ابتثجحخ", "कखगघङािीु्", "กขคงจิีึ",
    "あいうえおカキク", "你好世界中文字", "안녕하세요각갂", "\u1100\u1101\u1161\u1162\u11a8\u11a9", "٠١٢٣०१२",
    "²³¹½Ⅷ㊿𝟙", "\u00a0\u0085\u2000\u2028\u3000\u202f\u205f\u1680", "🙂👍🏽👩‍👦🇩🇪❤️", "\u200b\u200c\u200d\ufeff\u2060",
    "\x00\x01\x1c\x1f\x7f\u0080\u009f", "$€£+<=>|~^`", "\u1c89\u0897\U00010d40\U00011de0\U0001e4d0",
]
WORDS = [
    "the", " the", " a", "ing", " was", "n't", "'s", "'ll", "'RE", "Hello", " little", "girl", "function",
    "return", " = ", "\n    ", "\r\n", "\n\n", "  ", "://", "...", "123", "2024", " princess", "étaient",
    "straße", " из", "はい", "<|endoftext|>", "<tool>", "<strip>", "word", " word ", "<|end", "caf\u00e9x",
    "cafe\u0301x",
]


def random_string(rng, longest=40, any_code_point=0.05):
    """A run of short draws from the pools, from words, and now and then from all of Unicode."""
    out = []
    for _ in range(rng.randint(1, longest)):
        kind = rng.random()
        if kind < any_code_point:
            code = rng.randrange(0x110000)
            while 0xD800 <= code < 0xE000:
                code = rng.randrange(0x110000)
            out.append(chr(code))
        elif kind < 0.35:
            out.append(rng.choice(WORDS))
        else:
            pool = rng.choice(POOLS)
            out.append("".join(rng.choice(pool) for _ in range(rng.choice((1, 1, 2, 3, 6)))))
    return "".join(out)


def strings(count, seed, longest=40):
    """The hand-written ones, then random ones up to `count`."""
    rng = random.Random(seed)
    out = list(HAND[:count])
    while len(out) < count:
        out.append(random_string(rng, longest))
    return out
