package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestA64 compares with the GNU assembler.
func TestA64(t *testing.T) {
	const as = "aarch64-linux-gnu-"
	if _, err := exec.LookPath(as + "as"); err != nil {
		t.Skip("no " + as + "as")
	}
	text := map[string]string{
		"AND": "and v%d.16b, v%d.16b, v%d.16b", "ORR": "orr v%d.16b, v%d.16b, v%d.16b", "EOR": "eor v%d.16b, v%d.16b, v%d.16b",
		"BSL": "bsl v%d.16b, v%d.16b, v%d.16b", "BIF": "bif v%d.16b, v%d.16b, v%d.16b",
		"FSQRT": "fsqrt v%d.4s, v%d.4s", "FRINTN": "frintn v%d.4s, v%d.4s", "FCVTNS": "fcvtns v%d.4s, v%d.4s", "CMLT0": "cmlt v%d.4s, v%d.4s, #0",
		"DUP0": "dup v%d.4s, v%d.s[0]", "SHLL16": "shll v%d.4s, v%d.4h, #16", "SHLL16H": "shll2 v%d.4s, v%d.8h, #16",
		"FCVTL": "fcvtl v%d.4s, v%d.4h", "FCVTLH": "fcvtl2 v%d.4s, v%d.8h", "SCVTF": "scvtf v%d.4s, v%d.4s",
		"SXTB": "sxtl v%d.8h, v%d.8b", "SXTBH": "sxtl2 v%d.8h, v%d.16b", "SXTH": "sxtl v%d.4s, v%d.4h", "SXTHH": "sxtl2 v%d.4s, v%d.8h",
	}
	var src strings.Builder
	var want []byte
	add := func(w uint32, format string, a ...any) {
		fmt.Fprintf(&src, format+"\n", a...)
		want = binary.LittleEndian.AppendUint32(want, w)
	}
	for i := range 32 {
		d, n, m := i, (7*i+3)%32, (11*i+5)%32
		for op := range a64 {
			format, ok := text[op]
			if !ok {
				format = strings.ToLower(op) + " v%d.4s, v%d.4s, v%d.4s"
			}
			if strings.Count(format, "%d") == 2 {
				add(word3(op, d, n, 0), format, d, n)
			} else {
				add(word3(op, d, n, m), format, d, n, m)
			}
		}
		add(wordByElement(d, n, m, i%4), "fmla v%d.4s, v%d.4s, v%d.s[%d]", d, n, m, i%4)
		add(wordShift(d, n, i, false), "shl v%d.4s, v%d.4s, #%d", d, n, i)
		add(wordShift(d, n, i+1, true), "sshr v%d.4s, v%d.4s, #%d", d, n, i+1)
	}
	f := filepath.Join(t.TempDir(), "a.s")
	if err := os.WriteFile(f, []byte(src.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{{as + "as", "-o", f + ".o", f}, {as + "objcopy", "-O", "binary", "-j", ".text", f + ".o", f + ".bin"}} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s", out)
		}
	}
	got, err := os.ReadFile(f + ".bin")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(src.String()), "\n") {
		if g, w := binary.LittleEndian.Uint32(got[4*i:]), binary.LittleEndian.Uint32(want[4*i:]); g != w {
			t.Errorf("%s: as %08x, ours %08x", line, g, w)
		}
	}
}
