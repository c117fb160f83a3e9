package watch

import (
	"bufio"
	stdbytes "bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed-5afa5581/graft/train"
)

// story tells observers a run of n steps.
func story(t *testing.T, n int, observers ...train.Observer) {
	t.Helper()
	tell := func(e train.Event) {
		for _, o := range observers {
			if err := o.Observe(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := 1; i <= n; i++ {
		loss := 1 + 2*math.Exp(-float64(i)/40)
		s := train.Step{
			N: i, Of: n, Epoch: float64(i) / 50, Loss: loss + 0.3*math.Sin(float64(i*i)), Smoothed: loss, Accuracy: 0.5, Entropy: 1.5,
			LR: 2e-4 * float64(n-i) / float64(n), GradNorm: 0.7, Tokens: 512, Labels: 300, TokensPerSec: 900, Memory: 1 << 30,
			Left: time.Duration(n-i) * time.Second,
		}
		if i == 7 {
			s.Alarm = train.Spike
		}
		tell(s)
		if i%25 == 0 {
			tell(train.Evaluation{Step: i, Loss: loss + 0.1, Accuracy: 0.4, Labels: 1000})
		}
	}
	tell(train.Saved{Step: n, Path: "out/step-9", Best: true})
	tell(train.Saved{Step: n, Err: errors.New("disk full")})
	tell(train.Stopped{Step: n, Best: train.Evaluation{Step: 1, Loss: 2}})
}

// A History of many steps stays small, evenly spread, and ends with the last step.
func TestHistoryIsBounded(t *testing.T) {
	h := NewHistory()
	story(t, 5000, h)
	for range 40 {
		h.AddSample(Sample{Step: 1, Text: "x"})
	}
	v := h.view()
	if len(v.Points) > maxPoints+1 || len(v.Points) < maxPoints/2 || v.Points[0].N != 1 || v.Points[len(v.Points)-1].N != 5000 {
		t.Errorf("%d points from %d to %d", len(v.Points), v.Points[0].N, v.Points[len(v.Points)-1].N)
	}
	for i := 1; i < len(v.Points)-1; i++ {
		if v.Points[i].N-v.Points[i-1].N != h.stride {
			t.Fatalf("points %d and %d", v.Points[i-1].N, v.Points[i].N)
		}
	}
	if v.Tokens != 5000*512 || v.Alarms != 1 || len(v.Evaluations) != 200 || len(v.Samples) != maxSamples {
		t.Errorf("%d tokens, %d alarms, %d evaluations, %d samples", v.Tokens, v.Alarms, len(v.Evaluations), len(v.Samples))
	}
}

func TestJSONLines(t *testing.T) {
	var b stdbytes.Buffer
	j := NewJSONLines(&b)
	j.now = func() time.Time { return time.Unix(1, 5e8) }
	story(t, 30, j)
	if err := j.AddSample(Sample{Step: 3, Prompt: "a\n", Text: "b"}); err != nil {
		t.Fatal(err)
	}
	events := map[string]int{}
	for _, text := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		var line struct {
			Event, Time string
			Step        int
			Loss, LR    *float64
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if line.Time != "1970-01-01T00:00:01.5Z" || line.Step == 0 || line.Event == "step" && (line.Loss == nil || line.LR == nil) {
			t.Errorf("line %s", text)
		}
		events[line.Event]++
	}
	if fmt.Sprint(events) != "map[evaluation:1 not saved:1 sample:1 saved:1 step:30 stopped:1]" {
		t.Errorf("events %v", events)
	}
	if !strings.Contains(b.String(), `"alarm":"spike"`) || !strings.Contains(b.String(), `"left":29,`) && !strings.Contains(b.String(), `"left":29}`) {
		t.Errorf("no alarm or no time left in %s", b.String())
	}
	if err := NewJSONLines(fullDisk{}).Observe(train.Step{N: 1}); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error %v", err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestLog(t *testing.T) {
	var b stdbytes.Buffer
	story(t, 25, Log(slog.New(slog.NewTextHandler(&b, nil))))
	for _, want := range []string{`level=WARN msg="loss goes astray" alarm=spike step=7`, "msg=evaluation step=25", "msg=saved step=25", `level=WARN msg="not saved" step=25 error="disk full"`, "msg=stopped step=25 best=1"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "msg=step") {
		t.Error("steps are logged as information")
	}
}

// Checksums of RFC 3720, appendix B.4, masked as LevelDB does.
func TestMasked(t *testing.T) {
	for want, data := range map[uint32][]byte{0x8a9136aa: make([]byte, 32), 0xe3069283: []byte("123456789")} {
		got := masked(data) - 0xa282ead8
		if sum := got<<15 | got>>17; sum != want {
			t.Errorf("checksum %#x, want %#x", sum, want)
		}
	}
}

// The records of an event file are whole; scripts/tensorboard-check has TensorBoard
// itself read them.
func TestTensorBoardRecords(t *testing.T) {
	dir := t.TempDir()
	b, err := NewTensorBoard(filepath.Join(dir, "run"))
	if err != nil {
		t.Fatal(err)
	}
	story(t, 30, b)
	if err := errors.Join(b.AddSample(Sample{Step: 30, Prompt: "a", Text: "b"}), b.Close()); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "run", "events.out.tfevents.*"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	f, err := os.Open(names[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, n := bufio.NewReader(f), 0
	for ; ; n++ {
		head := make([]byte, 12)
		if _, err := io.ReadFull(r, head); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, binary.LittleEndian.Uint64(head)+4)
		if _, err := io.ReadFull(r, data); err != nil {
			t.Fatal(err)
		}
		size := len(data) - 4
		if binary.LittleEndian.Uint32(head[8:]) != masked(head[:8]) || binary.LittleEndian.Uint32(data[size:]) != masked(data[:size]) {
			t.Fatalf("record %d: checksum", n)
		}
	}
	if n != 1+1+30+1+1 { // version, session, steps, evaluation, sample
		t.Errorf("%d records", n)
	}
	if _, err := NewTensorBoard(names[0]); err == nil {
		t.Error("a file was taken for a folder")
	}
}

// serve runs a server and returns what a GET of a path answers.
func serve(t *testing.T, h *History) (get func(path, host string) (int, string)) {
	t.Helper()
	l, err := Listen(":0", false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- Server{Title: "A <run>", History: h, Tables: []Table{{"Machine", []Fact{{"processor", "<fast>"}}}}}.Serve(ctx, l)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func(path, host string) (int, string) {
		request, err := http.NewRequest("GET", "http://"+l.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
}

func TestServer(t *testing.T) {
	h := NewHistory()
	get := serve(t, h)
	if code, text := get("/", "localhost"); code != 200 || !strings.Contains(text, "no step yet") {
		t.Errorf("before the first step: %d %s", code, text)
	}
	story(t, 60, h)
	h.AddSample(Sample{Step: 50, Prompt: "<b>", Text: "bold"})
	_, text := get("/", "127.0.0.1:1")
	for _, want := range []string{"<title>A &lt;run&gt;</title>", "60 / 60", "<svg ", `class="held"`, "&lt;b&gt;", "&lt;fast&gt;", "width:100%", "1 GB"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if _, live := get("/live", "[::1]:80"); strings.Contains(live, "<html") || !strings.Contains(live, "<svg ") {
		t.Errorf("the live part is %s", live)
	}
	noReferences(t, text)
	for path, want := range map[string]int{"/other": 404, "/page.html": 404} {
		if code, _ := get(path, "localhost"); code != want {
			t.Errorf("%s: %d", path, code)
		}
	}
	if code, _ := get("/", "evil.example"); code != http.StatusForbidden {
		t.Errorf("a foreign name: %d", code)
	}
}

// noReferences makes sure that a page loads nothing from elsewhere.
func noReferences(t *testing.T, page string) {
	t.Helper()
	if found := regexp.MustCompile(`(?i)https?://|src=|<link|@import|url\(`).FindString(page); found != "" {
		t.Errorf("the page refers to something: %q", found)
	}
}

func TestPrometheus(t *testing.T) {
	h := NewHistory()
	get := serve(t, h)
	story(t, 50, h)
	_, text := get("/metrics", "localhost")
	lines := regexp.MustCompile(`(?m)^# HELP (\w+) .+\n# TYPE \w+ (gauge|counter)\n\w+ [-+.e0-9]+\n`).FindAllString(text, -1)
	if strings.Join(lines, "") != text || len(lines) != 14 {
		t.Errorf("%d metrics in %s", len(lines), text)
	}
	for _, want := range []string{"\ngraft_step 50\n", "\ngraft_tokens_total 25600\n", "\ngraft_alarms_total 1\n", "\ngraft_evaluation_loss 1."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

func TestListen(t *testing.T) {
	for addr, want := range map[string]string{
		"0.0.0.0:0": "other machines", "[::]:0": "other machines", "192.0.2.1:80": "other machines", "example.com:80": "other machines",
		"8080": "HOST:PORT", "127.0.0.1:x": "unknown port",
	} {
		l, err := Listen(addr, false)
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", addr, err, want)
		}
	}
	for addr, anywhere := range map[string]bool{":0": false, "localhost:0": false, "127.0.0.1:0": false, "0.0.0.0:0": true} {
		l, err := Listen(addr, anywhere)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		if !anywhere && !strings.HasPrefix(l.Addr().String(), "127.0.0.1:") && !strings.HasPrefix(l.Addr().String(), "[::1]:") {
			t.Errorf("%s listens on %s", addr, l.Addr())
		}
		l.Close()
	}
}

func TestReport(t *testing.T) {
	h := NewHistory()
	story(t, 400, h)
	r := Report{
		Title: "Pirates", Subtitle: "one day", History: h, Footer: "graft",
		Comparisons: []Comparison{{Prompt: "Who?", Before: "<i>me</i>", After: "Arr", Reference: "Ahoy"}},
		Tables:      []Table{{"Configuration", []Fact{{"rank", "16"}}}, {"Hashes", []Fact{{"base", strings.Repeat("0f", 32)}}}},
	}
	path := filepath.Join(t.TempDir(), "report.html")
	if err := r.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Pirates", "&lt;i&gt;me&lt;/i&gt;", "Ahoy", "rank", strings.Repeat("0f", 32), "held-out", "best held-out loss, perplexity 3", "Gradient norm"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the report has no %q", want)
		}
	}
	if strings.Contains(string(text), "<script") {
		t.Error("the report has a script")
	}
	noReferences(t, string(text))
}

func TestReportOfNothing(t *testing.T) {
	var b stdbytes.Buffer
	if err := (Report{Title: "x", History: NewHistory()}).Write(&b); err != nil || !strings.Contains(b.String(), "no step yet") {
		t.Errorf("%v: %s", err, b.String())
	}
}

// A logbook of a run that was killed and resumed holds every step once, and so
// does the history.
func TestLogbook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	book, err := OpenLogbook(path, 0, NewHistory())
	if err != nil {
		t.Fatal(err)
	}
	story(t, 60, book)
	if err := errors.Join(book.AddSample(Sample{Step: 20, Prompt: "a", Text: "b"}), book.Close()); err != nil {
		t.Fatal(err)
	}
	torn, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := torn.WriteString(`{"event":"step","time":"2026`); err != nil {
		t.Fatal(err)
	}
	torn.Close()
	h := NewHistory()
	if book, err = OpenLogbook(path, 40, h); err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	if v := h.view(); v.Last.N != 40 || len(v.Points) != 40 || len(v.Evaluations) != 1 || len(v.Samples) != 1 || v.Alarms != 1 || v.Last.Left != 20*time.Second {
		t.Errorf("after 40 steps: %+v", v)
	}
	if err := book.Observe(train.Step{N: 41, Of: 60}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 40+1+1+1 || !strings.Contains(lines[len(lines)-1], `"step":41,`) {
		t.Errorf("%d lines, the last %s", len(lines), lines[len(lines)-1])
	}
	if book, err = OpenLogbook(path, 0, NewHistory()); err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("a new run finds %d bytes, %v", info.Size(), err)
	}
	if _, err := OpenLogbook(t.TempDir(), 1, NewHistory()); err == nil {
		t.Error("a folder is a logbook")
	}
}
