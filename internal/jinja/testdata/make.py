#!/usr/bin/env python3
"""Random templates and what jinja2 makes of them in the environment of transformers.

    pip install transformers==5.24.0 jinja2==3.1.6
    python make.py [SEED [COUNT]]

Writes random.jsonl.gz beside itself: {template, text or error} a line, and context.json, the variables of all of them.
What Python writes with an address in memory is left out.
"""

import gzip, json, os, random, sys, warnings
from transformers.utils import chat_template_utils as ctu

warnings.simplefilter("ignore")
here = os.path.dirname(os.path.abspath(__file__))
seed, count = (int(a) for a in (sys.argv[1:] + ["1", "1500"][len(sys.argv) - 1 :]))
r = random.Random(seed)
CTX = {
    "s": " Hello <b>Wörld</b> & 'co' \n",
    "n": 7,
    "f": 1.5,
    "big": 10**20,
    "neg": -3,
    "t": True,
    "none": None,
    "l": [3, 1, 2],
    "e": [],
    "d": {"b": 1, "a": [None, True, 1.5, 'é\n"<'], "c": {}},
    "m": [
        {"role": "user", "content": "Hi there"},
        {"role": "assistant", "content": None, "tool_calls": [{"name": "f", "arguments": {"x": 1}}]},
        {"role": "tool", "content": ""},
    ],
    "u": "你好 😀",
    "w": "a b  c\td\n e",
    "mix": [1, "a", None, 2.5, [1], {"k": "v"}],
    "words": ["Banana", "apple", "cherry", "Apple"],
    "ss": "straße ΑΣ ǆ İstanbul",
    "items": [{"a": 1, "k": "x"}, {"a": 3, "k": "Y"}, {"a": 2, "k": "x"}],
    "neg0": -0.0,
    "tiny": 1e-7,
    "huge": 1e22,
    "txt": "line1\nline2\r\nline3\x0bend\n",
    "html": "<p>a &amp; b</p>",
    "num": "42",
    "fnum": " 3.14 ",
    "hex": "0x1f",
}
names = list(CTX) + ["missing", "loop", "ns", "x", "y"]


def lit():
    return r.choice(
        [
            "0",
            "1",
            "2",
            "-1",
            "3",
            "10",
            "1.5",
            "0.1",
            "2.0",
            "1e3",
            "true",
            "false",
            "none",
            "'a'",
            "'b'",
            "''",
            "' x '",
            "'Ab c'",
            "[]",
            "[1, 2, 3]",
            "['b','a']",
            "{}",
            "{'a': 1}",
            "{'b': 2, 'a': 'x'}",
            "(1, 2)",
            "(1,)",
            "'é'",
            '"it\'s"',
            "'a,b,c'",
            "'%s'",
            "'role'",
            "'\\n'",
        ]
    )


