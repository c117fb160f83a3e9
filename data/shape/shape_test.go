package shape

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/data/rows"
)

// show writes a record in one line: a message that is learned in brackets.
func show(t testing.TB, r Record) string {
	t.Helper()
	parts := []string{r.Shape + ":"}
	for i, m := range r.Messages {
		text := r.Role(i) + "=" + r.Content(i)
		if r.Content(i) == "" || m.Has("tool_call_id") {
			all, err := m.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			text = string(all)
		}
		if r.IsAnswer(i) {
			text = "[" + text + "]"
		}
		parts = append(parts, text)
	}
	if len(r.Tools) > 0 {
		tools, err := json.Marshal(r.Tools)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, "tools "+string(tools))
	}
	if r.Tokens != nil {
		parts = append(parts, fmt.Sprint(r.Tokens, r.Labels))
	}
	if r.Text != "" {
		parts = append(parts, "text "+r.Text)
	}
	if r.Weight != 1 {
		parts = append(parts, fmt.Sprint("weight ", r.Weight))
	}
	if r.Left != "" {
		parts = append(parts, "left: "+r.Left)
	}
	return strings.Join(parts, " ")
}

func read(t testing.TB, o Options, row string) (records []Record, err error) {
	t.Helper()
	r, err := NewReader(o)
	if err != nil {
		t.Fatal(err)
	}
	return r.Read(rows.Row{Place: rows.Place{File: "f.jsonl", Line: 7}, JSON: []byte(row)})
}

