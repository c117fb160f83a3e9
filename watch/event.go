package watch

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// Field numbers of the messages in tensorflow's event.proto, summary.proto and
// tensor.proto.
const (
	eventTime     = 1
	eventStep     = 2
	eventVersion  = 3
	eventSummary  = 5
	eventSession  = 7
	sessionStatus = 1
	sessionStart  = 1 // SessionLog.START

	summaryValue  = 1
	valueTag      = 1
	valueSimple   = 2
	valueTensor   = 8
	valueMetadata = 9

	metadataPlugin = 1
	metadataClass  = 4
	classTensor    = 2 // DATA_CLASS_TENSOR
	pluginName     = 1

	tensorType   = 1
	tensorShape  = 2
	tensorValue  = 8 // string_val
	tensorString = 7 // DT_STRING
)

// A message is a protocol buffer, built field by field.
type message []byte

// Wire types of protocol buffers.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

func (m message) tag(field, wire int) message {
	return binary.AppendUvarint(m, uint64(field<<3|wire))
}

func (m message) number(field, v int) message {
	return binary.AppendUvarint(m.tag(field, wireVarint), uint64(v))
}

func (m message) double(field int, v float64) message {
	return binary.LittleEndian.AppendUint64(m.tag(field, wire64), math.Float64bits(v))
}

func (m message) single(field int, v float32) message {
	return binary.LittleEndian.AppendUint32(m.tag(field, wire32), math.Float32bits(v))
}

func (m message) bytes(field int, v []byte) message {
	return append(binary.AppendUvarint(m.tag(field, wireBytes), uint64(len(v))), v...)
}

func (m message) text(field int, v string) message { return m.bytes(field, []byte(v)) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked returns the checksum of TFRecord files: CRC-32C, turned and offset so
// that checksums of data that hold checksums stay good.
func masked(b []byte) uint32 {
	sum := crc32.Checksum(b, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}

// record frames data: its length and that's checksum, data and its checksum.
func record(data []byte) []byte {
	r := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	r = binary.LittleEndian.AppendUint32(r, masked(r))
	r = append(r, data...)
	return binary.LittleEndian.AppendUint32(r, masked(data))
}