FIL = [
    "abs",
    "capitalize",
    "center(%a)",
    "count",
    "d('z')",
    "default('q', true)",
    "default(1)",
    "dictsort",
    "dictsort(true)",
    "dictsort(by='value')",
    "dictsort(reverse=true)",
    "e",
    "escape",
    "first",
    "float",
    "float(2.5)",
    "forceescape",
    "format(%a)",
    "groupby('k')",
    "groupby(%a)",
    "indent",
    "indent(2)",
    "indent(2, true)",
    "indent(width='> ', first=true, blank=true)",
    "int",
    "int(5)",
    "int(base=16)",
    "items",
    "join",
    "join(',')",
    "join(', ', attribute='k')",
    "last",
    "length",
    "list",
    "lower",
    "map('upper')",
    "map(attribute='a')",
    "map(attribute='role')",
    "map('int')",
    "map('default','z')",
    "map(attribute='zz', default=3)",
    "max",
    "min",
    "max(attribute='a')",
    "reject",
    "reject('odd')",
    "rejectattr('a')",
    "rejectattr('a','gt',1)",
    "replace('a','X')",
    "replace('l','L',1)",
    "replace('','-')",
    "reverse",
    "round",
    "round(1)",
    "round(method='ceil')",
    "round(2,'floor')",
    "round(-1)",
    "safe",
    "select",
    "select('string')",
    "select('in',[1,2])",
    "selectattr('k','equalto','x')",
    "selectattr('content','defined')",
    "slice(2)",
    "slice(2,'z')",
    "batch(2)",
    "batch(2,'z')",
    "sort",
    "sort(reverse=true)",
    "sort(attribute='a')",
    "sort(attribute='k,a')",
    "sort(case_sensitive=true)",
    "string",
    "striptags",
    "sum",
    "sum(start=10)",
    "sum(attribute='a')",
    "title",
    "tojson",
    "tojson(indent=2)",
    "tojson(sort_keys=true)",
    "tojson(ensure_ascii=true)",
    "tojson(separators=(',',':'))",
    "tojson(indent=0)",
    "trim",
    "trim('a')",
    "trim(' \\n')",
    "truncate(5)",
    "truncate(5,true)",
    "truncate(6,false,'..',0)",
    "unique",
    "unique(attribute='k')",
    "upper",
    "urlencode",
    "wordcount",
    "attr('items')",
    "attr('a')",
    "filesizeformat",
    "filesizeformat(true)",
    "nofilter",
    "list | length",
    "list | tojson",
    "list | first",
]
TST = [
    "defined",
    "undefined",
    "none",
    "boolean",
    "true",
    "false",
    "integer",
    "float",
    "number",
    "string",
    "mapping",
    "sequence",
    "iterable",
    "callable",
    "odd",
    "even",
    "lower",
    "upper",
    "divisibleby 2",
    "divisibleby(3)",
    "eq(1)",
    "ne 1",
    "gt 2",
    "lt(5)",
    "ge 1",
    "le 3",
    "equalto('a')",
    "in [1, 2]",
    "in('abc')",
    "sameas none",
    "sameas true",
    "escaped",
    "filter",
    "test",
    "notest",
    "not defined",
    "not none",
    "not string",
]
METH = [
    "upper()",
    "lower()",
    "strip()",
    "strip('a ')",
    "lstrip()",
    "rstrip()",
    "rstrip('\\n')",
    "split()",
    "split(' ')",
    "split(' ', 1)",
    "split(None, 1)",
    "rsplit(' ', 1)",
    "rsplit(None, 1)",
    "rsplit()",
    "splitlines()",
    "splitlines(true)",
    "title()",
    "capitalize()",
    "swapcase()",
    "casefold()",
    "startswith('a')",
    "startswith(('a',' '))",
    "endswith('\\n')",
    "startswith('H', 1)",
    "find('o')",
    "rfind('l')",
    "index('l')",
    "rindex('o')",
    "find('l', 4)",
    "find('l',-5,-1)",
    "count('l')",
    "count('')",
    "replace('l','L')",
    "replace('l','L',1)",
    "replace('', '.')",
    "join(['1','2'])",
    "join('abc')",
    "join(l)",
    "isdigit()",
    "isalpha()",
    "isalnum()",
    "isspace()",
    "isupper()",
    "islower()",
    "istitle()",
    "isnumeric()",
    "isdecimal()",
    "isidentifier()",
    "isascii()",
    "isprintable()",
    "zfill(10)",
    "ljust(12)",
    "rjust(12,'*')",
    "center(13)",
    "center(12,'-')",
    "removeprefix(' ')",
    "removesuffix('\\n')",
    "partition('o')",
    "rpartition('o')",
    "expandtabs()",
    "expandtabs(2)",
    "encode()",
    "format(1,2)",
    "format(a=1)",
    "keys()",
    "values()",
    "items()",
    "get('a')",
    "get('zz')",
    "get('zz', 5)",
    "copy()",
    "pop(0)",
    "append(1)",
    "update({})",
    "nope()",
    "count(1)",
    "index(1)",
    "a",
    "b",
    "role",
    "content",
    "0",
    "1",
    "items",
    "keys",
    "upper",
    "real",
]
SUB = [
    "[0]",
    "[-1]",
    "[1:]",
    "[:-1]",
    "[::-1]",
    "[1:3]",
    "[::2]",
    "['a']",
    "['role']",
    "[9]",
    "[none]",
    "['items']",
    "[1.5]",
    "[true]",
    "[-2:]",
    "[5:1:-2]",
    "[:2][0]",
    "['b']",
    "[l]",
    "[(1,2)]",
]
OPS = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "not in"]
FMT = [
    "'%s'",
    "'%d'",
    "'%5.2f'",
    "'%-5s|'",
    "'%05d'",
    "'%x'",
    "'%r'",
    "'%e'",
    "'%g'",
    "'%+d'",
    "'%c'",
    "'%%'",
    "'%s %s'",
    "'%(a)s'",
    "'%i'",
    "'%.3s'",
    "'%o'",
    "'%#x'",
    "'% d'",
    "'%G'",
    "'%*d'",
]
SPEC = ["", "d", "5", "<5", "^7", "*>8", "+", ".2f", "e", "g", "x", "#x", "b", "05d", ",", "_", ".3", "%", "s", "5s", "c", "o", "n", "08.3f", "=+6", "^"]


