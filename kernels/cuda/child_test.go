//go:build cuda

package cuda

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/seed-5afa5581/graft/kernels"
	_ "github.com/seed-5afa5581/graft/kernels/cpu"
	"github.com/seed-5afa5581/graft/kernels/cuda/driver"
)

// children are programs of their own: a driver is loaded once a process, and one
// that has failed stays so. Each prints what its test looks for.
var children = map[string]func(){
	"absent": func() {
		_, err := kernels.Open("cuda")
		fmt.Println("cuda:", err)
		dev, err := kernels.Open("")
		fmt.Println("best:", dev.Info().Name, err)
	},
	"fault":        func() { overrun(Config{Blocking: true}) },
	"queued fault": func() { overrun(Config{}) },
	"broken graph": brokenGraph,
	"counted":      counted,
}

// overrun lets a kernel write outside its memory, then asks for more.
func overrun(c Config) {
	d, err := Open(c)
	if err != nil {
		fmt.Println("Open:", err)
		return
	}
	mem, err := d.Alloc(kernels.Float32, 3000)
	fmt.Println("Alloc:", err)
	t := kernels.Tensor{Rows: 1, Cols: 3000, Kind: kernels.Float32, Mem: mem}
	d.Fill(t, 1)
	t.Cols = 3008
	d.Fill(t, 2)
	t.Cols = 3000
	d.SumSquares(t, t)
	fmt.Println("Sync:", d.Sync())
	fmt.Println("Sync again:", d.Sync())
	_, err = d.Alloc(kernels.Float32, 1)
	fmt.Println("Alloc after:", err)
	d.Read(make([]float32, 3000), t)
	d.Free(mem)
	fmt.Println("Close:", d.Close())
	d.Fill(t, 1)
	_, err = d.Alloc(kernels.Float32, 1)
	fmt.Println("Alloc when closed:", err)
}

// TestMain runs a child where the environment names one.
func TestMain(m *testing.M) {
	if run := children[os.Getenv("GRAFT_CUDA_CHILD")]; run != nil {
		run()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child runs a child and returns what it prints.
func child(t *testing.T, name string, env ...string) string {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(append(os.Environ(), "GRAFT_CUDA_CHILD="+name), env...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func wants(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("no %q in\n%s", w, got)
		}
	}
}

// A program built with the tag starts where there is no driver, and says so.
func TestWithoutDriver(t *testing.T) {
	got := child(t, "absent", "GRAFT_CUDA_DRIVER=/nowhere/libcuda.so.1", "GRAFT_DEVICE=")
	wants(t, got, "cuda: kernels: cuda: no CUDA driver\n", "best: cpu <nil>\n")
}

// needsEmulator skips a test that would break a GPU's context, or has no driver.
func needsEmulator(t *testing.T) {
	t.Helper()
	if os.Getenv("GRAFT_CUDA_DRIVER") == "" {
		t.Skip("needs the emulated driver")
	}
}

// A fault of a kernel is returned by Sync, with the kernel's name, and by what
// comes after; the program goes on.
func TestFaultsSurfaceFromSync(t *testing.T) {
	needsEmulator(t)
	if !strings.Contains(open(t, Config{}).Info().Detail, "checked") {
		t.Skip("needs an emulator that checks every access")
	}
	got := child(t, "fault")
	wants(t, got, "emulator: fill: write outside memory", "Alloc: <nil>\n", "Sync: cuda: fill: IllegalAddress\n", "Sync again: cuda: fill: IllegalAddress\n",
		"Alloc after: cuda: 4 bytes of memory: cuda: fill: IllegalAddress", "Close: cuda: fill: IllegalAddress\n", "Alloc when closed: cuda: 4 bytes of memory: the device is closed")
	wants(t, child(t, "queued fault"), "IllegalAddress", "Sync: cuda: fill")
}

func TestSeveralGPUs(t *testing.T) {
	needsEmulator(t)
	second, err := kernels.Open("cuda:1,blocking")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if i := second.Info(); i.Name != "cuda:1" || i.Memory != 8<<30 || !strings.Contains(i.Detail, "compute capability 9.0, 8.0 GiB") {
		t.Errorf("%+v", i)
	}
	if _, err := kernels.Open("cuda:7"); err == nil || err.Error() != "kernels: cuda: there is no GPU 7: the driver lists 2, numbered from 0" {
		t.Errorf("error %v", err)
	}
}

func TestNames(t *testing.T) {
	for arg, want := range map[string]Config{"": {}, "1": {GPU: 1}, "blocking": {Blocking: true}, "2,blocking": {GPU: 2, Blocking: true}} {
		if got, err := parse(arg); got != want || err != nil {
			t.Errorf("%q is %+v, %v", arg, got, err)
		}
	}
	for _, arg := range []string{"-1", "x", "1,", ",1", "1.5"} {
		if _, err := parse(arg); err == nil || !strings.Contains(err.Error(), "say cuda, cuda:1 or cuda:1,blocking") {
			t.Errorf("%q: error %v", arg, err)
		}
	}
}

// More memory than there is makes an error, not a fault that stays.
func TestOutOfMemory(t *testing.T) {
	d := open(t, Config{})
	if _, err := d.Alloc(kernels.Float32, 1<<40); err == nil || !strings.Contains(err.Error(), "OutOfMemory") || !strings.Contains(err.Error(), "are free") {
		t.Errorf("error %v", err)
	}
	if err := d.Sync(); err != nil {
		t.Error(err)
	}
}

func TestDriverStartsOnce(t *testing.T) {
	if a, b := driver.Start(), driver.Start(); (a == nil) != (b == nil) {
		t.Errorf("%v, then %v", a, b)
	}
}
