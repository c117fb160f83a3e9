package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A base quantised once and one quantised while loading train alike, and the
// adapter merges every way that is open to the base.
func TestQLoRA(t *testing.T) {
	for quantize, bits := range map[string]string{"nf4": "4", "int8": "8"} {
		t.Run(quantize, func(t *testing.T) { testQLoRA(t, quantize, bits) })
	}
}

func testQLoRA(t *testing.T, quantize, bits string) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{
		"data.jsonl": `{"text":"Once upon a time there was a small dragon who could not fly."}`, "sample.txt": "Once upon a time there was a dragon.",
	} {
		if err := os.WriteFile(in(name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	out, _ := must(t, "quantize", "--model", storiesDir, "--quantize", quantize, "--out", in("small"))
	if want := in("small") + ": in " + quantize + "\n"; out != want {
		t.Errorf("quantize prints %q, want %q", out, want)
	}
	settings := []string{"--data", in("data.jsonl"), "--steps", "4", "--lr", "0.01", "--merge-aware", "0.5", "--no-snapshots"}
	must(t, append([]string{"train", "--model", storiesDir, "--quantize", quantize, "--out", in("a")}, settings...)...)
	must(t, append([]string{"train", "--model", in("small"), "--out", in("b")}, settings...)...)
	if !same(t, in("a/adapter_model.safetensors"), in("b/adapter_model.safetensors")) {
		t.Error("the adapters differ")
	}
	for _, c := range []struct {
		into      string
		base      []string
		ways      int // that are measured
		quantized bool
	}{
		{"dense", []string{storiesDir, "--quantize", quantize}, 4, false},
		{"training", []string{storiesDir, "--quantize", quantize}, 4, false},
		{"dense" + bits, []string{storiesDir, "--quantize", quantize}, 4, true},
		{bits + "bit", []string{in("small")}, 2, true},
	} {
		args := append([]string{"merge", "--adapter", in("a"), "--out", in(c.into), "--into", c.into, "--text", in("sample.txt"), "--model"}, c.base...)
		out, _ := must(t, args...)
		if lines := strings.Count(out, "\n"); lines != c.ways+2 || !strings.Contains(out, "\n"+c.into+" ") {
			t.Errorf("--into %s prints %q", c.into, out)
		}
		config, err := os.ReadFile(in(c.into + "/config.json"))
		if err != nil || strings.Contains(string(config), "quantization_config") != c.quantized {
			t.Errorf("--into %s: %s, %v", c.into, config, err)
		}
		must(t, "generate", "--model", in(c.into), "--prompt", "Once upon a time", "--max-tokens", "3")
	}
	if code, _, message := graft(t, "", "merge", "--model", in("small"), "--adapter", in("a"), "--out", in("x"), "--into", "dense"); code != 2 || !strings.Contains(message, "can be merged training, "+bits+"bit") {
		t.Errorf("exit %d: %s", code, message)
	}
}

func same(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}
