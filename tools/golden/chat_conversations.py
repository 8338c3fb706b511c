"""Conversations to render chat templates with: what callers send, in many shapes."""
import itertools

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Weather of a place.\nNow.",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "Where <b>&"},
        "unit": {"type": "string", "enum": ["c", "f"], "default": "c"},
        "days": {"type": ["integer", "null"], "minimum": 1},
        "where": {"type": "object", "properties": {"lat": {"type": "number"}},
                  "required": ["lat"]},
        "tags": {"type": "array", "items": {"type": "string"}}},
        "required": ["city"]},
    "return": {"type": "string", "description": "text"}}}
NOTHING = {"type": "function", "function": {
    "name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}}
TOOLS = [WEATHER, NOTHING]

SYSTEM = {"role": "system", "content": "You are terse.\n\nBe kind. "}
HELLO = {"role": "user", "content": "Hello, w\u00f6rld \U0001f600 <|im_end|> {{ x }}"}
ANSWER = {"role": "assistant", "content": "  Hi there.\n"}
AGAIN = {"role": "user", "content": "\u4f60\u597d 'quoted' \"text\"\\ &<>\t"}
THOUGHT = {"role": "assistant", "content": "So: 4", "reasoning_content": "2+2\nis 4",
           "thinking": "2+2\nis 4"}
INLINE = {"role": "assistant", "content": "<think>\nlong thought\n</think>\n\nDone."}


def call(arguments, content=None, identifier="call_1aB2c", **more):
    return {"role": "assistant", "content": content, "tool_calls": [
        {"type": "function", "id": identifier,
         "function": {"name": "get_weather", "arguments": arguments}}], **more}


OBJECT = {"city": "K\u00f6ln", "days": 3, "exact": True, "x": None, "f": 0.5, "l": [1, "a"]}
RESULT = {"role": "tool", "name": "get_weather", "tool_call_id": "call_1aB2c",
          "content": "{\"t\": 21.5}"}
TWO_CALLS = {"role": "assistant", "content": "Let me see.", "tool_calls": [
    {"type": "function", "id": "aaaaaaaa1", "function": {"name": "get_weather",
                                                          "arguments": {"city": "Oslo"}}},
    {"type": "function", "id": "bbbbbbbb2", "function": {"name": "now", "arguments": {}}}]}
PARTS = {"role": "user", "content": [
    {"type": "text", "text": "Look: "}, {"type": "image", "image": "x"},
    {"type": "text", "text": "and say."}]}
DOCUMENTS = [{"title": "Cats", "text": "Cats sleep.", "contents": "Cats sleep."},
             {"title": "Dogs", "text": "Dogs bark.\n", "contents": "Dogs bark."}]

CONVERSATIONS = {
    "one": [HELLO],
    "system": [SYSTEM, HELLO],
    "turns": [HELLO, ANSWER, AGAIN],
    "system_turns": [SYSTEM, HELLO, ANSWER, AGAIN, ANSWER],
    "developer": [{"role": "developer", "content": "Mind."}, HELLO],
    "thought": [HELLO, THOUGHT, AGAIN],
    "thought_last": [SYSTEM, HELLO, THOUGHT],
    "thought_inline": [HELLO, INLINE, AGAIN, INLINE],
    "call_object": [SYSTEM, HELLO, call(OBJECT)],
    "call_text": [HELLO, call("{\"city\": \"Oslo\"}", "")],
    "call_result": [HELLO, call(OBJECT), RESULT],
    "call_answer": [SYSTEM, HELLO, call(OBJECT, "Looking."), RESULT, ANSWER, AGAIN],
    "call_thought": [HELLO, call(OBJECT, "", reasoning_content="must look", thinking="must look"),
                     RESULT, THOUGHT],
    "nine": [HELLO, call(OBJECT, identifier="abcdef123"), {**RESULT, "tool_call_id": "abcdef123"}],
    "two_calls": [HELLO, TWO_CALLS, {**RESULT, "tool_call_id": "aaaaaaaa1"},
                  {"role": "tool", "name": "now", "tool_call_id": "bbbbbbbb2", "content": "12:00"},
                  ANSWER],
    "parts": [PARTS],
    "parts_system": [{"role": "system", "content": [{"type": "text", "text": "S"}]}, PARTS,
                     {"role": "assistant", "content": [{"type": "text", "text": "A"}]}, HELLO],
    "tool_object": [HELLO, call(OBJECT), {**RESULT, "content": {"t": [1, 2.0]}}],
    "two_users": [HELLO, AGAIN],
    "assistant_first": [ANSWER, HELLO],
    "late_system": [HELLO, ANSWER, SYSTEM, AGAIN],
    "no_content": [HELLO, {"role": "assistant"}, AGAIN],
    "null_content": [{"role": "user", "content": None}],
    "empty": [],
    "blank": [{"role": "user", "content": ""}, {"role": "assistant", "content": " \n"}],
    "unknown_role": [{"role": "narrator", "content": "Once."}, HELLO],
    "long": list(itertools.chain.from_iterable([[HELLO, ANSWER]] * 6)) + [AGAIN],
}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
KWARGS = ({}, {"enable_thinking": True}, {"enable_thinking": False}, {"thinking": True},
          {"reasoning_effort": "high", "preserve_thinking": True}, {"custom_tools": TOOLS})


def variables():
    """(name, variables) of every combination."""
    for name, messages in CONVERSATIONS.items():
        for tools, documents, prompt, kwargs in itertools.product(
                (None, TOOLS), (None, DOCUMENTS), (False, True), KWARGS):
            if documents and (tools or kwargs):
                continue
            yield (f"{name} tools={bool(tools)} documents={bool(documents)} prompt={prompt} "
                   f"{kwargs if 'custom_tools' not in kwargs else 'custom_tools'}",
                   {"messages": messages, "tools": tools, "documents": documents,
                    "add_generation_prompt": prompt, **SPECIAL, **kwargs})
