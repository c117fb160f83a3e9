package tokenizer

import (
	"encoding/binary"
	"errors"
	"math"
)

var errWire = errors.New("not a protocol buffer, or cut short")

// A field is one field of a protocol buffer message: a number, or bytes.
type field struct {
	tag   int
	value uint64 // of a varint, or the bits of a float
	bytes []byte // of a string, bytes or message
}

func (f field) float() float64 { return float64(math.Float32frombits(uint32(f.value))) }
func (f field) int() int32     { return int32(f.value) }
func (f field) bool() bool     { return f.value != 0 }

// eachField calls f for the fields of a message, in the order of the wire format's encoding guide.
func eachField(b []byte, f func(field) error) error {
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 || key>>3 == 0 || key>>3 > math.MaxInt32 {
			return errWire
		}
		b = b[n:]
		x := field{tag: int(key >> 3)}
		if n = x.read(b, int(key&7)); n < 0 {
			return errWire
		}
		b = b[n:]
		if err := f(x); err != nil {
			return err
		}
	}
	return nil
}

// read takes the content of a field of a wire type from b and returns its length, or -1.
func (f *field) read(b []byte, wire int) (n int) {
	switch wire {
	case 0:
		if f.value, n = binary.Uvarint(b); n > 0 {
			return n
		}
	case 1:
		if len(b) >= 8 {
			f.value = binary.LittleEndian.Uint64(b)
			return 8
		}
	case 2:
		size, n := binary.Uvarint(b)
		if n > 0 && size <= uint64(len(b)-n) {
			f.bytes = b[n : n+int(size)]
			return n + int(size)
		}
	case 5:
		if len(b) >= 4 {
			f.value = uint64(binary.LittleEndian.Uint32(b))
			return 4
		}
	}
	return -1
}
