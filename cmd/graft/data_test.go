package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/data/check"
)

func writeText(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

const fewRecords = `{"question":"What is a boat made of?","answer":"A boat is made of wood, most of the time."}
{"question":"Who bakes the bread?","answer":"The baker does, early in the morning."}
{"question":"Who bakes the bread?","answer":"The baker does, early in the morning."}
{"q":"x"}
`

func TestDataCheck(t *testing.T) {
	file := writeText(t, "a.jsonl", fewRecords)
	code, out, message := graft(t, "", "data", "check", file, "--model", storiesDir)
	if code != 1 || !strings.Contains(message, "there are errors") || !strings.Contains(out, "error: unreadable (1)") || !strings.Contains(out, "samples   3 of") {
		t.Errorf("exit %d: %s%s", code, out, message)
	}
	code, out, _ = graft(t, "", "data", "check", "--json", file)
	var report check.Report
	if err := json.Unmarshal([]byte(strings.ReplaceAll(out, `"severity": "`, `"was": "`)), &report); err != nil || code != 1 || report.Records != 4 || report.Counts[check.Duplicate] != 1 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
	good := writeText(t, "b.jsonl", strings.Join(strings.Split(fewRecords, "\n")[:3], "\n"))
	for want, args := range map[int][]string{0: {"data", "check", good}, 1: {"data", "check", good, "--strict"}, 2: {"data", "check"}} {
		if code, out, message := graft(t, "", args...); code != want {
			t.Errorf("%v: exit %d: %s%s", args, code, out, message)
		}
	}
	if code, out, _ := graft(t, "", "data", "check", good, "--eval", good); code != 0 || !strings.Contains(out, "overlap (3)") {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestDataCheckLoss(t *testing.T) {
	var lines strings.Builder
	for i, name := range strings.Fields("Tim Lily Max Sue Tom Ben Mia Sam Anna Jack Lucy Bob Kim Joe Amy Dan Eve Leo Zoe Ted") {
		fmt.Fprintf(&lines, `{"text":"Once upon a time, there was a little one named %s. %s liked to play with a ball in the park every day."}`+"\n", name, name)
		if i == 9 {
			lines.WriteString(`{"text":"zxq ~~ 0x7f %%% kkk vvv qqq ### zzz 123 xyzzy plugh @@@ wvut srqp"}` + "\n")
		}
	}
	out, _ := must(t, "data", "check", writeText(t, "a.jsonl", lines.String()), "--model", storiesDir, "--loss")
	if !strings.Contains(out, "loss-outlier (1)") || !strings.Contains(out, "a.jsonl:11: its loss under the base is") {
		t.Errorf("%s", out)
	}
	if code, _, message := graft(t, "", "data", "check", "--loss", writeText(t, "b.jsonl", fewRecords)); code != 2 || !strings.Contains(message, "needs --model") {
		t.Errorf("exit %d: %s", code, message)
	}
}

func TestDataShow(t *testing.T) {
	file := writeText(t, "a.jsonl", fewRecords)
	out, _ := must(t, "data", "show", "--model", storiesDir, "--n", "1", "--skip", "1", file)
	if want := "<s>Who bakes the bread?↵\n⟦The baker does, early in the morning.<s>⟧\n"; !strings.Contains(out, want) || strings.Contains(out, "boat") {
		t.Errorf("%s, want %s", out, want)
	}
	page := filepath.Join(t.TempDir(), "page.html")
	must(t, "data", "show", "--model", storiesDir, "--n", "2", "--html", page, file)
	if text := string(read(t, page)); strings.Count(text, "<article>") != 2 {
		t.Errorf("%s", text)
	}
	if code, _, message := graft(t, "", "data", "show", file); code != 2 || !strings.Contains(message, "--model is missing") {
		t.Errorf("exit %d: %s", code, message)
	}
}

func TestDataCleanAndSplit(t *testing.T) {
	file, dir := writeText(t, "a.jsonl", fewRecords), t.TempDir()
	out := filepath.Join(dir, "clean.jsonl")
	said, _ := must(t, "data", "clean", file, "--out", out)
	if !strings.Contains(said, "2 rows kept, 2 removed") || string(read(t, out)) != strings.Join(strings.Split(fewRecords, "\n")[:2], "\n")+"\n" {
		t.Errorf("%s: %s", said, read(t, out))
	}
	var removed []check.Removal
	if err := json.Unmarshal(read(t, out+".removed.json"), &removed); err != nil || len(removed) != 2 || removed[0].Kind != check.Duplicate || removed[1].Kind != check.Unreadable {
		t.Errorf("%+v, %v", removed, err)
	}
	said, _ = must(t, "data", "split", out, "--out", dir, "--share", "0.5")
	if a, b := string(read(t, dir, "train.jsonl")), string(read(t, dir, "eval.jsonl")); strings.Count(a, "\n") != 1 || strings.Count(b, "\n") != 1 || a == b {
		t.Errorf("%s%s%s", said, a, b)
	}
	for want, args := range map[string][]string{
		"no such kind": {"clean", file, "--out", out, "--remove", "x"}, "--out is missing": {"split", file}, "is not NAME=COLUMN": {"check", file, "--field", "x"},
		"graft knows": {"check", file, "--overflow", "x"}, "no shape has that column": {"check", file, "--field", "x=y"},
	} {
		if code, _, message := graft(t, "", append([]string{"data"}, args...)...); code != 2 || !strings.Contains(message, want) {
			t.Errorf("%v: exit %d: %s", args, code, message)
		}
	}
}

func TestDataChunk(t *testing.T) {
	file, out := writeText(t, "a.md", "# Law\n\nArticle 1 One.\n\nArticle 2 Two.\n"), filepath.Join(t.TempDir(), "out.jsonl")
	said, _ := must(t, "data", "chunk", file, "--out", out, "--begin", "^Article", "--model", storiesDir)
	if text := string(read(t, out)); !strings.Contains(said, "2 passages of 1 files") || !strings.Contains(text, `"from":5,"to":5,"headings":["Law"],"passage":"Article 2 Two.","question":"","answer":""`) {
		t.Errorf("%s%s", said, text)
	}
}

func TestDataHelp(t *testing.T) {
	if code, out, _ := graft(t, "", "data", "--help"); code != 0 || !strings.Contains(out, "data split") {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, _, out := graft(t, "", "data", "bake"); code != 2 || !strings.Contains(out, "data check") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// Any file and shape trains, several at once; what the check calls an error
// does not.
func TestTrainOnAnything(t *testing.T) {
	dir := t.TempDir()
	pairs := writeText(t, "a.csv", "ask;reply\nWho?;Me and you.\nWhere?;Here and there.\n")
	out := filepath.Join(dir, "a")
	said, progress := must(t, "train", "--model", storiesDir, "--data", pairs, "--field", "question=ask", "--field", "answer=reply", "--out", out, "--epochs", "2", "--batch", "1",
		"--packing", "64", "--system", "Be brief.", "--train-on", "last-answer", "--max-len", "64", "--overflow", "cut-answer", "--template", "plain", "--eval", pairs)
	if !strings.Contains(said, "saved after 2 steps") || !strings.Contains(progress, "overlap (2)") {
		t.Errorf("%s%s", said, progress)
	}
	if out, err := must(t, "verify", out); !strings.Contains(out, "ok") {
		t.Errorf("%s%s", out, err)
	}
	chat := writeText(t, "b.json", `[{"conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Hello there, you."}]}]`)
	said, _ = must(t, "train", "--model", storiesDir, "--data", chat, "--data", writeText(t, "c.txt", "Once upon a time."), "--mix", "1,3", "--out", filepath.Join(dir, "b"), "--batch", "1")
	if !strings.Contains(said, "saved after 4 steps") {
		t.Errorf("%s", said)
	}
	long := writeText(t, "e.txt", strings.Repeat("Once upon a time there was a dog. ", 120)) // more tokens than the model has positions
	said, _ = must(t, "train", "--model", storiesDir, "--data", long, "--out", filepath.Join(dir, "d"), "--steps", "1", "--batch", "1")
	if !strings.Contains(said, "saved after 1 steps") {
		t.Errorf("%s", said)
	}
	bad := writeText(t, "d.jsonl", `{"input_ids":[300,301],"labels":[-100,301]}`)
	code, _, message := graft(t, "", "train", "--model", storiesDir, "--data", bad, "--out", filepath.Join(dir, "c"))
	if code != 1 || !strings.Contains(message, "error: missing-eos (1): "+bad+":1") || !strings.Contains(message, "--no-check") {
		t.Errorf("exit %d: %s", code, message)
	}
	must(t, "train", "--model", storiesDir, "--data", bad, "--out", filepath.Join(dir, "c"), "--no-check")
}
