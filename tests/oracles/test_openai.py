"""The official openai package against `bittern batch`.

1. What its client sends becomes the lines of a batch file, and what bittern writes goes back
   through the client: every answer is read into the package's own types, strictly, with no field
   that they do not know; refusals are raised as the exceptions the package has for them.
2. Every field of its request types is known: none is an unknown one, whatever its value.
3. The lines of output and of errors have the members of OpenAI's BatchRequestOutput.

Exit status 0 when all holds. The binary is the one named by BITTERN."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import httpx2
import openai
from openai.types import completion_create_params, embedding_create_params
from openai.types.chat import completion_create_params as chat_create_params

ROOT = pathlib.Path(__file__).resolve().parents[2]
BITTERN = os.environ.get("BITTERN", str(ROOT / "build" / "release" / "bittern"))
MODEL = ROOT / "models" / "bittern-stories.gguf"
TEMPLATE = ("{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
            "{% if tools %}{{ tools | tojson }}{% endif %}[assistant]")
NO_SUCH_VALUE = {"no field has this": [1]}

failures = []


def expect(condition, *message):
    if not condition:
        failures.append(" ".join(str(word) for word in message))


def run_batch(lines):
    """The rows of both output files by custom_id."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / "chat.jinja").write_text(TEMPLATE)
        (path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        done = subprocess.run(
            [BITTERN, "batch", MODEL, path / "in.jsonl", path / "out.jsonl", "--chat-template",
             path / "chat.jinja", "--pooling", "last", "--seed", "1", "--max-tokens", "4"],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode not in (0, 1):
            sys.exit(done.stderr)
        rows = {}
        for name in ("out.jsonl", "out.errors.jsonl"):
            if not (path / name).exists():
                continue
            for text in (path / name).read_text().splitlines():
                row = json.loads(text)
                expect(list(row) == ["id", "custom_id", "response", "error"], "members", list(row))
                expect(list(row["response"]) == ["status_code", "request_id", "body"], text)
                expect(row["error"] is None, text)
                expect(row["custom_id"] not in rows, "twice:", row["custom_id"])
                rows[row["custom_id"]] = row
        expect(set(rows) == {line["custom_id"] for line in lines}, "lines were lost")
        return rows


class Captured(Exception):
    """Ends the first pass of a call, once its body is known."""


def calls(client):
    """What applications do, by name."""
    chat, completions = client.chat.completions, client.completions
    hello = [{"role": "user", "content": "Hello"}]
    tool = {"type": "function", "function": {"name": "weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}}}}
    history = [{"role": "developer", "content": "Be kind."},
               {"role": "user", "content": [{"type": "text", "text": "What is the weather?"}]},
               {"role": "assistant", "content": None, "tool_calls": [
                   {"id": "call_1", "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Bern"}'}}]},
               {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}]
    schema = {"type": "json_schema", "json_schema": {
        "name": "answer", "strict": True, "schema": {
            "type": "object", "properties": {"yes": {"type": "boolean"}},
            "required": ["yes"], "additionalProperties": False}}}
    return {
        "chat": lambda: chat.create(model="gpt-4o", messages=hello),
        "choices": lambda: chat.create(model="gpt-4o", messages=hello, n=3, temperature=1.5,
                                       top_p=0.9, seed=3, stop=["."],
                                       presence_penalty=0.5, frequency_penalty=0.5,
                                       user="u", metadata={"a": "b"}, store=False),
        "logprobs": lambda: chat.create(model="gpt-4o", messages=hello, logprobs=True,
                                        top_logprobs=3,
                                        logit_bias={"12": 5}),
        "schema": lambda: chat.create(model="gpt-4o", messages=hello, response_format=schema,
                                      max_completion_tokens=60),
        "tools": lambda: chat.create(model="gpt-4o", messages=history, tools=[tool],
                                     tool_choice="auto"),
        "text": lambda: completions.create(model="gpt-4o", prompt="Once upon a time"),
        "scored": lambda: completions.create(model="gpt-4o", prompt=[[5, 6, 7], [8, 9]],
                                             max_tokens=1,
                                             logprobs=1, echo=True, temperature=0),
        "best": lambda: completions.create(model="gpt-4o", prompt=["a", "b"], n=2, best_of=3,
                                           logprobs=0),
        "vector": lambda: client.embeddings.create(model="gpt-4o", input="a bird"),
        "vectors": lambda: client.embeddings.create(model="gpt-4o", input=["a", "b"],
                                                    encoding_format="float"),
        "refused": lambda: chat.create(model="gpt-4o", messages=hello, temperature=-1),
        "image": lambda: chat.create(model="gpt-4o", messages=[{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}]}]),
    }


def unknown_fields(value, path=""):
    """Members that the package's types do not have."""
    found = []
    if isinstance(value, openai.BaseModel):
        found += [f"{path}.{name}" for name in value.model_extra or {}]
        for name in type(value).model_fields:
            found += unknown_fields(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for index, element in enumerate(value):
            found += unknown_fields(element, f"{path}[{index}]")
    return found


def check_client():
    bodies = {}

    def capture(request):
        bodies[current] = (request.url.path, json.loads(request.content))
        raise Captured

    def client(handler):
        return openai.OpenAI(api_key="none", base_url="http://localhost/v1", max_retries=0,
                             http_client=httpx2.Client(transport=httpx2.MockTransport(handler)))

    for current, call in calls(client(capture)).items():
        try:
            call()
        except openai.APIConnectionError as error:
            expect(isinstance(error.__cause__, Captured), current, error)
        except Captured:
            pass
    rows = run_batch([{"custom_id": name, "method": "POST", "url": url, "body": body}
                      for name, (url, body) in bodies.items()])

    def answer(_):
        response = rows[current]["response"]
        return httpx2.Response(response["status_code"], json=response["body"])

    answers = {}
    for current, call in calls(client(answer)).items():
        try:
            answers[current] = call()
        except openai.BadRequestError as error:
            answers[current] = error
            continue
        expect(unknown_fields(answers[current]) == [], current, unknown_fields(answers[current]))
        # The client decodes one itself; the nulls of an echo are the service's, not the package's.
        if current not in ("vector", "scored"):
            type(answers[current]).model_validate(rows[current]["response"]["body"], strict=True)
    check_answers(answers)
    print(f"{len(answers)} calls of openai {openai.__version__} answered")


def check_answers(answers):
    for name in ("chat", "choices", "logprobs", "schema", "tools"):
        body = answers[name]
        expect(len(body.choices) == (3 if name == "choices" else 1), name, "choices")
        expect(body.usage.total_tokens ==
               body.usage.prompt_tokens + body.usage.completion_tokens, name, "usage")
        expect(all(choice.message.role == "assistant" for choice in body.choices), name, "role")
    rows = answers["logprobs"].choices[0].logprobs.content
    expect(len(rows) == 4 and all(len(row.top_logprobs) == 3 for row in rows), "logprobs", rows)
    expect(all(bytes(row.bytes).decode(errors="replace") == row.token for row in rows), "bytes")
    schema = answers["schema"].choices[0]
    if schema.finish_reason == "stop":
        expect(list(json.loads(schema.message.content)) == ["yes"], "schema", schema)
    # As lm-evaluation-harness reads them: one entry for each token, null first, the likeliest
    # beside.
    for choice, length in zip(answers["scored"].choices, (3, 2), strict=True):
        table = choice.logprobs
        for column in (table.tokens, table.token_logprobs, table.top_logprobs, table.text_offset):
            expect(len(column) == length + 1, "scored", column)
        expect(table.token_logprobs[0] is None, "scored", table.token_logprobs)
        for token, value, top in zip(table.tokens[1:], table.token_logprobs[1:],
                                     table.top_logprobs[1:], strict=True):
            expect(top[token] == value and value <= max(top.values()) <= 0, "scored", token, top)
    expect([choice.index for choice in answers["best"].choices] == [0, 1, 2, 3], "best")
    one, two = answers["vector"].data[0].embedding, answers["vectors"].data[0].embedding
    expect(len(one) == len(two) and abs(sum(x * x for x in one) - 1) < 1e-5, "vectors")
    for name, param in (("refused", "temperature"), ("image", "messages[0].content[0].type")):
        expect(isinstance(answers[name], openai.BadRequestError), name, answers[name])
        expect(answers[name].param == param, name, answers[name].param)


def check_fields():
    kinds = {
        "/v1/chat/completions": (chat_create_params.CompletionCreateParamsBase,
                                 {"messages": [{"role": "user", "content": "x"}]}),
        "/v1/completions": (completion_create_params.CompletionCreateParamsBase, {"prompt": "x"}),
        "/v1/embeddings": (embedding_create_params.EmbeddingCreateParams, {"input": "x"}),
    }
    lines = []
    for url, (params, body) in kinds.items():
        for field in [*params.__annotations__, "no_such_field"]:
            lines.append({"custom_id": f"{url} {field}", "method": "POST", "url": url,
                          "body": body | {field: NO_SUCH_VALUE}})
    tolerated = []
    for name, row in run_batch(lines).items():
        error = row["response"]["body"].get("error")
        if error is None:
            tolerated.append(name)
            continue
        is_known = error["code"] != "unknown_parameter"
        expect(is_known != name.endswith(" no_such_field"), name, error)
        expect(error["param"].startswith(name.split()[1]), name, error)
    print(f"{len(lines)} fields; data of the caller's, taken as it is: {', '.join(tolerated)}")


def main():
    check_client()
    check_fields()
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
