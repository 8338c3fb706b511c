"""Random JSON Schemas of every supported keyword, and instances that often satisfy them
(test_json_schema.py)."""

KEYS = ("a", "b", "c", "kind", "x1")
TEXTS = ("", "a", "b", "abc", "kind", "x1", "7", "ab ab", "\u00e9t\u00e9", "\"q\\\n")
NUMBERS = (0, 1, -1, 2, 3, 5, 7, 10, 42, -3, 0.5, 1.5, -2.25, 0.1, 100, 1000000)
PATTERNS = ("^a", "b$", "^[a-c]*$", "[0-9]", "^x", "^(a|kind)$", "a.c", "^.{1,3}$")


def constant(rng, depth=0):
    kind = rng.randrange(7 if depth < 2 else 5)
    if kind == 0:
        return rng.choice((None, True, False))
    if kind in (1, 2):
        return rng.choice(NUMBERS)
    if kind in (3, 4):
        return rng.choice(TEXTS)
    if kind == 5:
        return [constant(rng, depth + 1) for _ in range(rng.randrange(3))]
    return {key: constant(rng, depth + 1) for key in rng.sample(KEYS, rng.randrange(3))}


def random_schema(rng, depth=0, names=()):
    if depth == 0 and rng.random() < 0.3:
        names = ("one", "two")[:rng.randrange(1, 3)]
        schema = random_schema(rng, 1, names)
        if isinstance(schema, bool):
            schema = {}
        schema["$defs"] = {name: random_schema(rng, 2, ()) for name in names}
        return schema
    if rng.random() < 0.06:
        return rng.random() < 0.8
    groups = rng.sample((numbers, texts, arrays, objects, logic, fixed, types, types, types),
                        rng.choice((1, 1, 2, 2, 3)))
    schema = {}
    for group in groups:
        group(rng, schema, depth, names)
    if names and rng.random() < 0.25:
        schema["$ref"] = "#/$defs/" + rng.choice(names)
    return schema


def inner(rng, depth, names):
    if depth >= 3:
        return {"type": rng.choice(("string", "integer", "boolean", "null"))}
    return random_schema(rng, depth + 1, names)


def types(rng, schema, depth, names):
    every = ("null", "boolean", "integer", "number", "string", "array", "object")
    if rng.random() < 0.6:
        schema["type"] = rng.choice(every)
        {"string": texts, "array": arrays, "object": objects, "integer": numbers,
         "number": numbers}.get(schema["type"], lambda *_: None)(rng, schema, depth, names)
    else:
        schema["type"] = rng.sample(every, rng.randrange(1, 4))


def fixed(rng, schema, depth, names):
    if rng.random() < 0.5:
        schema["const"] = constant(rng)
    else:
        values = []
        for _ in range(rng.randrange(1, 5)):
            value = constant(rng)
            if value not in values:
                values.append(value)
        schema["enum"] = values


def numbers(rng, schema, depth, names):
    for keyword in rng.sample(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
                              rng.randrange(3)):
        schema[keyword] = rng.choice(NUMBERS)
    if rng.random() < 0.3:
        schema["multipleOf"] = rng.choice((1, 2, 3, 5, 7, 10, 0.5, 0.1, 0.25, 1.5, 0.01))


def texts(rng, schema, depth, names):
    if rng.random() < 0.4:
        schema["minLength"] = rng.randrange(4)
    if rng.random() < 0.4:
        schema["maxLength"] = rng.randrange(6)
    if rng.random() < 0.4:
        schema["pattern"] = rng.choice(PATTERNS)


