package data

import (
	"encoding/binary"
	"fmt"
	"os"

	"github.com/seed-5afa5581/graft/model"
)

// A store holds samples as numbers, those beyond a limit in a temporary file. A
// number is a token; its highest bit tells that it is learned.
type store struct {
	index  []stored
	memory []uint32
	total  int64 // numbers, in memory and in the file
	limit  int   // numbers in memory
	file   *os.File
	buffer []byte // of what is to be written
}

// stored is what the store knows of a sample beside its tokens.
type stored struct {
	at     int64
	n      int32
	weight float64
	source string
}

const learnedBit = 1 << 31

// inMemory is how many tokens a store keeps in memory: 64 MB.
const inMemory = 1 << 24

// add appends a sample.
func (s *store) add(x Sample) error {
	s.index = append(s.index, stored{s.total, int32(len(x.Tokens)), x.weight(), x.Source})
	s.total += int64(len(x.Tokens))
	if s.file != nil || len(s.memory)+len(x.Tokens) > s.limit {
		return s.write(x)
	}
	for i, t := range x.Tokens {
		s.memory = append(s.memory, number(t, x.Labels[i]))
	}
	return nil
}

func number(token, label int32) uint32 {
	if label == model.IgnoreLabel {
		return uint32(token)
	}
	return uint32(token) | learnedBit
}

// write appends to the file, which takes all samples after the first that
// does not fit into memory.
func (s *store) write(x Sample) (err error) {
	if s.file == nil {
		if s.file, err = os.CreateTemp("", "graft-data-*"); err != nil {
			return fmt.Errorf("data: %w", err)
		}
	}
	for i, t := range x.Tokens {
		s.buffer = binary.LittleEndian.AppendUint32(s.buffer, number(t, x.Labels[i]))
	}
	const large = 1 << 20
	if len(s.buffer) < large {
		return nil
	}
	return s.flush()
}

// flush writes what waits.
func (s *store) flush() error {
	if len(s.buffer) == 0 {
		return nil
	}
	if _, err := s.file.Write(s.buffer); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	s.buffer = s.buffer[:0]
	return nil
}

// sample returns sample i.
func (s *store) sample(i int) (Sample, error) {
	e := s.index[i]
	x := Sample{Tokens: make([]int32, e.n), Labels: make([]int32, e.n), Source: e.source, Weight: e.weight}
	numbers, err := s.numbers(e)
	if err != nil {
		return x, err
	}
	for k, v := range numbers {
		x.Tokens[k], x.Labels[k] = int32(v&^learnedBit), model.IgnoreLabel
		if v&learnedBit != 0 {
			x.Labels[k] = x.Tokens[k]
		}
	}
	return x, nil
}

func (s *store) numbers(e stored) ([]uint32, error) {
	if end := e.at + int64(e.n); end <= int64(len(s.memory)) {
		return s.memory[e.at:end], nil
	}
	bytes := make([]byte, 4*e.n)
	if _, err := s.file.ReadAt(bytes, 4*(e.at-int64(len(s.memory)))); err != nil {
		return nil, fmt.Errorf("data: samples on disk: %w", err)
	}
	numbers := make([]uint32, e.n)
	for i := range numbers {
		numbers[i] = binary.LittleEndian.Uint32(bytes[4*i:])
	}
	return numbers, nil
}

// close removes the file.
func (s *store) close() error {
	if s.file == nil {
		return nil
	}
	name := s.file.Name()
	err := s.file.Close()
	s.file = nil
	if e := os.Remove(name); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return nil
}