def expr(d=0):
    if d > 3:
        return r.choice([lit(), r.choice(names)])
    k = r.randrange(15)
    if k < 2:
        return lit()
    if k < 5:
        return r.choice(names)
    if k < 8:
        return f"{prim(d)} | {fil()}"
    if k == 8:
        return f"{prim(d)} is {r.choice(TST)}"
    if k == 9:
        return f"{prim(d)}.{r.choice(METH)}"
    if k == 10:
        return f"{r.choice(names)}{r.choice(SUB)}"  # jinja2 folds constants, with other rules
    if k == 11:
        return f"{expr(d+1)} {r.choice(OPS)} {expr(d+1)}"
    if k == 12:
        return r.choice(["not ", "-", "+", "not not "]) + expr(d + 1)
    if k == 13:
        return f"({expr(d+1)} if {expr(d+1)} else {expr(d+1)})" if r.random() < 0.8 else f"({expr(d+1)} if {expr(d+1)})"
    return r.choice(
        [
            f"{r.choice(FMT)} % {r.choice(['',''])}{prim(d)}",
            f"'{{:{r.choice(SPEC)}}}'.format({prim(d)})",
            f"'{{}} {{}}'.format({prim(d)}, {prim(d)})",
            f"'{{0!r}} {{0}}'.format({prim(d)})",
            f"'{{a[0]}}{{a}}'.format(a={prim(d)})",
            f"{prim(d)} ** {r.choice(['2', '0.5', '-1'])}",
            f"range({r.randrange(-2,6)}) | list",
            f"range({r.randrange(5)},{r.randrange(9)},{r.choice([1,2,-1])})",
            f"dict(a={expr(d+1)})",
            f"namespace(x={expr(d+1)}).x",
            f"[{expr(d+1)}, {expr(d+1)}]",
            f"{{'k': {expr(d+1)}, {r.choice(['1', 'none', '1.0', '(1, 2)'])}: 2}}",
            f"({expr(d+1)}, {expr(d+1)})",
        ]
    )


def prim(d):
    if r.random() < 0.75:
        return r.choice(names)
    x = r.choice([lit(), "(" + expr(d + 1) + ")"])
    return "(" + x + ")" if x[0] == "-" else x


def fil():
    return r.choice(FIL).replace("%a", lit())


WS = ["", "", "", "-", "+"]


def tag(s, w=True):
    a = r.choice(WS) if w else ""
    b = r.choice(WS) if w else ""
    return "{%" + a + " " + s + " " + b + "%}"


def out():
    return "{{" + r.choice(["", "", "-"]) + " " + expr() + " " + r.choice(["", "", "-"]) + "}}"


def text():
    return r.choice(["", " ", "\n", "  \n", "a", "b\n", "  c  ", "\n\n", "x\n  ", "\t", "{ ", "}", " \n \n"])