func TestShapes(t *testing.T) {
	for _, c := range []struct{ row, want string }{
		{`{"prompt":"a","completion":"b"}`, `prompt: user=a [assistant=b]`},
		{`{"Prompt":"a","Response":"b","system":"s"}`, `prompt: system=s user=a [assistant=b]`},
		{`{"prompt":"a","completion":"b","label":true}`, `prompt: user=a [assistant=b]`},
		{`{"prompt":"a","completion":"b","label":false}`, `prompt: user=a [assistant=b] left: its label says that the answer is a bad one`},
		{`{"input":"a","output":"b","id":1}`, `input: user=a [assistant=b]`},
		{`{"idx":1,"inputs":"a","target":"b"}`, `input: user=a [assistant=b]`},
		{`{"question":"a","answer":3}`, `question: user=a [assistant=3]`},
		{`{"question":"a","answer":true,"weight":2.5}`, `question: user=a [assistant=true] weight 2.5`},
		{`{"src":"a","tgt":"b","file":"x"}`, `source: user=a [assistant=b]`},
		{`{"text":"a","category":"b"}`, `label: user=a [assistant=b]`},
		{`{"Context":"a","Response":"b"}`, `context: user=a [assistant=b]`},
		{`{"instruction":"a","input":"","output":"b"}`, `alpaca: user=a [assistant=b]`},
		{`{"instruction":"a","input":"c","output":"b","history":null}`, "alpaca: user=a\nc [assistant=b]"},
		{`{"instruction":"","input":"c","output":"b"}`, "alpaca: user=c [assistant=b]"},
		{`{"instruction":"a","input":"c","output":"b","system":"s","history":[["q","r"]]}`, "alpaca: system=s user=q [assistant=r] user=a\nc [assistant=b]"},
		{`{"instruction":"a","output":null}`, `alpaca: user=a {"role": "assistant", "content": ""} left: there is no answer to learn`},
		{`{"instruction":"i","instances":[{"input":"a","output":"b"},{"input":"","output":"c"}]}`, "self-instruct: user=i\na [assistant=b]|self-instruct: user=i [assistant=c]"},
		{`{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}],"id":"x"}`, `messages: user=a [assistant=b]`},
		{`{"system":"s","conversations":[{"from":"human","value":"a"},{"from":"gpt"},{"from":"human","value":"c"},{"from":"gpt","value":"d"}]}`,
			`messages: system=s user=a {"role": "assistant", "content": ""} user=c [assistant=d]`},
		{`{"conversations":[{"from":"human","value":"a"},{"from":"function_call","value":"{\"name\":\"f\",\"arguments\":{\"x\":1}}"},{"from":"observation","value":"r"},{"from":"gpt","value":"b"}],"tools":"[{\"name\":\"f\"}]"}`,
			`messages: user=a [{"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]}] tool=r [assistant=b] tools [{"type":"function","function":{"name":"f"}}]`},
		{`{"messages":[{"role":"developer","content":"s"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":"c","weight":0},{"role":"user","content":"d"},{"role":"assistant","content":"e","weight":1}]}`,
			"messages: system=s user=a\nb assistant=c user=d [assistant=e]"},
		{`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}}]},{"role":"tool","tool_call_id":"1","content":"r"}]}`,
			`messages: user=a [{"role": "assistant", "content": "", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]}] {"role": "tool", "content": "r", "tool_call_id": "1"}`},
		{`{"messages":[{"role":"user","content":"a"},{"role":"assistant","function_call":{"name":"f","arguments":"{}"}}]}`,
			`messages: user=a [{"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {}}}]}]`},
		{`{"messages":[{"role":"user","content":"a"}]}`, `messages: user=a left: there is no answer to learn`},
		{`{"messages":[]}`, `messages: left: column messages has no messages`},
		{`{"messages":"[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\"}]"}`, `messages: user=a [assistant=b]`},
		{`{"prompt":[{"role":"user","content":"a"},{"role":"assistant","content":"x"},{"role":"user","content":"y"}],"completion":[{"role":"assistant","content":"b"}]}`,
			`turns: user=a assistant=x user=y [assistant=b]`},
		{`{"prompt":"a","chosen":"b","rejected":"c"}`, `preference: user=a [assistant=b]`},
		{`{"question":"a","system":"s","chosen":"b","rejected":"c"}`, `preference: system=s user=a [assistant=b]`},
		{`{"prompt":"a","chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"rejected":[]}`, `preference: user=a [assistant=b]`},
		{`{"prompt":[{"role":"user","content":"a"}],"chosen":[{"role":"assistant","content":"b"}],"rejected":[]}`, `preference: user=a [assistant=b]`},
		{`{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"x"},{"from":"human","value":"y"}],"chosen":{"from":"gpt","value":"b"},"rejected":{"from":"gpt","value":"c"}}`,
			`preference: user=a assistant=x user=y [assistant=b]`},
		{`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"label":false}`, `messages: user=a [assistant=b] left: its label says that the answer is a bad one`},
		{`{"input_ids":[1,2,3],"labels":[-100,2,3]}`, `tokens: [1 2 3] [-100 2 3]`},
		{`{"input_ids":[1,2,3],"attention_mask":[1,1,1]}`, `tokens: [1 2 3] [1 2 3]`},
		{`{"text":"t"}`, `text: text t`},
		{`{"text":" "}`, `text: text   left: column text is empty`},
	} {
		records, err := read(t, Options{}, c.row)
		var got []string
		for _, r := range records {
			if r.Place.String() != "f.jsonl:7" {
				t.Errorf("%s: place %s", c.row, r.Place)
			}
			got = append(got, show(t, r))
		}
		if err != nil || strings.Join(got, "|") != c.want {
			t.Errorf("%s:\n%s, %v\nwant\n%s", c.row, strings.Join(got, "|"), err, c.want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		o         Options
		row, want string
	}{
		{Options{Fields: map[string]string{"question": "q", "answer": "meta.reply.0.text"}}, `{"q":"a","meta":{"reply":[{"text":"b"}]}}`, `question: user=a [assistant=b]`},
		{Options{Fields: map[string]string{"text": "body"}}, `{"body":"t","label":1}`, `label: user=t [assistant=1]`},
		{Options{Shape: "text", Fields: map[string]string{"text": "body"}}, `{"body":"t","label":1}`, `text: text t`},
		{Options{Shape: "text"}, `{"text":"t","label":"x"}`, `text: text t`},
		{Options{Fields: map[string]string{"messages": "turns"}, Tags: Tags{Role: "who", Content: "what", User: "client", Answerer: "agent"}},
			`{"turns":[{"who":"client","what":"a"},{"who":"agent","what":"b"}]}`, `messages: user=a [assistant=b]`},
	} {
		records, err := read(t, c.o, c.row)
		if err != nil || len(records) != 1 || show(t, records[0]) != c.want {
			t.Errorf("%s: %v, %v, want %s", c.row, records, err, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ row, want string }{
		{`{"q":"a","a":"b"}`, "data: f.jsonl:7: columns a, q: no shape that graft knows; the nearest is "},
		{`{"questions":"a","answers":"b"}`, "the nearest is question (question or query, and answer or response or output): say --field question=questions --field answer=answers"},
		{`{"instruction":"a","reply":"b"}`, "--field "},
		{`{}`, "columns none"},
		{`{"messages":"hello"}`, "columns messages"},
		{`[1]`, "f.jsonl:7: not a JSON object"},
		{`{"text":3}`, "column text is not a string but a number (read as text)"},
		{`{"prompt":{},"completion":"b"}`, "column prompt is not a string but an object"},
		{`{"messages":[{"content":"x"}]}`, "messages[0]: a message has a role"},
		{`{"messages":[{"role":"boss","content":"x"}]}`, `messages[0]: role "boss": graft knows`},
		{`{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, `of type "image_url": graft learns from text only`},
		{`{"messages":[{"role":"user","content":3}]}`, "content is a number"},
		{`{"messages":[{"role":"assistant","content":"a","weight":0.5}]}`, "weight is 0.5: a message is learned, 1, or not, 0"},
		{`{"messages":[{"from":"function_call","value":"f(x)"}]}`, "messages[0]: a call of a tool is a JSON object"},
		{`{"messages":[{"role":"user","content":"a"}],"tools":{}}`, "column tools is an object"},
		{`{"messages":[{"role":"user","content":"a"}],"tools":[3]}`, "tools[0]"},
		{`{"prompt":[],"completion":"b"}`, "must be a list as well"},
		{`{"instruction":"a","output":"b","history":["x"]}`, "column history is not a list of pairs"},
		{`{"instruction":"a","output":"b","history":[["x"]]}`, "item 1 has 1 strings"},
		{`{"instruction":"a","instances":[{}]}`, "item 1 has no output"},
		{`{"instruction":"a","instances":3}`, "column instances is not a list"},
		{`{"input_ids":[1,2],"labels":[1]}`, "2 input_ids and 1 labels"},
		{`{"input_ids":[1,2],"labels":[2,-100]}`, "labels[0] is 2: must be input_ids[0], which is 1, or -100 (labels are not shifted)"},
		{`{"input_ids":"x"}`, "column input_ids is not a list"},
		{`{"text":"a","weight":-1}`, "column weight is -1"},
		{`{"text":"a","weight":"x"}`, "column weight is not a number"},
	} {
		if records, err := read(t, Options{}, c.row); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, error %v, want %q", c.row, records, err, c.want)
		}
	}
	for want, o := range map[string]Options{`there is no shape "chat"`: {Shape: "chat"}, "field prumpt: no shape": {Fields: map[string]string{"prumpt": "x"}}} {
		if _, err := NewReader(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := read(t, Options{Fields: map[string]string{"text": "body"}}, `{"text":"a"}`); err == nil || !strings.Contains(err.Error(), "none of the mapped columns body is there") {
		t.Errorf("%v", err)
	}
}

func TestInfo(t *testing.T) {
	info, err := ParseInfo("dataset_info.json", []byte(`{
		"b": {"file_name": "b.json", "formatting": "sharegpt", "columns": {"messages": "turns", "tools": "tools"}, "tags": {"role_tag": "who", "function_tag": "call"}},
		"a": {"file_name": "a.json", "columns": {"prompt": "ask", "query": "with", "response": "reply", "system": "rules"}},
		"c": {"hf_hub_url": "x/y"},
		"d": {"file_name": "d.txt", "columns": {"prompt": "body"}},
		"e": {"ranking": true, "columns": {"prompt": "question", "chosen": "good", "rejected": "bad"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	rowsOf := map[string][2]string{
		"a": {`{"ask":"q","with":"","reply":"r","rules":"s"}`, "alpaca: system=s user=q [assistant=r]"},
		"b": {`{"turns":[{"who":"human","value":"a"},{"who":"call","value":"{\"name\":\"f\"}"},{"who":"observation","value":"x"},{"who":"gpt","value":"b"}],"tools":""}`,
			`messages: user=a [{"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "f"}}]}] tool=x [assistant=b]`},
		"c": {`{"instruction":"q","output":"r"}`, "alpaca: user=q [assistant=r]"},
		"d": {`{"body":"t"}`, "text: text t"},
		"e": {`{"question":"q","good":"r","bad":"x"}`, "preference: user=q [assistant=r]"},
	}
	var names []string
	for _, e := range info.Entries {
		names = append(names, e.Name)
		records, err := read(t, e.Options, rowsOf[e.Name][0])
		if err != nil || show(t, records[0]) != rowsOf[e.Name][1] {
			t.Errorf("%s: %v, %v", e.Name, records, err)
		}
	}
	if !slices.Equal(names, []string{"a", "b", "c", "d", "e"}) {
		t.Errorf("entries %q", names)
	}
	for _, bad := range []string{`[]`, `{"a": {"formatting": "x"}}`} {
		if _, err := ParseInfo("i.json", []byte(bad)); err == nil || !strings.Contains(err.Error(), "i.json") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestPromptAndAnswer(t *testing.T) {
	records, err := read(t, Options{}, `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`)
	if err != nil || records[0].Prompt() != "system: s\nuser: a\n" || records[0].Answer() != "b" {
		t.Errorf("%q, %q, %v", records[0].Prompt(), records[0].Answer(), err)
	}
}

// FuzzRead makes sure that no row brings a reader down, and that what it learns is
// an answer.
func FuzzRead(f *testing.F) {
	for _, s := range []string{`{"prompt":"a","completion":"b"}`, `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`,
		`{"conversations":[{"from":"function_call","value":"[{\"name\":\"f\"}]"}],"tools":"[]"}`, `{"prompt":[],"chosen":{"from":"gpt"},"rejected":3}`, `{"input_ids":[1,2]}`} {
		f.Add([]byte(s))
	}
	r, err := NewReader(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		records, err := r.Read(rows.Row{JSON: row})
		if err != nil {
			return
		}
		for _, x := range records {
			if x.Left == "" && x.Last() < 0 && x.Text == "" && len(x.Tokens) < 2 {
				t.Errorf("%s: nothing to learn and no word of it", row)
			}
			for i := range x.Messages {
				if x.IsAnswer(i) && x.Role(i) == "tool" {
					t.Errorf("%s: a tool's result is an answer", row)
				}
			}
		}
	})
}
