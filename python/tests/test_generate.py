"""Texts: those of the program, every option, whole and in pieces."""

import json
import re
import unittest

import bittern
from package_case import EXAMPLE, PROMPT, PackageCase, run_program

TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{{ mood }}"


class Generate(PackageCase):
    def text(self, **options):
        return self.model.generate(PROMPT, **{"max_tokens": 32, "seed": 1, **options}).text

    def test_says_what_the_program_says(self):
        cases = [
            ({}, []),
            ({"temperature": 0}, ["--temp", 0]),
            ({"top_k": 3, "samplers": ["temperature", "top_k"]},
             ["--top-k", 3, "--samplers", "temperature;top_k"]),
            ({"repeat_penalty": 1.4, "repeat_last_n": -1},
             ["--repeat-penalty", 1.4, "--repeat-last-n", -1]),
            ({"logit_bias": {300: 2.5, 301: float("-inf")}},
             ["--logit-bias", "300+2.5", "--logit-bias", "301-inf"]),
            ({"stop": [" was", "."]}, ["--stop", " was", "--stop", "."]),
            ({"stop": "."}, ["--stop", "."]),
            ({"dry_multiplier": 5, "dry_allowed_length": 0, "dry_breakers": ["e"]},
             ["--dry-multiplier", 5, "--dry-allowed-length", 0, "--dry-sequence-breaker", "e"]),
            ({"seed": 2**53}, ["--seed", 2**53]),
        ]
        for options, flags in cases:
            with self.subTest(**options):
                said = run_program("run", EXAMPLE, PROMPT, "--raw", "-n", 32, "--seed", 1,
                                   "--quiet", *flags)
                self.assertEqual(self.text(**options) + "\n", said)

    def test_pieces_are_the_text(self):
        pieces = list(self.model.stream(PROMPT, max_tokens=32, seed=1))
        self.assertGreater(len(pieces), 10)
        self.assertEqual("".join(pieces), self.text())

    def test_the_prompt_may_be_tokens(self):
        tokens = self.model.tokenize(PROMPT)
        self.assertEqual(self.model.generate(tokens, max_tokens=32, seed=1).text, self.text())

    def test_all_texts_of_a_prompt(self):
        completion = self.model.generate(PROMPT, max_tokens=16, seed=1, n=3)
        self.assertEqual([choice.text for choice in completion.choices],
                         [self.text(max_tokens=16, seed=seed) for seed in (1, 2, 3)])
        self.assertEqual(completion.finish_reason, "max_tokens")
        self.assertEqual(str(completion), completion.choices[0].text)
        self.assertEqual(completion.prompt_tokens, len(self.model.tokenize(PROMPT)))
        # A stream of several has the pieces of the first, deltas() of all.
        self.assertEqual("".join(self.model.stream(PROMPT, max_tokens=16, seed=1, n=2)),
                         completion.choices[0].text)
        deltas = list(self.model.stream(PROMPT, max_tokens=16, seed=1, n=2).deltas())
        self.assertEqual("".join(delta.text for delta in deltas if delta.choice == 1),
                         completion.choices[1].text)

    def test_log_probabilities(self):
        said = json.loads(run_program("run", EXAMPLE, PROMPT, "--raw", "-n", 6, "--seed", 1,
                                      "--json", "--logprobs", 2))["log_probabilities"]
        completion = self.model.generate(PROMPT, max_tokens=6, seed=1, logprobs=2,
                                         prompt_logprobs=0)
        self.assertEqual([entry.token for entry in completion.logprobs], list(completion.tokens))
        for own, row in zip(completion.logprobs, said):
            self.assertEqual((own.token, own.logprob), (row["token_id"], row["log_probability"]))
            self.assertEqual([(top.token, top.logprob) for top in own.top],
                             [(top["token_id"], top["log_probability"]) for top in row["top"]])
        self.assertEqual([entry.token for entry in completion.prompt_logprobs],
                         self.model.tokenize(PROMPT)[1:])

    def test_matches_what_is_asked_for(self):
        schema = {"type": "object", "properties": {"ok": {"type": "boolean"}},
                  "required": ["ok"], "additionalProperties": False}
        made = json.loads(self.text(json_schema=schema, max_tokens=200))
        self.assertIn(made["ok"], (True, False))
        self.assertIn(self.text(choice=["red", "green"]), ("red", "green"))
        self.assertTrue(re.fullmatch("[0-9]{4}", self.text(regex="[0-9]{4}")))
        self.assertIn(self.text(grammar='root ::= "a" | "b"'), ("a", "b"))
        self.assertTrue(self.text(json_object=True).startswith("{"))

    def test_none_is_the_default(self):
        self.assertEqual(self.text(temperature=None, stop=None, json_schema=None), self.text())

    def test_chat(self):
        messages = [{"role": "user", "content": "Hi"}]
        extras = {"chat_template": TEMPLATE, "chat_template_kwargs": {"mood": "!"}}
        self.assertEqual(self.model.apply_chat_template(messages, **extras), "<user>Hi!")
        tokens = self.model.tokenize_chat(messages, **extras)
        self.assertEqual(self.model.detokenize(tokens), "<user>Hi!")
        answer = self.model.generate(tokens, max_tokens=8, seed=1).text
        self.assertEqual(self.model.chat(messages, max_tokens=8, seed=1, **extras).text, answer)
        self.assertEqual(
            "".join(self.model.stream_chat(messages, max_tokens=8, seed=1, **extras)), answer)
        with self.assertRaisesRegex(bittern.UsageError, "no chat template"):
            self.model.chat(messages)
        with self.assertRaisesRegex(TypeError, "role"):
            self.model.chat("Hi")

    def test_what_cannot_be_is_an_error_of_its_kind(self):
        cases = [
            ({"temprature": 1}, TypeError, "temprature.*did you mean 'temperature'"),
            ({"quantum": 1}, TypeError, "quantum.*there are: max_tokens, "),
            ({"temperature": "hot"}, TypeError, "temperature: a number expected, got 'hot'"),
            ({"max_tokens": "5"}, TypeError, "max_tokens: an integer expected, got '5'"),
            ({"top_p": 2}, bittern.UsageError, "top-p"),
            ({"top_p": 2}, ValueError, "top-p"),
            ({"seed": -1}, bittern.UsageError, "seed: an integer from 0"),
            ({"seed": 2**64}, bittern.UsageError, "seed"),
            ({"max_tokens": 1.5}, bittern.UsageError, "max_tokens"),
            ({"stop": ["a\0b"]}, bittern.UsageError, "NUL"),
            ({"stop": [3]}, TypeError, "stop: a str expected, got int"),
            ({"stop_tokens": [2**40]}, bittern.UsageError, "no token"),
            ({"n": 0}, bittern.UsageError, "n: 1 to"),
            ({"samplers": "top_q"}, bittern.UsageError, "top_q"),
            ({"regex": "("}, bittern.InputError, "regular expression"),
            ({"regex": "(?=a)"}, bittern.UnsupportedError, "look-ahead"),
            ({"regex": "(?=a)"}, NotImplementedError, "look-ahead"),
            ({"json_schema": {"type": "strnig"}}, bittern.InputError, "/type"),
            ({"regex": "a", "json_object": True}, bittern.UsageError, "at most one"),
            ({"choice": []}, bittern.BitternError, ""),
        ]
        for options, kind, message in cases:
            with self.subTest(**options), self.assertRaisesRegex(kind, message):
                self.model.generate(PROMPT, **options)
        with self.assertRaisesRegex(bittern.UsageError, "prompt"):
            self.model.generate([])
        for prompt in (5, b"Once", None):
            with self.assertRaisesRegex(TypeError, "prompt: a str or token ids expected"):
                self.model.generate(prompt)


if __name__ == "__main__":
    unittest.main()
