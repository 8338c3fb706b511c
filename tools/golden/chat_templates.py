#!/usr/bin/env python3
"""Writes tests/data/chat/cases.json: templates of ours, what they are given, and what jinja2 with
transformers' settings makes of them (null: it raises). Every filter, test and method is there at
least once, then random templates, then whole chat templates over conversations.

Needs transformers 5.23 and jinja2 3.1.6. usage: chat_templates.py"""
import copy
import datetime
import json
import os
import random
import warnings

import chat_random
from chat_conversations import CONVERSATIONS, SPECIAL, TOOLS
from transformers.utils import chat_template_utils

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "data", "chat")
NOW = datetime.datetime(2026, 3, 5, 14, 7, 9)
SUBJECTS = {"attr": "d", "batch": "l", "dictsort": "d", "groupby": "rows", "items": "d",
            "join": "ls", "map": "rows", "max": "l", "min": "l", "reject": "l", "select": "l",
            "selectattr": "rows", "rejectattr": "rows", "slice": "l", "sort": "ls", "sum": "l",
            "unique": "ls", "abs": "neg", "round": "f", "int": "'12'", "float": "'1.5'",
            "format": "'%s'", "tojson": "nest", "first": "l", "last": "l", "list": "s",
            "get": "d", "keys": "d", "values": "d", "copy": "d", "is_integer": "f",
            "divisibleby": "n", "even": "n", "odd": "n", "in": "n", "ge": "n", "gt": "n",
            "lt": "n", "le": "n", "ne": "n", "eq": "n"}
REST = [  # rows the grammar has no arguments for, and what else is worth a line
    "{{ 'abc'.isascii() }}{{ 'a b'.isprintable() }}{{ '{a}'.format_map({'a': 1}) }}",
    "{{ n is == 7 }}", "{{ l|select('==', 1)|list }}{{ l|select('!=', 1)|list }}",
    "{{ l|select('>', 1)|list }}{{ l|select('>=', 2)|list }}{{ l|select('<', 2)|list }}"
    "{{ l|select('<=', 2)|list }}", "{{ 5 .bit_length() }}{{ {}.fromkeys([1, 2], 3) }}",
    "{% set c = cycler(1, 2) %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}",
    "{% set j = joiner('|') %}{{ j() }}a{{ j() }}b", "{{ strftime_now('%d %b %Y %H:%M') }}",
    "{{ raise_exception('no') }}", "{{ range(3) }}{{ range(1, 9, 3)|list }}{{ range(100001) }}",
    "{{ dict([('a', 1)], b=2) }}", "{{ namespace(a=1) }}", "{{ namespace(_a=1) }}",
    "{{ 1.0 }} {{ 1e16 }} {{ 1e-5 }} {{ 0.1 + 0.2 }} {{ 100000000000000000.0 }} {{ 1e22 }}",
    "{{ 7 // -2 }} {{ 7 % -2 }} {{ -7 // 2 }} {{ -7.5 % 2 }} {{ 2 ** -1 }} {{ 7 / 2 }}",
    "{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 1234.5|round(-2) }}",
    "{{ \"it's\" }} {{ [\"it's\", 'a\"b', 'tab\\t', '\\x00\\u200b'] }}",
    "{{ 'abc'[-2:] }} {{ 'abcdef'[::-2] }} {{ l[::-1] }} {{ s[20:] }}",
    "{{ d.items }}{{ d['items'] }}", "{{ l.append(1) }}", "{{ none.x }}|{{ missing }}",
    "{{ missing.x }}", "{{ 'a' in 'abc' }}{{ 1 in l }}{{ 'b' in d }}{{ 1 in 'a' }}",
    "{% include 'x' %}", "{% do 1 %}", "{{ x|nosuch }}", "{% if false %}{{ x|nosuch }}{% endif %}",
    "{% break %}", "{% for x in l %}{% set loop = 1 %}{% endfor %}", "{{ 1 is nosuch }}",
    "  {% if true %}  \n  a\n  {%- endif +%}  \n b\n", "a\r\nb\rc\n\n",
    "{{ '\\d\\n\\101\\u00e9' }}",
    "{{ s|safe + '<' }}{{ ('<' ~ s)|escape }}", "{{ 12345678|string + 'x' }}{{ 1_000 }}{{ 0x1f }}",
    "{{ '%5d|%-5s|%05.1f|%x|%%|%r' % (3, 'a', 2.25, 255, 'q') }}",
    "{{ '{:>6}|{:,}|{:.2f}|{:^7}|{!r}'.format('a', 1234567, 1.5, 'mid', 'x') }}",
]
CHATML = """{%- if tools %}
{{- '<|im_start|>system\\n' }}
{%- if messages and messages[0].role == 'system' %}{{ messages[0].content ~ '\\n' }}{% endif %}
{%- for tool in tools %}{{ "\\n" ~ tool | tojson }}{% endfor %}
{{- '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
  {%- set content = message.content if message.content is string else '' %}
  {%- if message.content is iterable and message.content is not string and message.content is not mapping %}
    {%- set ns = namespace(text='') %}
    {%- for part in message.content if part.type == 'text' %}{% set ns.text = ns.text + part.text %}{% endfor %}
    {%- set content = ns.text %}
  {%- endif %}
  {%- if message.role == 'assistant' %}
    {%- if '</think>' in content %}{% set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}
    {%- generation %}{{ '<|im_start|>assistant\\n' + content }}
    {%- for call in message.tool_calls or [] %}{{ '\\n<tool_call>\\n' ~ (call.function.arguments if call.function.arguments is string else call.function | tojson) ~ '\\n</tool_call>' }}{% endfor %}
    {{- '<|im_end|>\\n' }}{% endgeneration %}
  {%- elif message.role == 'tool' %}
    {{- '<|im_start|>user\\n<tool_response>\\n' ~ content ~ '\\n</tool_response><|im_end|>\\n' }}
  {%- else %}
    {{- '<|im_start|>' + message.role + '\\n' + content | trim + '<|im_end|>' + '\\n' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}
"""
STRICT = """{{ bos_token }}
{%- macro schema(value, level=0) -%}
  {%- if value is mapping -%}
    {%- for key, inner in value | dictsort %}{{ '  ' * level ~ key }}: {{ schema(inner, level + 1) }}
{% endfor -%}
  {%- elif value is sequence and value is not string -%}[{{ value | join(', ') }}]
  {%- else -%}{{ value }}{%- endif -%}
{%- endmacro -%}
{%- for message in messages -%}
  {%- if message['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
  {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}
  {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
  <start_of_turn>{{ role }}
{{ message['content'] | trim }}<end_of_turn>
{% endfor %}
{%- if tools %}{{ schema(tools[0]) }}{% endif %}
{%- if add_generation_prompt %}<start_of_turn>model
{% endif %}"""


