package data

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Record is a prompt with its answer, or a text.
type Record struct {
	Prompt, Answer string
	IsText         bool   // Answer is a text and there is no prompt
	Source         string // file:line
}

// A shape is a pair of columns that graft recognises.
type shape struct{ prompt, answer string }

// shapes are tried in order; the first whose columns are there wins.
var shapes = []shape{
	{"prompt", "completion"}, {"instruction", "output"}, {"input", "output"}, {"question", "answer"}, {"", "text"},
}

func (s shape) String() string {
	if s.prompt == "" {
		return s.answer
	}
	return s.prompt + " and " + s.answer
}

// readFile reads a file's records by the ending of its name.
func readFile(path string) ([]Record, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	return parse(path, text)
}

func parse(path string, text []byte) (records []Record, err error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("data: %s: not UTF-8: convert it first", path)
	}
	switch ending := strings.ToLower(filepath.Ext(path)); ending {
	case ".jsonl", ".ndjson":
		records, err = parseLines(path, text)
	case ".json":
		records, err = parseArray(path, text)
	case ".txt", ".md":
		records = []Record{{Answer: string(text), IsText: true, Source: path}}
	default:
		return nil, fmt.Errorf("data: %s: graft reads .jsonl, .json, .txt and .md, not %q", path, ending)
	}
	if err == nil && (len(records) == 0 || len(bytes.TrimSpace(text)) == 0) {
		err = fmt.Errorf("data: %s: no records", path)
	}
	return records, err
}

// maxFaults is how many faulty records are named before reading gives up.
const maxFaults = 10

func parseLines(path string, text []byte) (records []Record, err error) {
	var faults []error
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for n := 1; lines.Scan() && len(faults) < maxFaults; n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		r, err := parseRecord(lines.Bytes(), fmt.Sprintf("%s:%d", path, n))
		if err != nil {
			faults = append(faults, err)
		}
		records = append(records, r)
	}
	return records, errors.Join(faults...)
}

// parseArray reads an array of records; a record's source is the line on which
// it ends.
func parseArray(path string, text []byte) (records []Record, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if first, err := d.Token(); err != nil || first != json.Delim('[') {
		return nil, fmt.Errorf("data: %s: a .json file holds an array of records; one record a line is .jsonl", path)
	}
	var faults []error
	for d.More() && len(faults) < maxFaults {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, fmt.Errorf("data: %s:%d: %w", path, lineAt(text, d.InputOffset()), err)
		}
		r, err := parseRecord(raw, fmt.Sprintf("%s:%d", path, lineAt(text, d.InputOffset())))
		if err != nil {
			faults = append(faults, err)
		}
		records = append(records, r)
	}
	if len(faults) == 0 {
		if _, err := d.Token(); err != nil {
			return nil, fmt.Errorf("data: %s: the array does not end: %w", path, unexpectedEOF(err))
		}
	}
	return records, errors.Join(faults...)
}

func unexpectedEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func lineAt(text []byte, offset int64) int { return 1 + bytes.Count(text[:offset], []byte("\n")) }

func parseRecord(text []byte, source string) (Record, error) {
	var columns map[string]json.RawMessage
	if err := json.Unmarshal(text, &columns); err != nil {
		return Record{}, fmt.Errorf("data: %s: not a JSON object: %w", source, err)
	}
	for _, s := range shapes {
		if columns[s.answer] == nil || s.prompt != "" && columns[s.prompt] == nil {
			continue
		}
		return s.record(columns, source)
	}
	return Record{}, fmt.Errorf("data: %s: columns %s: graft knows %s", source, strings.Join(slices.Sorted(maps.Keys(columns)), ", "), shapeNames())
}

func shapeNames() string {
	var names []string
	for _, s := range shapes {
		names = append(names, s.String())
	}
	return strings.Join(names, "; ")
}

// record reads the columns of a shape. A line break sets a prompt off from its
// answer, and an instruction from its input; a prompt made for a completion
// stays as it is.
func (s shape) record(columns map[string]json.RawMessage, source string) (Record, error) {
	r := Record{IsText: s.prompt == "", Source: source}
	var input string
	var err error
	read := func(column string, to *string) {
		if columns[column] != nil && json.Unmarshal(columns[column], to) != nil {
			err = errors.Join(err, fmt.Errorf("data: %s: column %s is not a string", source, column))
		}
	}
	read(s.answer, &r.Answer)
	switch s.prompt {
	case "":
	case "prompt":
		read(s.prompt, &r.Prompt)
	case "instruction":
		read(s.prompt, &r.Prompt)
		if read("input", &input); input != "" {
			r.Prompt += "\n" + input
		}
		r.Prompt += "\n"
	default:
		read(s.prompt, &r.Prompt)
		r.Prompt += "\n"
	}
	if err == nil && strings.TrimSpace(r.Answer) == "" {
		err = fmt.Errorf("data: %s: column %s is empty", source, s.answer)
	}
	return r, err
}
