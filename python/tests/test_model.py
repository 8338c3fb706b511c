"""Models: loaded and refused; tokens, vectors and logits."""

import json
import unittest

import numpy as np

import bittern
from package_case import ENCODER, EXAMPLE, PROMPT, PackageCase, run_program


class Models(PackageCase):
    def test_says_what_it_is(self):
        info = self.model.info
        self.assertEqual((info.path, info.architecture), (str(EXAMPLE), "bitnet-b1.58"))
        self.assertEqual((info.context, info.sequences), (info.max_context, 4))
        self.assertIs(info.can_generate, True)
        self.assertIsInstance(info.has_chat_template, bool)
        self.assertEqual(info.bos_token, self.model.tokenize("")[0])
        self.assertIn("bittern-stories.gguf", repr(self.model))

    def test_what_cannot_be_loaded(self):
        with self.assertRaisesRegex(bittern.InputError, "no/model"):
            bittern.Model("no/model.gguf")
        with self.assertRaisesRegex(ValueError, "kv_type: one of f32, f16, int8"):
            bittern.Model(EXAMPLE, kv_type="f8")
        with self.assertRaisesRegex(bittern.UsageError, "threads: 0 to 1024"):
            bittern.Model(EXAMPLE, threads=-1)

    def test_options_are_honoured(self):
        with bittern.Model(EXAMPLE, cache=False, context=128, threads=1, sequences=2,
                           kv_type="int8", max_guesses=0) as model:
            self.assertEqual((model.info.context, model.info.threads, model.info.sequences),
                             (128, 1, 2))
            said = run_program("run", EXAMPLE, PROMPT, "--raw", "-n", 20, "--seed", 1, "--quiet",
                               "--kv-type", "int8")
            self.assertEqual(model.generate(PROMPT, max_tokens=20, seed=1).text + "\n", said)

    def test_tokens_there_and_back(self):
        end = self.model.detokenize([self.model.info.eos_token], keep_special=True)
        text = f"The bird said: {end} caf\u00e9 \U0001f426\0!\n"
        said = json.loads(run_program("tokenize", EXAMPLE, "A bird", "--json"))["ids"]
        self.assertEqual(self.model.tokenize("A bird"), said)
        tokens = self.model.tokenize(text)
        self.assertEqual(self.model.detokenize(tokens), text)
        first = self.model.detokenize(tokens[:1], keep_special=True)
        self.assertEqual(self.model.detokenize(tokens, keep_special=True), first + text)
        self.assertEqual(b"".join(map(self.model.token_bytes, tokens[1:])), text.encode())
        self.assertEqual(self.model.tokenize(end, add_special=False, parse_special=True),
                         [self.model.info.eos_token])
        self.assertEqual(self.model.tokenize("", add_special=False), [])
        self.assertEqual(self.model.detokenize([]), "")
        with self.assertRaises(bittern.UsageError):
            self.model.token_bytes(10**6)

    def test_long_results_take_a_second_call(self):
        template = "{% for i in range(2000) %}abc {% endfor %}"
        self.assertEqual(self.model.apply_chat_template([{"role": "user", "content": "x"}],
                                                        chat_template=template), "abc " * 2000)

    def test_statistics_count(self):
        before = self.model.stats()
        self.model.generate(PROMPT, max_tokens=7, ignore_eos=True)
        after = self.model.stats()
        self.assertEqual(after.finished_requests - before.finished_requests, 1)
        self.assertEqual(after.generated_tokens - before.generated_tokens, 7)


class Numbers(PackageCase):
    def test_logits_are_what_is_drawn_from(self):
        expected = list(self.model.generate(PROMPT, max_tokens=12, temperature=0).tokens)
        tokens = self.model.tokenize(PROMPT)
        logits = self.model.logits(tokens + expected[:-1])
        self.assertEqual(logits.shape, (len(tokens) + 11, self.model.info.vocab_size))
        self.assertEqual(logits.dtype, np.float32)
        self.assertEqual(list(logits[len(tokens) - 1:].argmax(axis=1)), expected)
        last = self.model.logits(tokens + expected[:-1], last=3)
        np.testing.assert_array_equal(last, logits[-3:])

    def test_a_sequence_piece_by_piece(self):
        tokens = self.model.tokenize("One day, a bird saw a tree.")
        whole = self.model.logits(tokens)
        with self.model.sequence(64) as sequence:
            rows = [sequence.eval([token])[0] for token in tokens]
            np.testing.assert_array_equal(np.stack(rows), whole)
            self.assertEqual(len(sequence), len(tokens))
            sequence.reset()
            self.assertEqual(len(sequence), 0)
            self.assertEqual(sequence.eval(tokens, 0).shape, (0, self.model.info.vocab_size))
            with self.assertRaisesRegex(bittern.UsageError, "wanted"):
                sequence.eval(tokens, len(tokens) + 1)
            with self.assertRaisesRegex(bittern.UsageError, "room"):
                sequence.eval([1] * 64)
        with self.assertRaisesRegex(bittern.UsageError, "closed"):
            sequence.eval(tokens)

    def test_log_probabilities_follow_from_logits(self):
        completion = self.model.generate(PROMPT, max_tokens=1, prompt_logprobs=0)
        tokens = self.model.tokenize(PROMPT)
        logits = self.model.logits(tokens)[:-1].astype(np.float64)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        np.testing.assert_allclose([entry.logprob for entry in completion.prompt_logprobs],
                                   logits[np.arange(len(tokens) - 1), tokens[1:]], atol=1e-9)

    def test_embeddings_are_those_of_the_program(self):
        texts = ["The little bird sat.", "A tree"]
        said = json.loads(run_program("embed", ENCODER, *texts, "--json"))["texts"]
        with bittern.Model(ENCODER, cache=False) as encoder:
            self.assertFalse(encoder.info.can_generate)
            vectors = encoder.embed(texts)
            np.testing.assert_array_equal(
                vectors, np.array([row["embedding"] for row in said], dtype=np.float32))
            np.testing.assert_array_equal(encoder.embed(texts[0]), vectors[0])
            np.testing.assert_allclose((vectors * vectors).sum(axis=1), 1.0, rtol=1e-6)
            self.assertEqual(encoder.embed([]).shape, (0, encoder.info.embedding_size))
            with self.assertRaisesRegex(bittern.UsageError, "truncate"):
                encoder.embed(texts[0] * 50)
            self.assertEqual(encoder.embed(texts[0] * 50, truncate=True).shape,
                             (encoder.info.embedding_size,))
            with self.assertRaises(bittern.UnsupportedError):
                encoder.generate("x")
        with self.assertRaisesRegex(bittern.UsageError, "pooling"):
            self.model.embed("x")


if __name__ == "__main__":
    unittest.main()