def stmts(d=0, loop=False):
    o = []
    for _ in range(r.randint(1, 4)):
        o.append(text())
        k = r.randrange(14)
        if d > 2 or k < 4:
            o.append(out())
        elif k == 4:
            o.append(tag(f"set {r.choice(['x','y','n','l','ns.x','x, y'])} = {expr()}"))
        elif k == 5:
            o.append(
                tag(f"if {expr()}")
                + stmts(d + 1, loop)
                + (tag(f"elif {expr()}") + stmts(d + 1, loop) if r.random() < 0.3 else "")
                + (tag("else") + stmts(d + 1, loop) if r.random() < 0.5 else "")
                + tag("endif")
            )
        elif k in (6, 7):
            it = r.choice(["l", "m", "d", "d.items()", "u", "range(3)", "e", "items", "words", "mix", "l | select('odd')", "missing", expr()])
            o.append(
                tag(f"for {r.choice(['i','i','x','k, v'])} in {it}" + (f" if {expr()}" if r.random() < 0.25 else ""))
                + stmts(d + 1, True)
                + r.choice(
                    [
                        "{{ loop.index }}",
                        "{{ loop.last }}",
                        "{{ loop.first }}{{ loop.length }}",
                        "{{ i }}",
                        "{{ loop.revindex }}",
                        "{{ loop.previtem }}{{ loop.nextitem }}",
                        "{{ loop.cycle('a','b') }}",
                        "{{ loop.changed(x) }}",
                        "{{ x }}",
                        "{{ loop.depth }}",
                    ]
                )
                + (tag("else") + stmts(d + 1, loop) if r.random() < 0.25 else "")
                + tag("endfor")
            )
        elif k == 8:
            o.append(
                tag(f"macro mac({r.choice(['','a','a, b=1','a, b=x','x'])})")
                + stmts(d + 1)
                + r.choice(["{{ a }}", "{{ b }}", "{{ caller() }}", "{{ varargs }}{{ kwargs }}", "{{ x }}", ""])
                + tag("endmacro")
                + "{{ mac("
                + r.choice(["", "1", "1, 2", "a=1", "1, b=2", "1, 2, 3", "z=1"])
                + ") }}"
                + (tag("call mac(1)") + stmts(d + 1) + tag("endcall") if r.random() < 0.4 else "")
            )
        elif k == 9:
            o.append(tag(f"set {r.choice(['x','y'])}" + r.choice(["", " | upper", " | trim"])) + stmts(d + 1, loop) + tag("endset") + "{{ x }}")
        elif k == 10:
            o.append(tag(f"with x = {expr()}") + stmts(d + 1, loop) + tag("endwith"))
        elif k == 11:
            o.append(tag(f"filter {fil()}") + stmts(d + 1, loop) + tag("endfilter"))
        elif k == 12:
            o.append(
                r.choice(
                    [
                        "{# c #}",
                        "{#- c -#}",
                        "{% raw %}{{ x }}{% endraw %}",
                        "{%- raw -%} {% x %} {%- endraw -%}",
                        tag("generation") + stmts(d + 1) + tag("endgeneration"),
                    ]
                )
            )
        else:
            o.append(tag(r.choice(["break", "continue"])) if loop and r.random() < 0.7 else out())
    o.append(text())
    return "".join(o)


def template():
    if r.random() < 0.5:
        return "{{ " + expr() + " }}"
    return r.choice(["", "{% set ns = namespace(x=1) %}"]) + stmts()


def main():
    with open(os.path.join(here, "context.json"), "w") as f:
        json.dump(CTX, f)
        f.write("\n")
    lines = []
    while len(lines) < count:
        case = dict(template=template())
        try:
            case["text"] = ctu._compile_jinja_template(case["template"]).render(**json.loads(json.dumps(CTX)))
        except Exception as e:
            case["error"] = str(e)
        if (
            " at 0x" not in case.get("text", "")
            and len(case["template"]) < 600
            and not (case["template"].count("{") < 3 and "error" in case and r.random() < 0.7)
        ):
            lines.append(json.dumps(case) + "\n")
    with gzip.GzipFile(os.path.join(here, "random.jsonl.gz"), "wb", mtime=0) as f:
        f.write("".join(lines).encode())


main()
