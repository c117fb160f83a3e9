package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A plan needs a config.json and nothing else.
func TestPlan(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config.json")
	const text = `{"model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
		"num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 131072, "tie_word_embeddings": true, "dtype": "bfloat16"}`
	if err := os.WriteFile(config, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"11.3M parameters train; 2048 tokens at once, activations computed again", "weights bf16", "2.471 GB", "adapter", "45.09 MB", "in all", "free on cpu"}},
		{[]string{"--quantize", "nf4", "--no-recompute"}, []string{"weights nf4", "activations kept", "525.3 MB"}},
		{[]string{"--quantize", "int8"}, []string{"weights int8", "974.6 MB"}},
		{[]string{"--full", "--memory", "40GB"}, []string{"1.24B parameters train", "weights in float32", "free on a GPU of 40GB"}},
		{[]string{"--auto", "--memory", "5GB"}, []string{"activations computed again on the way back", "tokens at once fit with activations kept"}},
	} {
		out, _ := must(t, append([]string{"plan", "--model", config}, c.args...)...)
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("plan %v: %q is not in\n%s", c.args, want, out)
			}
		}
	}
	code, out, message := graft(t, "", "plan", "--model", filepath.Dir(config), "--memory", "2.5GB")
	if code != 1 || !strings.Contains(out, "in all") || !strings.Contains(message, "does not fit into memory") || !strings.Contains(message, "quantise the base") {
		t.Errorf("exit %d: %s%s", code, out, message)
	}
	for want, args := range map[string][]string{"--model is missing": nil, "--memory much": {"--model", config, "--memory", "much"}} {
		if code, _, message := graft(t, "", append([]string{"plan"}, args...)...); code != 2 || !strings.Contains(message, want) {
			t.Errorf("exit %d: %s", code, message)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"24GB": 24e9, "80GiB": 80 << 30, "1.5g": 1.5e9, "300 MB": 3e8, "12": 12, "x": 0, "-1GB": 0, "3QB": 0, "": 0} {
		if got, err := parseBytes(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

// Training prints its plan first, and --auto chooses by it.
func TestTrainPlans(t *testing.T) {
	_, said := must(t, append(job(t), "--out", t.TempDir(), "--auto")...)
	plan, steps := strings.Index(said, "as planned:"), strings.Index(said, "step 1/6")
	if plan < 0 || steps < plan || !strings.Contains(said, "activations kept") {
		t.Errorf("it says %s", said)
	}
}

func TestLR(t *testing.T) {
	args := job(t)[1:5] // model and data
	out, _ := must(t, append([]string{"lr", "--batch", "3", "--probes", "40"}, args...)...)
	if !strings.Contains(out, "the loss falls fastest at a rate of") || strings.Count(out, "\n") < 15 {
		t.Errorf("it says %s", out)
	}
	long := writeText(t, "long.txt", strings.Repeat("Once upon a time there was a very small bird. ", 100)) // more than the model's 512 positions
	must(t, "lr", "--probes", "20", "--model", storiesDir, "--data", long)
	code, _, message := graft(t, "", append([]string{"lr", "--from", "3", "--to", "1"}, args...)...)
	if code != 2 || !strings.Contains(message, "learning rates from 3 to 1") {
		t.Errorf("exit %d: %s", code, message)
	}
}
