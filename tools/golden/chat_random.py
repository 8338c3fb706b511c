"""Random templates from a grammar: small expressions with every filter, test and method, and
statements around them. For comparisons with jinja2."""

VARIABLES = {
    "s": "Hello World", "u": "\u00c4pfel \U0001f600 \u1e9e\u0130 \u03a3\u03bf\u03a6\u03a3", "e": "",
    "t": "  two\n lines\t ", "n": 7, "z": 0, "neg": -3, "f": 2.5, "b": True, "no": None,
    "l": [3, 1, 2], "ls": ["b", "A", "c", "a"], "mix": [1, "a", None, True, 2.0], "em": [],
    "d": {"b": 1, "A": 2, "items": [1, 2]}, "nest": {"a": {"x": [1, {"y": "z"}]}},
    "rows": [{"k": "b", "v": 2, "g": {"h": 1}}, {"k": "a", "v": 1}, {"k": "B", "v": 2.5}],
}
NAMES = [*VARIABLES, "missing", "loop"]
ATTRIBUTES = ["b", "A", "items", "a", "x", "k", "v", "g", "append", "upper", "missing", "keys",
              "values", "real", "index", "first"]
TEXTS = ["", "a", "b", ", ", "<&>'\"", "o", " ", "\\n", "World", "%s", "{}", "l", "abc", "\u00e9",
         "1", "2.5", " 12 ", "0x1f", "1_0", "A", "x\\\\y", "{0}-{1}", "%d|%5.1f", "a.b", "items"]
FILTERS = ["abs", "attr", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e",
           "escape", "first", "float", "forceescape", "format", "groupby", "indent", "int", "items",
           "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr",
           "replace", "reverse", "round", "safe", "select", "selectattr", "slice", "sort", "string",
           "sum", "title", "tojson", "trim", "truncate", "unique", "upper", "urlencode",
           "wordcount"]
TESTS = ["boolean", "callable", "defined", "divisibleby", "eq", "equalto", "escaped", "even",
         "false", "filter", "float", "ge", "gt", "greaterthan", "in", "integer", "iterable", "le",
         "lessthan", "lower", "lt", "mapping", "ne", "none", "number", "odd", "sameas", "sequence",
         "string", "test", "true", "undefined", "upper"]
METHODS = ["capitalize", "casefold", "center", "count", "endswith", "expandtabs", "find", "format",
           "get", "index", "isalnum", "isalpha", "isdecimal", "isdigit", "isidentifier", "islower",
           "isnumeric", "isspace", "istitle", "isupper", "items", "join", "keys", "ljust", "lower",
           "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex",
           "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip",
           "swapcase", "title", "upper", "values", "zfill", "copy", "append", "is_integer"]
# Arguments that make sense, so that not every call is an error.
CALLS = {
    "attr": ["('k')", "('upper')"], "batch": ["(2)", "(2, 'x')"], "center": ["(15)", "(15, '*')"],
    "default": ["('x')", "('x', true)", ""], "d": ["('x', true)"],
    "dictsort": ["", "(true)", "(false, 'value')", "(reverse=true)"],
    "format": ["('a')", "(1, 2)", "(x=1)"], "groupby": ["('v')", "('k')", "('g.h', default=0)"],
    "indent": ["", "(2)", "(2, true)", "('> ', true, true)", "(first=true)"],
    "int": ["", "(5)", "(0, 16)", "(base=0)"], "float": ["", "(1.5)"],
    "join": ["", "(', ')", "('-', attribute='k')", "(d='+')"],
    "map": ["(attribute='k')", "('upper')", "(attribute='v', default=0)", "('int')", "('string')",
            "('replace', 'a', 'b')", "('default', 3)"],
    "max": ["", "(attribute='v')"], "min": ["", "(attribute='k')", "(true)"],
    "reject": ["", "('odd')", "('in', [1, 2])"],
    "select": ["", "('odd')", "('string')", "('gt', 1)"],
    "selectattr": ["('g')", "('k', 'eq', 'a')", "('v', 'gt', 1)", "('g', 'defined')"],
    "rejectattr": ["('g')", "('k', 'equalto', 'a')"],
    "replace": ["('o', '0')", "('l', 'L', 1)", "('', '-')", "(1, 2)"],
    "round": ["", "(1)", "(1, 'ceil')", "(method='floor')", "(-1)"],
    "slice": ["(2)", "(2, 'x')", "(3, fill_with=0)"],
    "sort": ["", "(true)", "(attribute='k')", "(attribute='v,k')", "(case_sensitive=true)",
             "(reverse=true, attribute='v')"],
    "sum": ["", "(attribute='v')", "(start=5)", "('v', 1)"],
    "tojson": ["", "(indent=2)", "(ensure_ascii=true)", "(sort_keys=true)",
               "(separators=(',', ':'))", "(indent='--')"],
    "trim": ["", "('Hdo')"], "truncate": ["(5)", "(5, true)", "(9, false, '..', 0)", "(30)"],
    "unique": ["", "(true)", "(attribute='v')"], "split": ["", "('o')", "(' ', 1)", "(none, 1)"],
    "rsplit": ["", "('o', 1)", "(none, 1)"], "strip": ["", "(' H')", "('dl')"], "get": ["('b')",
    "('q', 4)", "('q')"], "find": ["('o')", "('l', 4)", "('x')", "('l', 2, -2)"],
    "count": ["('l')", "('')", "(1)"], "startswith": ["('He')", "(('a', 'H'))", "('e', 1)"],
    "endswith": ["('ld')", "(('a', 'd'))"], "ljust": ["(14)", "(14, '.')"], "rjust": ["(14, '.')"],
    "zfill": ["(14)", "(3)"], "partition": ["('o')", "('x')"], "rpartition": ["('o')", "('x')"],
    "index": ["('o')", "(1)", "('q')"], "expandtabs": ["", "(3)"], "removeprefix": ["('Hell')"],
    "removesuffix": ["('ld')"], "divisibleby": ["(2)", "(3)"], "eq": ["(7)", "('a')", "(none)"],
    "in": ["([1, 7])", "('Hello World!')", "(d)"], "sameas": ["(true)", "(none)"],
    "ge": ["(2)"], "gt": ["(2)", "('a')"], "lt": ["(2)"], "le": ["(2)"], "ne": ["(7)"],
    "equalto": ["(2.5)"], "greaterthan": ["(1)"], "lessthan": ["(1)"], "splitlines": ["", "(true)"],
}
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in",
             "not in", "and", "or"]


