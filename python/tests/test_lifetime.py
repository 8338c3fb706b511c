"""Streams that are left early, closed by others, interrupted; models that are closed in use."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

import bittern
from package_case import EXAMPLE, PROMPT, LongCase, PackageCase


def run_python(script, *arguments, **options):
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


class Streams(LongCase):
    def assert_nothing_runs(self, model):
        """At most a step later."""
        while model.stats().running_sequences:
            time.sleep(0.001)

    def test_who_leaves_early_ends_the_text(self):
        model = self.load()
        for piece in self.endless(model):
            self.assertTrue(piece)
            break
        gc.collect()
        self.assert_nothing_runs(model)
        with self.endless(model) as stream:
            next(stream)
        self.assertIsNone(next(stream, None))
        self.assert_nothing_runs(model)

    def test_cancel_keeps_what_was_made(self):
        model = self.load()
        stream = self.endless(model)
        first = next(stream)
        stream.cancel()
        completion = stream.completion()
        self.assertEqual(completion.finish_reason, "cancelled")
        self.assertTrue(completion.text.startswith(first))
        stream.cancel()
        stream.close()
        stream.close()
        self.assertEqual(stream.completion(), completion)

    def test_another_thread_closes_it(self):
        model = self.load()
        stream = self.endless(model)
        next(stream)
        closer = threading.Thread(target=stream.close)
        closer.start()
        for _ in stream:
            pass
        closer.join()
        self.assert_nothing_runs(model)

    def test_a_model_closed_while_a_text_is_made(self):
        model = self.load()
        stream = self.endless(model)
        next(stream)
        model.close()
        self.assertEqual(stream.completion().finish_reason, "cancelled")
        with self.assertRaisesRegex(bittern.UsageError, "closed"):
            model.generate(PROMPT)
        self.assertTrue(model.closed)
        model.close()

    def test_a_stream_keeps_its_model(self):
        stream = bittern.Model(EXAMPLE, cache=False).stream(PROMPT, max_tokens=32, seed=1)
        gc.collect()
        self.assertEqual(stream.completion().finish_reason, "max_tokens")

    def test_a_stream_closed_at_once(self):
        model = self.load(sequences=1)
        with self.endless(model) as running:
            next(running)
            waiting = self.endless(model)
            waiting.close()
            with self.assertRaisesRegex(bittern.UsageError, "before anything came"):
                waiting.completion()

    def test_a_full_queue_is_said(self):
        model = self.load(sequences=1, max_queued_requests=1)
        with self.endless(model) as running:
            next(running)
            with self.endless(model), self.assertRaisesRegex(bittern.ResourceError, "queue"):
                self.endless(model)

    def test_control_c_while_streaming(self):
        script = """
import sys
from bittern import Model
with Model(sys.argv[1], cache=False) as model:
    try:
        for piece in model.stream("Once upon a time", ignore_eos=True):
            print("piece", flush=True)
    except KeyboardInterrupt:
        print("interrupted", model.generate("One", max_tokens=3).finish_reason, flush=True)
"""
        process = run_python(script, self.path)
        self.assertEqual(process.stdout.readline(), "piece\n")
        drain = threading.Thread(target=lambda: lines.extend(process.stdout))
        lines = []
        drain.start()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=60), 0, process.stderr.read())
        drain.join()
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(lines[-1], "interrupted max_tokens\n")

    def test_control_c_while_waiting(self):
        """Nothing comes: the only sequence is another's."""
        script = """
import sys
from bittern import Model
model = Model(sys.argv[1], cache=False, sequences=1)
running = model.stream("Once", ignore_eos=True)
next(running)
print("waits", flush=True)
model.generate("Once")
"""
        process = run_python(script, self.path)
        self.assertEqual(process.stdout.readline(), "waits\n")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertTrue(errors.rstrip().endswith("KeyboardInterrupt"), errors)

    def test_a_process_ends_whatever_is_open(self):
        script = """
import sys
from bittern import Model
model = Model(sys.argv[1], cache=False)
streams = [model.stream("Once", ignore_eos=True) for _ in range(3)]
next(streams[0])
sequence = model.sequence(10)
"""
        process = run_python(script, self.path)
        _, errors = process.communicate(timeout=60)
        self.assertEqual((process.returncode, errors), (0, ""))


class Threads(PackageCase):
    def test_each_is_alone(self):
        prompts = [PROMPT, "The bird", "Lily and Tom", "One day"]
        alone = [self.model.generate(prompt, max_tokens=40, seed=4).text for prompt in prompts]
        together = {}

        def work(index):
            for _ in range(3):
                together.setdefault(index, []).append(
                    self.model.generate(prompts[index], max_tokens=40, seed=4).text)

        threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(together, {index: [text] * 3 for index, text in enumerate(alone)})

    def test_closed_while_others_call(self):
        model = bittern.Model(EXAMPLE, cache=False)
        outcomes = []

        def work():
            try:
                while True:
                    model.embed("The bird", pooling="mean")
            except bittern.UsageError as error:
                outcomes.append(str(error))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        model.embed("Once", pooling="mean")
        model.close()
        for thread in threads:
            thread.join()
        self.assertEqual(outcomes, ["the model is closed"] * 3)


class Library(unittest.TestCase):
    def test_a_library_that_is_not_there(self):
        environment = dict(os.environ, BITTERN_LIBRARY="nowhere/libbittern.so")
        process = run_python("import bittern; bittern.version()", env=environment)
        _, errors = process.communicate(timeout=60)
        self.assertIn("LibraryError: libbittern was not found", errors)
        self.assertIn("nowhere/libbittern.so", errors)


if __name__ == "__main__":
    unittest.main()
