package jinja

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// A peerCase is what jinja2 made of a template; Text is nil for an error.
type peerCase struct {
	Template string
	Text     *string
	Error    string
}

// peerCases reads the cases of testdata/make.py, the one folder GRAFT_JINJA_CASES names or testdata.
func peerCases(t testing.TB) (cases []peerCase, variables map[string]Value) {
	t.Helper()
	dir := "testdata"
	if d := os.Getenv("GRAFT_JINJA_CASES"); d != "" {
		dir = d
	}
	data, err := os.ReadFile(dir + "/context.json")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(dir + "/random.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(z); d.More(); {
		var c peerCase
		if err := d.Decode(&c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return cases, fromJSON(t, data)
}

// fromJSON returns the variables of a JSON object.
func fromJSON(t testing.TB, data []byte) map[string]Value {
	t.Helper()
	v, err := FromJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Value{}
	for k, v := range v.(*Dict).All {
		out[k.(string)] = v
	}
	return out
}

func render(source string, variables map[string]Value) (string, error) {
	t, err := Parse(source)
	if err != nil {
		return "", err
	}
	return t.Render(variables, Options{Now: func() time.Time { return time.Date(2024, 7, 5, 4, 3, 2, 1000, time.UTC) }})
}

// TestPeer compares with jinja2 on random templates.
func TestPeer(t *testing.T) {
	cases, variables := peerCases(t)
	texts := 0
	for _, c := range cases {
		got, err := render(c.Template, variables)
		switch {
		case c.Text == nil && err == nil:
			t.Errorf("%q: %q, want the error %s", c.Template, got, c.Error)
		case c.Text != nil && (err != nil || got != *c.Text):
			t.Errorf("%q: %q, %v, want %q", c.Template, got, err, *c.Text)
		}
		if c.Text != nil {
			texts++
		}
	}
	if texts < 500 || len(cases)-texts < 100 {
		t.Errorf("%d texts and %d errors are too few", texts, len(cases)-texts)
	}
}

// TestRules has what random templates do not meet; the texts are jinja2's.
func TestRules(t *testing.T) {
	variables := fromJSON(t, []byte(`{"foo": "given", "l": [1, 2], "tree": [{"n": 1, "c": [{"n": 2, "c": []}]}], "m": {"items": 1, "a": {"b": [5]}}}`))
	for _, c := range []struct{ source, want string }{
		// A name that the template sets later is not the one of the context.
		{"{% for i in l %}{{ foo }}{% endfor %}{% set foo = 2 %}{{ foo }}", "2"},
		{"{{ foo }}{% set foo = 2 %}{{ foo }}", "given2"},
		{"{% if l %}{% set foo = 3 %}{% endif %}{{ foo }}", "3"},
		{"{% if not l %}{% set foo = 3 %}{% endif %}{{ foo }}", "given"},
		{"{% macro f() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f() }}", "1"},
		{"{% for i in l %}{{ x }}{% set x = i %}{{ x }}{% endfor %}", "12"},
		{"{% generation %}{% set x = 1 %}{% endgeneration %}{{ x }}", ""},
		// The else of a loop runs unless the body has run to its end.
		{"{% for i in l %}a{% break %}{% else %}b{% endfor %}", "ab"},
		{"{% for i in l %}a{% continue %}{% else %}b{% endfor %}", "aab"},
		{"{% for t in tree recursive %}{{ t.n }}.{{ loop.depth }}({{ loop(t.c) }}){% endfor %}", "1.1(2.2())"},
		{"{{ m.items is callable }}{{ m['items'] }}{{ m.a.b.0 }}", "True15"},
		{"{% set ns = namespace(a=1) %}{% set ns.b, x = 2, 3 %}{{ ns.a }}{{ ns.b }}{{ x }}", "123"},
		{"{{ 'x' | nofilter if false }}{% if false %}{{ 1 is notest }}{% endif %}", ""},
		{"{% macro f(a, b=a) %}{{ a }}{{ b }}{{ kwargs }}{% endmacro %}{{ f(1, c=2) }}{{ f(*[1], **{'b': 3}) }}", "11{'c': 2}13{}"},
		{"{% macro f() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) f() %}{{ a + b }}{% endcall %}", "3"},
		{"{% set c = cycler(1, 2) %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{% set j = joiner('-') %}{{ j() }}a{{ j() }}b", "1212a-b"},
		{"{{ strftime_now('%d|%-d|%e|%_m|%05Y|%^a|%#p|%j|%U|%W|%V|%u|%D|%T|%f|%q|%%') }}", "05|5| 5| 7|02024|FRI|am|187|26|27|27|5|07/05/24|04:03:02|000001|%q|%"},
		{"{{ (1, 'a') == (1.0, 'a') }}{{ {(1, 'a'): 2}[(1, 'a')] }}{{ [1, [2]] < [1, [3]] }}", "True2True"},
		{"{{ 2 ** 100 }}{{ 7 // -2 }}{{ -7 % 3 }}{{ 7.5 % -2 }}{{ 10 ** 20 // 3 }}", "1267650600228229401496703205376-42-0.533333333333333333333"},
		{"{{ ('<' | safe) + '<' }}{{ '<' ~ ('<' | safe) }}{{ ('%s' | safe) % '<' }}", "<&lt;<<&lt;"},
		{"{% print 1, 'a' %}", "1a"},
		{"{{ 'ΑΣ ΣΑ İΑΣ'.swapcase() }}{{ 'ΑΣ'.title() }}{{ 'ΑΣ'.capitalize() }}{{ 'ΑΣ ΣΑ' | lower }}", "ας σα i̇αςΑςΑςας σα"},
	} {
		if got, err := render(c.source, variables); err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", c.source, got, err, c.want)
		}
	}
}

// TestErrors tries what is wrong or not supported: the error tells the line and the thing.
func TestErrors(t *testing.T) {
	deep := strings.Repeat("(", 1000) + strings.Repeat(")", 1000)
	for _, c := range []struct{ source, want string }{
		{"\n{% include 'x' %}", `line 2: the tag "include" is not supported`},
		{"{% block x %}{% endblock %}", `"block" is not supported`},
		{"a\n\n{% nope %}", `line 3: unknown tag "nope"`},
		{"{% if x %}\n{% endfor %}", `line 2: unknown tag "endfor", expected one of elif else endif`},
		{"{% for x in y %}", "unexpected end of template"},
		{"{{ 'a", "unexpected character"},
		{"{{ (1] }}", `unexpected "]"`},
		{"{# x", "missing end of comment"},
		{"{% raw %}", "missing end of raw block"},
		{"{{ 1 | nope }}", "no filter named 'nope'"},
		{"{{ 1 is nope }}", "no test named 'nope'"},
		{"{% break %}", "outside of a loop"},
		{"{% for x in y %}{% generation %}{% break %}{% endgeneration %}{% endfor %}", "outside of a loop"},
		{"{% set true = 1 %}", "cannot assign"},
		{"{% for loop in y %}{% endfor %}", "special variable loop"},
		{"{{ f(a=1, 2) }}", "invalid syntax"},
		{`{{ "\ud800" }}`, "bad escape"},
		{"{{ " + deep + " }}", "nests more than"},
		{"{% set ns = namespace() %}{% set ns._x = 1 %}", "underscore"},
		{"{% set x.y = 1 %}", "non-namespace"},
		{"{{ [].append(1) }}", "unsafe"},
		{"{{ 'a'.translate({}) }}", "not supported"},
		{"{{ range(100001) }}", "range of more than"},
		{"{{ 'a' * 999999999 }}", "text of more than"},
		{"{{ [1] * 999999999 }}", "text of more than"},
		{"{{ 2 ** 99999999 }}", "integer of more than"},
		{"{{ '%9999999d' % 1 }}", "too large"},
		{"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "call themselves"},
		{"{% set ns = namespace(x=[]) %}{% for i in range(2000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}", "values nest more"},
		{"{% set ns = namespace(x=[]) %}{% for i in range(2000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x | tojson }}", "values nest more"},
		{"{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x.replace('a', ns.x) %}{% endfor %}", "text of more than"},
		{"{{ range }}", "no written form"},
	} {
		if got, err := render(c.source, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s: %q, %v, want %q", c.source, got, err, c.want)
		}
	}
}

func TestRaised(t *testing.T) {
	_, err := render("{% if true %}\n{{ raise_exception('no ' ~ 1) }}{% endif %}", nil)
	var raised *Raised
	if !errors.As(err, &raised) || *raised != (Raised{"no 1", 2}) {
		t.Errorf("%v", err)
	}
}

func TestJSON(t *testing.T) {
	const s = `{"b": [1, 1.0, 1e+16, 1e-07, -0.0, 100000000000000000000, true, null], "a": "é😀\u0001\"\\\n</"}`
	v, err := FromJSON([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ToJSON(v); err != nil || got != s {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range []string{"", "{", `{"a":1,}`, "[1 2]", "nul", `"\x"`} {
		if _, err := FromJSON([]byte(bad)); err == nil {
			t.Errorf("%q is JSON", bad)
		}
	}
	if _, err := ToJSON(missingName("x")); err == nil {
		t.Error("what is undefined has no JSON")
	}
}

// FuzzRender looks for panics, and for differences between two renderings.
func FuzzRender(f *testing.F) {
	cases, variables := peerCases(f)
	for _, c := range cases[:200] {
		f.Add(c.Template)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 2000 || strings.Count(source, "for") > 3 || strings.Count(source, "macro") > 3 {
			return // there is no limit on time
		}
		one, err := render(source, variables)
		two, again := render(source, variables)
		if one != two || (err == nil) != (again == nil) {
			t.Errorf("%q, %v and then %q, %v", one, err, two, again)
		}
	})
}