def constant(rng):
    kind = rng.randrange(8)
    if kind < 3:
        return "'" + rng.choice(TEXTS).replace("'", "\\'") + "'"
    if kind == 3:
        return str(rng.choice((0, 1, 2, 3, 7, 10, 100, 12345678901)))
    if kind == 4:
        return rng.choice(("0.1", "2.5", "1e16", "1e-5", "3.0", "123456.789", "1.5e300", "0.5"))
    if kind == 5:
        return rng.choice(("true", "false", "none", "True"))
    if kind == 6:
        return rng.choice(("[]", "()", "{}", "[1, 2, 3]", "('a', 'b')", "{'a': 1, 2: 'x'}",
                           "['x', ['y']]", "(1,)", "{'k': none, 'v': [true]}"))
    return rng.choice(("'a' 'b'", "range(5)", "range(6, 0, -2)", "dict(a=1, b='c')",
                       "namespace(x=1).x", "'%s-%s' % (1, 'z')", "'%(a)s' % {'a': s}"))


def arguments(rng, name, depth):
    if rng.random() < 0.8 or name == "tojson":
        return rng.choice(CALLS.get(name, ("",)))
    return "(" + ", ".join(expression(rng, depth - 1) for _ in range(rng.randrange(3))) + ")"


def expression(rng, depth=3):
    if depth <= 0:
        return constant(rng) if rng.random() < 0.4 else rng.choice(NAMES)
    kind = rng.randrange(14)
    inner = lambda: expression(rng, depth - 1)  # noqa: E731
    if kind < 2:
        return rng.choice(NAMES)
    if kind == 2:
        return constant(rng)
    if kind in (3, 4):
        operator = rng.choice(OPERATORS)
        # Python would compute for hours at large powers, whether they are reached or not.
        right = rng.choice(("0", "2", "-1", "0.5", "3", "l")) if operator == "**" else inner()
        return f"({inner()}) {operator} {right}" if operator == "**" else \
            f"{inner()} {operator} {right}"
    if kind in (5, 6, 7):
        name = rng.choice(FILTERS)
        end = rng.choice(("", "", "|list", "|string", "|length"))
        return f"({inner()})|{name}{arguments(rng, name, depth)}{end}"
    if kind == 8:
        name = rng.choice(TESTS)
        return f"{inner()} is {rng.choice(('', 'not '))}{name}{arguments(rng, name, depth)}"
    if kind == 9:
        name = rng.choice(METHODS)
        call = arguments(rng, name, depth)
        return f"({inner()}).{name}{call if call else '()'}"
    if kind == 10:
        return rng.choice((f"({inner()}).{rng.choice(ATTRIBUTES)}", f"({inner()})[{inner()}]"))
    if kind == 11:
        bounds = [rng.choice(("", "0", "1", "-1", "2", "-2", "9")) for _ in range(2)]
        step = rng.choice(("", "", ":", ":-1", ":2", ":-2"))
        return f"({inner()})[{bounds[0]}:{bounds[1]}{step}]"
    if kind == 12:
        return rng.choice((f"{inner()} if {inner()} else {inner()}", f"{inner()} if {inner()}",
                           f"not {inner()}", f"-({inner()})", f"({inner()} < {inner()} < 5)"))
    return rng.choice((f"[{inner()}, {inner()}]", f"({inner()}, {inner()})",
                       f"{{'k': {inner()}, {inner()}: 1}}"))


