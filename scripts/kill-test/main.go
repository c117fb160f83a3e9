// Kill-test kills training runs with SIGKILL at random moments, goes on with
// them, and compares the adapters that they end in with that of a run that
// nothing interrupted.
//
//	kill-test -graft BINARY -model DIR [-kills 50] [-seed 1]
//
// Every second kill waits for a snapshot to be written and hits that. Each time
// a run goes on it does so with another number of workers and another size of
// batches in memory, which change no bit. The test fails if an adapter differs,
// if fewer than half of the kills hit a run at work, or if none hit the writing
// of a snapshot.
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

var (
	binary = flag.String("graft", "", "the command graft")
	model  = flag.String("model", "", "directory of the base")
	kills  = flag.Int("kills", 50, "how many")
	seed   = flag.Uint64("seed", 1, "of the moments")
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("kill-test: ")
	flag.Parse()
	dir, err := os.MkdirTemp("", "kill-test-")
	if err != nil {
		log.Fatal(err)
	}
	t := &test{dir: dir, random: rand.New(rand.NewPCG(*seed, 0))}
	err = t.run()
	os.RemoveAll(dir)
	if err != nil {
		log.Fatal(err)
	}
}

// A test counts what its kills hit.
type test struct {
	dir    string
	random *rand.Rand
	whole  []byte        // hash of the uninterrupted run's adapter
	took   time.Duration // by it

	killed, atWork, inSnapshot, resumed, runs int
}

func (t *test) run() error {
	if err := t.uninterrupted(); err != nil {
		return err
	}
	for t.killed < *kills {
		if err := t.interrupted(); err != nil {
			return err
		}
	}
	fmt.Printf("%d kills of %d runs: %d at work, %d of them while a snapshot was written; %d went on from a snapshot; every adapter has the bytes of the uninterrupted run, %x\n",
		t.killed, t.runs, t.atWork, t.inSnapshot, t.resumed, t.whole[:8])
	switch {
	case t.atWork*2 < t.killed:
		return fmt.Errorf("only %d of %d kills hit a run at work", t.atWork, t.killed)
	case t.inSnapshot == 0:
		return errors.New("no kill hit the writing of a snapshot")
	case t.resumed*2 < t.killed:
		return fmt.Errorf("only %d of %d kills left a snapshot to go on from", t.resumed, t.killed)
	}
	return nil
}

// The data, and how often a run goes through it, four samples a step.
const (
	records    = 24
	epochs     = 6
	totalSteps = records / 4 * epochs
)

// uninterrupted trains the adapter that all others must equal.
func (t *test) uninterrupted() error {
	var lines strings.Builder
	for i := range records {
		fmt.Fprintf(&lines, "{\"prompt\":\"Once upon a time\",\"completion\":\", there were %d birds%s.\"}\n", i, strings.Repeat(" and a cat", i%5))
	}
	if err := os.WriteFile(filepath.Join(t.dir, "data.jsonl"), []byte(lines.String()), 0o666); err != nil {
		return err
	}
	start := time.Now()
	if out, err := t.train("whole").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	t.took = time.Since(start)
	var err error
	t.whole, err = t.hash("whole")
	return err
}

// train is the command of a run that saves after every second step.
func (t *test) train(name string, more ...string) *exec.Cmd {
	args := []string{
		"train", "--model", *model, "--data", filepath.Join(t.dir, "data.jsonl"), "--out", filepath.Join(t.dir, name), "--epochs", fmt.Sprint(epochs), "--batch", "4",
		"--rank", "32", "--dropout", "0.1", "--lr", "0.005", "--save-every", "2", "--eval", filepath.Join(t.dir, "data.jsonl"), "--eval-every", "5",
	}
	return exec.Command(*binary, append(args, more...)...)
}

func (t *test) hash(name string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(t.dir, name, "adapter_model.safetensors"))
	sum := sha256.Sum256(text)
	return sum[:], err
}

