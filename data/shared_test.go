package data

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/data/shape"
)

// recognised are the files of GRAFT_DATA with the shape and the number of the
// records in them, or the error that refuses one.
var recognised = []struct {
	file, shape string
	records     int
	refused     string
}{
	{"aci-bench/train.json", "source", 67, ""},
	{"aci-bench/valid.json", "source", 20, ""},
	{"axolotl-fixtures/alpaca.json", "alpaca", 2, ""},
	{"axolotl-fixtures/conversation.json", "messages", 1, ""},
	{"axolotl-fixtures/conversation.missingturns.json", "messages", 1, ""},
	{"banking77/train.csv", "label", 10003, ""},
	{"banking77/categories.json", "", 0, "a list of words or labels is no training data"},
	{"disc-finllm-zh/computing_part.json", "alpaca", 70, ""},
	{"disc-finllm-zh/consulting_part.json", "alpaca", 70, ""},
	{"disc-finllm-zh/retrieval_part.json", "alpaca", 70, ""},
	{"disc-finllm-zh/task_part.json", "alpaca", 70, ""},
	{"fastchat/dummy_conversation.json", "messages", 500, ""},
	{"gsm8k/train.jsonl", "question", 7473, ""},
	{"hr-zh-labour-law", "text", 10, ""},
	{"llamafactory/dataset_info.json", "messages alpaca", 691, ""},
	{"llamafactory/glaive_toolcall_en_demo.json", "messages", 300, ""},
	{"llamafactory/glaive_toolcall_zh_demo.json", "messages", 300, ""},
	{"llamafactory/identity.json", "alpaca", 91, ""},
	{"meqsum/train.jsonl", "input", 1000, ""},
	{"meqsum/validate.jsonl", "input", 50, ""},
	{"mlx-lora-wikisql/train.jsonl", "text", 1000, ""},
	{"mlx-lora-wikisql/valid.jsonl", "text", 100, ""},
	{"self-instruct/seed_tasks.jsonl", "self-instruct", 175, ""},
}

func sharedData(t *testing.T) string {
	dir := os.Getenv("GRAFT_DATA")
	if dir == "" {
		t.Skip("GRAFT_DATA is not set")
	}
	return fromRoot(dir)
}

// Every file of the collection opens without options, or is refused with advice.
func TestRecognised(t *testing.T) {
	dir := sharedData(t)
	for _, want := range recognised {
		files, err := Find([]string{filepath.Join(dir, want.file)}, shape.Options{})
		if err != nil {
			t.Fatal(err)
		}
		records, shapes := 0, []string{}
		for item, e := range files.Read(nil) {
			if e == nil {
				e = item.Err
			}
			if err = e; err != nil {
				break
			}
			if records++; !strings.Contains(strings.Join(shapes, " "), item.Record.Shape) {
				shapes = append(shapes, item.Record.Shape)
			}
		}
		refused := err != nil && want.refused != "" && strings.Contains(err.Error(), want.refused)
		if err != nil != refused || records != want.records || strings.Join(shapes, " ") != want.shape {
			t.Errorf("%s: %d records of %q, %v", want.file, records, shapes, err)
		}
	}
}

// What axolotl, LLaMA-Factory and FastChat would learn of their own files is
// learned: each answer, each call of a tool, what ends them, and nothing else.
func TestIntendedMasks(t *testing.T) {
	dir, k := sharedData(t), letters(t, "")
	for _, name := range []string{"axolotl-fixtures/conversation.json", "axolotl-fixtures/conversation.missingturns.json", "fastchat/dummy_conversation.json",
		"llamafactory/glaive_toolcall_en_demo.json", "llamafactory/glaive_toolcall_zh_demo.json"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if text[0] == '{' {
			text = []byte("[" + string(text) + "]")
		}
		var chats []struct {
			Conversations []struct{ From, Value string }
		}
		if err := json.Unmarshal(text, &chats); err != nil {
			t.Fatal(err)
		}
		set, err := Open(filepath.Join(dir, name), k, Config{Template: "chatml", MaxLen: 1 << 20})
		if err != nil || set.Len() != len(chats) {
			t.Fatalf("%s: %v", name, err)
		}
		for i, c := range chats {
			var want []string
			for _, m := range c.Conversations {
				switch {
				case m.From == "gpt" && m.Value != "":
					want = append(want, m.Value+"<|im_end|>")
				case m.From == "function_call":
					want = append(want, "CALL")
				}
			}
			var got []string
			s := set.Sample(i)
			for _, run := range runs(s) {
				if said := k.Decode(s.Tokens[run.from:run.to]); run.learned && strings.HasPrefix(said, "<tool_call>\n{") && strings.HasSuffix(said, "}\n</tool_call><|im_end|>") {
					got = append(got, "CALL")
				} else if run.learned {
					got = append(got, said)
				}
			}
			if strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("%s: chat %d learns %q, want %q", name, i, got, want)
			}
		}
	}
}
