// Command tokenizer measures graft's tokenizer, or that of github.com/sugarme/tokenizer, on one thread and prints what
// it found as JSON. compare.py runs it, so that each measurement has a process of its own.
//
//	tokenizer graft|sugarme FILE DOCS REPS
//
// FILE is a tokenizer.json, DOCS has a document {"text": ...} a line, REPS is the number of passes after the first. It
// reads memory from /proc and so needs Linux.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// An engine is a tokenizer under measurement.
type engine interface {
	// count encodes text without special tokens and returns the number of ids.
	count(text string) int
}

// engines loads a tokenizer.json, by the engine's name.
var engines = map[string]func(file string) (engine, error){"graft": loadGraft, "sugarme": loadSugarme}

// result is what is printed. MB are 10^6 bytes.
type result struct {
	Tokens     int     `json:"tokens"`
	Load       float64 `json:"load_s"`       // median of three
	Resident   float64 `json:"rss_mb"`       // resident memory after the first load, less that before
	Live       float64 `json:"live_mb"`      // heap that the tokenizer keeps
	Cold       float64 `json:"cold_mb_s"`    // first pass
	Encode     float64 `json:"encode_mb_s"`  // median of the passes after it
	Allocs     float64 `json:"allocs_doc"`   // allocations a document in those passes
	AllocBytes float64 `json:"alloc_kb_doc"` // and their size
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tokenizer:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 || engines[args[0]] == nil {
		return fmt.Errorf("usage: tokenizer graft|sugarme FILE DOCS REPS")
	}
	runtime.GOMAXPROCS(1)
	docs, size, err := readDocs(args[2])
	if err != nil {
		return err
	}
	reps, err := strconv.Atoi(args[3])
	if err != nil || reps < 1 {
		return fmt.Errorf("REPS is %q, want a positive number", args[3])
	}
	var r result
	e, err := r.load(engines[args[0]], args[1])
	if err != nil {
		return err
	}
	r.encode(e, docs, size, reps)
	return json.NewEncoder(os.Stdout).Encode(r)
}

// load loads three times, and measures the memory of the first.
func (r *result) load(open func(string) (engine, error), file string) (e engine, err error) {
	if err := warm(file); err != nil {
		return nil, err
	}
	runtime.GC()
	live, resident := heap(), rss()
	var times []float64
	for i := range 3 {
		start := time.Now()
		if e, err = open(file); err != nil {
			return nil, err
		}
		times = append(times, time.Since(start).Seconds())
		if i == 0 {
			r.Resident = rss() - resident
			runtime.GC()
			r.Live = heap() - live
		}
	}
	r.Load = median(times)
	runtime.GC()
	return e, nil
}

// warm brings a file into the page cache.
func warm(file string) error {
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, f)
	return err
}

// encode measures passes over all documents.
func (r *result) encode(e engine, docs []string, size float64, reps int) {
	pass := func() float64 {
		r.Tokens = 0
		start := time.Now()
		for _, d := range docs {
			r.Tokens += e.count(d)
		}
		return time.Since(start).Seconds()
	}
	r.Cold = size / pass()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var times []float64
	for range reps {
		times = append(times, pass())
	}
	runtime.ReadMemStats(&after)
	r.Encode = size / median(times)
	calls := float64(reps * len(docs))
	r.Allocs = float64(after.Mallocs-before.Mallocs) / calls
	r.AllocBytes = float64(after.TotalAlloc-before.TotalAlloc) / calls / 1e3
}

func readDocs(path string) (docs []string, size float64, err error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var doc struct{ Text string }
		if err := d.Decode(&doc); err == io.EOF {
			return docs, size, nil
		} else if err != nil {
			return nil, 0, fmt.Errorf("%s: document %d: %w", path, len(docs)+1, err)
		}
		docs, size = append(docs, doc.Text), size+float64(len(doc.Text))/1e6
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// rss returns the resident memory of the process in MB.
func rss() float64 {
	var total, pages float64
	data, _ := os.ReadFile("/proc/self/statm")
	fmt.Sscan(string(data), &total, &pages)
	return pages * float64(os.Getpagesize()) / 1e6
}

// heap returns the memory of live objects in MB.
func heap() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}