def arrays(rng, schema, depth, names):
    if rng.random() < 0.3:
        schema["prefixItems"] = [inner(rng, depth, names) for _ in range(rng.randrange(1, 4))]
    if rng.random() < 0.5:
        schema["items"] = inner(rng, depth, names)
    if rng.random() < 0.3:
        schema["minItems"] = rng.randrange(4)
    if rng.random() < 0.4:
        schema["maxItems"] = rng.randrange(5)
    if rng.random() < 0.2:
        schema["contains"] = inner(rng, depth, names)
        if rng.random() < 0.5:
            schema["minContains"] = rng.randrange(3)
        if rng.random() < 0.4:
            schema["maxContains"] = rng.randrange(3)
    if rng.random() < 0.12:
        schema["uniqueItems"] = True
    if rng.random() < 0.1:
        schema["unevaluatedItems"] = inner(rng, depth, names)


def objects(rng, schema, depth, names):
    if rng.random() < 0.7:
        schema["properties"] = {key: inner(rng, depth, names)
                                for key in rng.sample(KEYS, rng.randrange(1, 4))}
    if rng.random() < 0.4:
        schema["required"] = rng.sample(KEYS, rng.randrange(3))
    if rng.random() < 0.4:
        schema["additionalProperties"] = inner(rng, depth, names)
    if rng.random() < 0.15:
        schema["patternProperties"] = {rng.choice(PATTERNS): inner(rng, depth, names)}
    if rng.random() < 0.1:
        schema["propertyNames"] = {"pattern": rng.choice(PATTERNS)}
    if rng.random() < 0.15:
        schema["minProperties"] = rng.randrange(4)
    if rng.random() < 0.15:
        schema["maxProperties"] = rng.randrange(4)
    if rng.random() < 0.1:
        schema["dependentRequired"] = {rng.choice(KEYS): rng.sample(KEYS, 2)}
    if rng.random() < 0.1:
        schema["dependentSchemas"] = {rng.choice(KEYS): inner(rng, depth, names)}
    if rng.random() < 0.1:
        schema["unevaluatedProperties"] = inner(rng, depth, names)


def logic(rng, schema, depth, names):
    kind = rng.randrange(6)
    if kind < 3:
        keyword = ("allOf", "anyOf", "oneOf")[kind]
        schema[keyword] = [inner(rng, depth, names) for _ in range(rng.randrange(1, 4))]
    elif kind == 3:
        schema["not"] = inner(rng, depth, names)
    else:
        schema["if"] = inner(rng, depth, names)
        if rng.random() < 0.8:
            schema["then"] = inner(rng, depth, names)
        if rng.random() < 0.6:
            schema["else"] = inner(rng, depth, names)


def random_instance(rng, schema, depth=0):
    """Guided by the keywords of one level, so that a fair part is valid."""
    if isinstance(schema, bool) or rng.random() < 0.1 or depth > 4:
        return constant(rng)
    if "const" in schema and rng.random() < 0.8:
        return schema["const"]
    if "enum" in schema and rng.random() < 0.8:
        return rng.choice(schema["enum"])
    for keyword in ("allOf", "anyOf", "oneOf"):
        if keyword in schema and rng.random() < 0.5:
            return random_instance(rng, rng.choice(schema[keyword]), depth + 1)
    kind = schema.get("type", rng.choice(("integer", "string", "array", "object", "null")))
    if isinstance(kind, list):
        kind = rng.choice(kind)
    if kind == "null":
        return None
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "integer":
        return rng.choice([number for number in NUMBERS if number == int(number)])
    if kind == "number":
        return rng.choice(NUMBERS)
    if kind == "string":
        return rng.choice(TEXTS)
    if kind == "array":
        prefix = schema.get("prefixItems", [])
        items = schema.get("items", True)
        return [random_instance(rng, prefix[at] if at < len(prefix) else items, depth + 1)
                for at in range(rng.randrange(4))]
    properties = schema.get("properties", {})
    result = {key: random_instance(rng, each, depth + 1) for key, each in properties.items()
              if key in schema.get("required", ()) or rng.random() < 0.5}
    for key in schema.get("required", ()):
        result.setdefault(key, constant(rng))
    if rng.random() < 0.3:
        result.setdefault(rng.choice(KEYS), constant(rng))
    return result