def row_templates():
    for name in chat_random.FILTERS:
        for call in chat_random.CALLS.get(name, [""]):
            subject = SUBJECTS.get(name, "s")
            yield f"{{{{ {subject}|{name}{call} }}}}|{{{{ ({subject}|{name}{call})|list }}}}"
    for name in chat_random.TESTS:
        call = chat_random.CALLS.get(name, [""])[0]
        for subject in ("s", "n", "l", "missing", "u|upper"):
            yield f"{{{{ ({subject}) is {name}{call} }}}}"
    for name in chat_random.METHODS:
        for call in chat_random.CALLS.get(name, [""]):
            for subject in (SUBJECTS.get(name, "s"), "u", "t"):
                yield f"{{{{ ({subject}).{name}{call or '()'} }}}}"


def render(source, values):
    try:
        compiled = chat_template_utils._compile_jinja_template(source)
        compiled.environment.globals["strftime_now"] = NOW.strftime
        text = compiled.render(**copy.deepcopy(values))
        text.encode()
    except Exception:
        return None
    return text


def main():
    warnings.simplefilter("ignore")
    rng = random.Random(9)
    small = [*row_templates(), *REST]
    small += [chat_random.random_template(rng) for _ in range(500)]
    cases = {"variables": chat_random.VARIABLES, "small": [], "templates": [CHATML, STRICT],
             "chat": []}
    for source in dict.fromkeys(small):
        text = render(source, chat_random.VARIABLES)
        # Addresses and class names are another text in every run.
        if text is None or not any(mark in text for mark in (" at 0x", "<class", " AT 0X")):
            cases["small"].append([source, text])
    for index, source in enumerate(cases["templates"]):
        for messages in CONVERSATIONS.values():
            for tools, more in ((None, {}), (TOOLS, {"enable_thinking": False})):
                values = {"messages": messages, "tools": tools, "add_generation_prompt": not tools,
                          **SPECIAL, **more}
                cases["chat"].append([index, values, render(source, values)])
    os.makedirs(DATA, exist_ok=True)
    with open(os.path.join(DATA, "cases.json"), "w", encoding="utf-8") as file:
        json.dump(cases, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")
    raised = sum(case[-1] is None for kind in ("small", "chat") for case in cases[kind])
    print(len(cases["small"]), "small,", len(cases["chat"]), "conversations,", raised, "raise")


if __name__ == "__main__":
    main()