// interrupted kills one run up to three times, lets it go on to its end, and
// compares.
func (t *test) interrupted() error {
	t.runs++
	name := fmt.Sprint("run", t.runs)
	defer os.RemoveAll(filepath.Join(t.dir, name))
	for range 1 + t.random.IntN(3) {
		if ended, err := t.kill(name); err != nil || ended {
			break
		}
	}
	out, err := t.again(name).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "has ended") { // before the kill
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	if strings.Contains(string(out), "resumed from") {
		t.resumed++
	}
	got, err := t.hash(name)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, t.whole) {
		return fmt.Errorf("%s: adapter %x, that of the uninterrupted run is %x\n%s", name, got[:8], t.whole[:8], out)
	}
	return nil
}

// again starts or goes on with a run, by other workers and batches.
func (t *test) again(name string) *exec.Cmd {
	workers, micro := []int{1, 2, 5}[t.random.IntN(3)], []int{1, 40, 100, 2048}[t.random.IntN(4)]
	return t.train(name, "--resume", "--device", fmt.Sprint("cpu:", workers), "--micro-tokens", fmt.Sprint(micro))
}

// kill starts a run, or goes on with it, and kills it at a random moment of what
// is left of it. It reports whether the run had ended before.
func (t *test) kill(name string) (ended bool, err error) {
	cmd, left := t.again(name), t.partial(name)
	said := &listener{}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		return false, err
	}
	end := make(chan error, 1)
	go func() { end <- cmd.Wait() }()
	steps := t.random.IntN(totalSteps - t.saved(name))
	for len(end) == 0 && said.count("step ") < steps {
		time.Sleep(50 * time.Microsecond)
	}
	time.Sleep(time.Duration(t.random.Float64() * float64(t.took) / totalSteps))
	if t.killed%2 == 1 {
		t.awaitWriting(name, left, end)
	}
	cmd.Process.Kill()
	ended = <-end == nil
	t.killed++
	t.resumed += said.count("resumed from")
	if !ended && said.count("parameters of") > 0 {
		t.atWork++
		if t.writing(name, left) {
			t.inSnapshot++
		}
	}
	return ended, nil
}

// A listener keeps what a program says while it runs.
type listener struct {
	sync.Mutex
	text bytes.Buffer
}

func (l *listener) Write(b []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.text.Write(b)
}

// count returns how many lines have a word in them.
func (l *listener) count(word string) (n int) {
	l.Lock()
	defer l.Unlock()
	for line := range bytes.Lines(l.text.Bytes()) {
		if bytes.Contains(line, []byte(word)) {
			n++
		}
	}
	return n
}

// saved returns how many whole steps the newest snapshot of a run holds.
func (t *test) saved(name string) (steps int) {
	found, _ := filepath.Glob(filepath.Join(t.dir, name, "snapshots", "step-*"))
	for _, path := range found {
		var n int
		if _, err := fmt.Sscanf(filepath.Base(path), "step-%d", &n); err == nil {
			steps = max(steps, n)
		}
	}
	return min(steps, totalSteps-1)
}

// awaitWriting waits until a snapshot is being written, or the run has ended.
func (t *test) awaitWriting(name string, left []string, end chan error) {
	for len(end) == 0 && !t.writing(name, left) {
		time.Sleep(50 * time.Microsecond)
	}
	time.Sleep(time.Duration(t.random.IntN(3000)) * time.Microsecond)
}

// writing reports whether a snapshot is half written, beside those that kills
// before have left.
func (t *test) writing(name string, left []string) bool {
	return slices.ContainsFunc(t.partial(name), func(p string) bool { return !slices.Contains(left, p) })
}

// partial lists the snapshots that are half written.
func (t *test) partial(name string) []string {
	found, _ := filepath.Glob(filepath.Join(t.dir, name, "snapshots", ".partial-*"))
	return found
}
