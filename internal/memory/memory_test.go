package memory

import (
	"runtime"
	"testing"
)

func TestResidentGrows(t *testing.T) {
	before := Resident()
	big := make([]byte, 64<<20)
	for i := 0; i < len(big); i += 4096 {
		big[i] = 1
	}
	if grown := Resident() - before; grown < 60<<20 || grown > 320<<20 { // the race detector keeps as much again
		t.Errorf("64 MiB made Resident grow by %d", grown)
	}
	runtime.KeepAlive(big)
}

func TestLimits(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the system is asked on Linux only")
	}
	if p, r := Peak(), Resident(); p < r-1<<20 || r <= 0 {
		t.Errorf("peak %d, resident %d", p, r)
	}
	if a, all := Available(), Total(); a <= 0 || a > all || all < 1<<28 {
		t.Errorf("%d of %d bytes are available", a, all)
	}
}