def tag(rng, text):
    return "{%" + rng.choice(("", "", "-", "+")) + f" {text} " + rng.choice(("", "", "-", "+")) + "%}"


def text(rng):
    return rng.choice(("", " ", "\n", "a", "  \n  ", "\n\n", "b c", " {", "}} ", "\t", "\r\n"))


def statements(rng, depth):
    parts = []
    for _ in range(rng.randrange(1, 4)):
        parts.append(text(rng))
        parts.append(statement(rng, depth))
    return "".join(parts) + text(rng)


def statement(rng, depth):
    kind = rng.randrange(14) if depth > 0 else rng.randrange(3)
    value = expression(rng, 2)
    body = lambda: statements(rng, depth - 1)  # noqa: E731
    if kind < 2:
        opening = "{{" + rng.choice(("", "", "-"))
        return f"{opening} {value} " + rng.choice(("}}", "}}", "-}}"))
    if kind == 2:
        name = rng.choice(("x", "y", "s", "l"))
        return tag(rng, f"set {name} = {value}") + "{{ " + name + " }}"
    if kind == 3:
        middle = rng.choice(("", tag(rng, "else") + body(),
                             tag(rng, f"elif {expression(rng, 1)}") + body()))
        return tag(rng, f"if {value}") + body() + middle + tag(rng, "endif")
    if kind in (4, 5):
        source = rng.choice(("l", "ls", "rows", "range(4)", "d", "s", "em", "mix", value))
        condition = rng.choice(("", "", " if x", " if x is odd", " if loop is defined"))
        jump = rng.choice(("", "", tag(rng, "if loop.index > 2") + tag(rng, "break")
                           + tag(rng, "endif"), tag(rng, "if loop.first") + tag(rng, "continue")
                           + tag(rng, "endif")))
        facts = rng.choice(("", "{{ loop.index }}{{ loop.last }}", "{{ loop.revindex0 }}"
                            "{{ loop.previtem }}{{ loop.nextitem }}", "{{ loop.cycle('o', 'e') }}"
                            "{{ loop.changed(x) }}", "{{ loop.length }}{{ loop.depth }}"))
        ending = rng.choice(("", tag(rng, "else") + body()))
        return (tag(rng, f"for x in {source}{condition}") + "{{ x }}" + jump + facts + body()
                + ending + tag(rng, "endfor"))
    if kind == 6:
        return (tag(rng, "for k, v in d|dictsort") + "{{ k }}={{ v }};" + body()
                + tag(rng, "endfor"))
    if kind == 7:
        return (tag(rng, "macro m(a, b='q', c=a)") + "{{ a }}{{ b }}{{ c }}"
                + rng.choice(("", "{{ varargs }}", "{{ kwargs }}", "{{ caller() }}",
                              "{{ caller }}")) + body() + tag(rng, "endmacro")
                + rng.choice(("{{ m(1) }}", "{{ m(1, 2, 3) }}", "{{ m(1, 2, 3, 4) }}",
                              "{{ m(b=1) }}", "{{ m(1, z=2) }}", "{{ m() }}",
                              tag(rng, "call m(5)") + "in" + tag(rng, "endcall"))))
    if kind == 8:
        return (tag(rng, "set ns = namespace(n=0, found=false)")
                + tag(rng, "for x in " + rng.choice(("l", "ls", "range(3)")))
                + tag(rng, "set ns.n = ns.n + loop.index") + tag(rng, "set y = x") + body()
                + tag(rng, "endfor") + "{{ ns.n }}{{ y }}{{ ns.missing }}")
    if kind == 9:
        return tag(rng, rng.choice(("set x", "set x | upper"))) + body() + tag(rng, "endset") + \
            "[{{ x }}]"
    if kind == 10:
        return tag(rng, "filter " + rng.choice(("upper", "trim", "indent(2)", "replace('a', 'b')",
                                                "length"))) + body() + tag(rng, "endfilter")
    if kind == 11:
        return tag(rng, f"with x = {value}, y = x") + "{{ x }}{{ y }}" + body() + \
            tag(rng, "endwith")
    if kind == 12:
        return rng.choice(("{# note #}", "{#- note -#}", "{#+ n +#}",
                           tag(rng, "raw") + " {{ x }} {% " + tag(rng, "endraw"),
                           tag(rng, "generation") + "{% set x = 5 %}{{ x }}" + body()
                           + tag(rng, "endgeneration")))
    return (tag(rng, "for x in [[1, [2]], [3]] recursive")
            + "<{{ loop.depth }}{{ loop(x) if x is iterable else x }}>" + tag(rng, "endfor"))


def random_template(rng):
    if rng.random() < 0.6:
        return "{{ " + expression(rng, rng.randrange(1, 4)) + " }}"
    return statements(rng, 2)
