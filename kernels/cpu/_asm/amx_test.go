package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestAMX compares with the GNU assembler.
func TestAMX(t *testing.T) {
	if _, err := exec.LookPath("as"); err != nil {
		t.Skip("no as")
	}
	const src = "ldtilecfg (%rax)\ntilerelease\ntilezero %tmm3\ntilezero %tmm7\ntileloadd (%rsi,%rcx,1), %tmm4\ntileloadd (%rbx,%rdx,1), %tmm7\n" +
		"tilestored %tmm2, (%rax,%rdx,1)\ntdpbf16ps %tmm6, %tmm4, %tmm0\ntdpbf16ps %tmm7, %tmm5, %tmm3\n"
	var want []byte
	for _, b := range [][]byte{
		vex(0, 0x49, 0, 0, 0), vex(0, 0x49, 0, 0, 0xC0), vex(3, 0x49, 3, 0, 0xC0), vex(3, 0x49, 7, 0, 0xC0),
		vex(3, 0x4B, 4, 0, sib("SI", "CX")...), vex(3, 0x4B, 7, 0, sib("BX", "DX")...), vex(2, 0x4B, 2, 0, sib("AX", "DX")...),
		vex(2, 0x5C, 0, 6, 0xC0|4), vex(2, 0x5C, 3, 7, 0xC0|5),
	} {
		want = append(want, b...)
	}
	if got := assemble(t, src); string(got) != string(want) {
		t.Errorf("as % x\nours % x", got, want)
	}
}

// assemble returns the bytes that the GNU assembler makes of a text.
func assemble(t *testing.T, src string) []byte {
	t.Helper()
	f := filepath.Join(t.TempDir(), "a.s")
	if err := os.WriteFile(f, []byte(src), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{{"as", "-o", f + ".o", f}, {"objcopy", "-O", "binary", "-j", ".text", f + ".o", f + ".bin"}} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s", out[:min(2000, len(out))])
		}
	}
	got, err := os.ReadFile(f + ".bin")
	if err != nil {
		t.Fatal(err)
	}
	return got
}
