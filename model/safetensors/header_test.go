package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
)

// pack makes a file of a header and n bytes of data, which count up.
func pack(header string, n int) []byte {
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	for i := range n {
		file = append(file, byte(i))
	}
	return file
}

// claim makes a file that claims a header of n bytes.
func claim(n uint64, rest string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, n), rest...)
}

// A specimen is a file, and the error that Parse gives, or none.
type specimen struct {
	name string
	file []byte
	err  string
	// taken says that the reference implementation reads what Parse refuses.
	taken bool
}

var specimens = []specimen{
	// The frame.
	{name: "no bytes", file: nil, err: "0 bytes are too few for the length of a header: the file is cut off or no safetensors file"},
	{name: "7 bytes", file: []byte("{\"a\":1}"), err: "7 bytes are too few for the length of a header: the file is cut off or no safetensors file"},
	{name: "no header", file: claim(0, ""), err: "the header does not begin with {"},
	{name: "header longer than the file", file: claim(3, "{}"), err: "header of 3 bytes in a file of 10: the file is cut off or no safetensors file"},
	{name: "longest header in a short file", file: claim(100_000_000, "{}"), err: "header of 100000000 bytes in a file of 10: the file is cut off or no safetensors file"},
	{name: "header over the limit", file: claim(100_000_001, "{}"), err: "header of 100000001 bytes: at most 100000000 are allowed, so this is no safetensors file"},
	{name: "largest length", file: claim(1<<64-1, "{}"), err: "header of 18446744073709551615 bytes: at most 100000000 are allowed, so this is no safetensors file"},
	{name: "a pointer", file: []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"), err: "a pointer of Git LFS, not the file: fetch it with git lfs pull"},
	{name: "not UTF-8", file: pack("{\"\xff\":1}", 0), err: "the header is not UTF-8"},
	{name: "space before the object", file: pack(" {}", 0), err: "the header does not begin with {", taken: true},
	{name: "an array", file: pack("[]", 0), err: "the header does not begin with {"},
	{name: "a pickle", file: pack("PK\x03\x04", 0), err: "the header does not begin with {"},
	{name: "after the object", file: pack("{}{}", 0), err: `byte 2 of the header: "{}" instead of the end of the header`},
	{name: "NUL after the object", file: pack("{}\x00", 0), err: `byte 2 of the header: "\x00" instead of the end of the header`},

	// JSON.
	{name: "object not closed", file: pack(`{`, 0), err: "the header ends where a key should be"},
	{name: "key not closed", file: pack(`{"a`, 0), err: "the header ends within a string"},
	{name: "escape not closed", file: pack(`{"a\`, 0), err: "the header ends within a string"},
	{name: "key is no string", file: pack(`{1:2}`, 0), err: `byte 1 of the header: "1:2}" instead of a key`},
	{name: "comma after the last entry", file: pack(`{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},}`, 1), err: `byte 52 of the header: "}" instead of a key`},
	{name: "no comma", file: pack(`{"a":{"dtype":"U8" "shape":[]}}`, 0), err: `tensor "a": byte 19 of the header: "\"shape\":[]" instead of a comma or }`},
	{name: "no colon", file: pack(`{"a" 1}`, 0), err: `byte 5 of the header: "1}" instead of a colon`},
	{name: "control character", file: pack("{\"a\nb\":1}", 0), err: `byte 3 of the header: "\nb\":1}" instead of text without control characters`},
	{name: "unknown escape", file: pack(`{"\x":1}`, 0), err: `string "\x": invalid character 'x' in string escape code`},
	{name: "half a surrogate pair", file: pack(`{"\ud800":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}`, 1), err: `string "\ud800" is no text`},

	// Metadata.
	{name: "metadata is null", file: pack(`{"__metadata__":null}`, 0), err: `__metadata__: byte 16 of the header: "null}" instead of an object`, taken: true},
	{name: "metadata holds a number", file: pack(`{"__metadata__":{"n":1}}`, 0), err: `__metadata__: byte 21 of the header: "1}}" instead of a string`},
	{name: "metadata holds an object", file: pack(`{"__metadata__":{"n":{}}}`, 0), err: `__metadata__: byte 21 of the header: "{}}}" instead of a string`},
	{name: "metadata names a key twice", file: pack(`{"__metadata__":{"n":"1","n":"2"}}`, 0), err: `__metadata__: "n" comes twice`, taken: true},
	{name: "metadata twice", file: pack(`{"__metadata__":{},"__metadata__":{}}`, 0), err: "the header has two __metadata__"},

	// Entries.
	{name: "entry is no object", file: pack(`{"a":[]}`, 0), err: `tensor "a": byte 5 of the header: "[]}" instead of an object`},
	{name: "two of a name", file: pack(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), err: `two tensors are named "a"`},
	{name: "two of a name, one escaped", file: pack(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), err: `two tensors are named "a"`, taken: true},
	{name: "key twice", file: pack(`{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}`, 1), err: `tensor "a": dtype comes twice`},
	{name: "unknown key", file: pack(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"crc":7}}`, 1), err: `tensor "a": unknown key "crc"`, taken: true},
	{name: "no dtype", file: pack(`{"a":{"shape":[1],"data_offsets":[0,1]}}`, 1), err: `tensor "a": no dtype`},
	{name: "no shape", file: pack(`{"a":{"dtype":"U8","data_offsets":[0,1]}}`, 1), err: `tensor "a": no shape`},
	{name: "no data_offsets", file: pack(`{"a":{"dtype":"U8","shape":[1]}}`, 1), err: `tensor "a": no data_offsets`},
	{name: "unknown type", file: pack(`{"a":{"dtype":"F128","shape":[1],"data_offsets":[0,16]}}`, 16), err: `tensor "a": dtype: unknown type "F128"`},
	{name: "type in lower case", file: pack(`{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}`, 4), err: `tensor "a": dtype: unknown type "f32"`},
	{name: "type is a number", file: pack(`{"a":{"dtype":32,"shape":[1],"data_offsets":[0,4]}}`, 4), err: `tensor "a": dtype: byte 14 of the header: "32,\"shape\"" instead of a type's name`},

	// Shapes.
	{name: "shape is a number", file: pack(`{"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}}`, 1), err: `tensor "a": shape: byte 27 of the header: "1,\"data_of" instead of an array`},
	{name: "negative", file: pack(`{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}`, 1), err: `tensor "a": shape: byte 28 of the header: "-1],\"data_" instead of a size`},
	{name: "negative zero", file: pack(`{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}`, 0), err: `tensor "a": shape: byte 28 of the header: "-0],\"data_" instead of a size`},
	{name: "fraction", file: pack(`{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}`, 1), err: `tensor "a": shape: byte 28 of the header: "1.0],\"data" instead of a size`},
	{name: "exponent", file: pack(`{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}`, 1), err: `tensor "a": shape: byte 28 of the header: "1e0],\"data" instead of a size`},
	{name: "leading zero", file: pack(`{"a":{"dtype":"U8","shape":[01],"data_offsets":[0,1]}}`, 1), err: `tensor "a": shape: byte 28 of the header: "01],\"data_" instead of a size`},
	{name: "text for a size", file: pack(`{"a":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}`, 1), err: `tensor "a": shape: byte 28 of the header: "\"1\"],\"data" instead of a size`},
	{name: "comma after the last size", file: pack(`{"a":{"dtype":"U8","shape":[1,],"data_offsets":[0,1]}}`, 1), err: `tensor "a": shape: byte 30 of the header: "],\"data_of" instead of a size`},
	{name: "no comma between sizes", file: pack(`{"a":{"dtype":"U8","shape":[1 1],"data_offsets":[0,1]}}`, 1), err: `tensor "a": shape: byte 30 of the header: "1],\"data_o" instead of a comma or ]`},
	{name: "size over 63 bits", file: pack(`{"a":{"dtype":"U8","shape":[9223372036854775808,0],"data_offsets":[0,0]}}`, 0), err: `tensor "a": shape: byte 28 of the header: "9223372036" instead of a size that memory could hold`, taken: true},
	{name: "size over 64 bits", file: pack(`{"a":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,0]}}`, 0), err: `tensor "a": shape: byte 28 of the header: "1844674407" instead of a size that memory could hold`},
	{name: "product overflows to 0", file: pack(`{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), err: `tensor "a": shape [4294967296 4294967296] overflows`},
	{name: "bytes overflow to 0", file: pack(`{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}`, 0), err: `tensor "a": shape [2305843009213693952] overflows`},
	{name: "overflow before a zero", file: pack(`{"a":{"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}`, 0), err: `tensor "a": shape [4294967296 4294967296 0] overflows`},
	{name: "half a byte", file: pack(`{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}`, 1), err: `tensor "a": F4 [3] does not fill whole bytes`},

	// Places.
	{name: "one offset", file: pack(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}`, 1), err: `tensor "a": 1 data_offsets instead of 2`},
	{name: "three offsets", file: pack(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}`, 1), err: `tensor "a": 3 data_offsets instead of 2`},
	{name: "negative offset", file: pack(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}`, 1), err: `tensor "a": data_offsets: byte 47 of the header: "-1,0]}}" instead of a size`},
	{name: "begin after end", file: pack(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, 1), err: `tensor "a": data_offsets begin at 1, after their end at 0`},
	{name: "end outside", file: pack(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 1), err: `tensor "a": data_offsets end at 2 of 1 bytes of data: the file is cut off or damaged`},
	{name: "largest offsets", file: pack(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[9223372036854775806,9223372036854775807]}}`, 1), err: `tensor "a": data_offsets end at 9223372036854775807 of 1 bytes of data: the file is cut off or damaged`},
	{name: "too few bytes", file: pack(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), err: `tensor "a": 4 bytes for F32 [2], which has 8`},
	{name: "too many bytes", file: pack(`{"a":{"dtype":"F32","shape":[],"data_offsets":[0,8]}}`, 8), err: `tensor "a": 8 bytes for F32 [], which has 4`},
	{name: "overlap", file: pack(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), err: `tensor "b" overlaps the one before it by 1 bytes`},
	{name: "shared bytes", file: pack(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 2), err: `tensor "b" overlaps the one before it by 2 bytes`},
	{name: "empty tensor within another", file: pack(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}`, 2), err: `tensor "b" overlaps the one before it by 1 bytes`},
	{name: "gap", file: pack(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}`, 4), err: `a gap of 2 bytes before tensor "b"`},
	{name: "gap at the start", file: pack(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), err: `a gap of 1 bytes before tensor "a"`},
	{name: "after the last tensor", file: pack(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 4), err: "3 bytes after the last tensor"},
	{name: "bytes without a tensor", file: pack(`{}`, 1), err: "1 bytes after the last tensor"},

	// What looks odd but is sound.
	{name: "no tensor", file: pack(`{}`, 0)},
	{name: "space after the object", file: pack("{} \n\t\r ", 0)},
	{name: "spaces within", file: pack("{ \"a\" :\t{\"dtype\" : \"U8\" , \"shape\": [ 2 ,\n1 ] ,\r\"data_offsets\" : [ 0 , 2 ] } }", 2)},
	{name: "metadata alone", file: pack(`{"__metadata__":{"format":"pt","":"\n\u00e9"}}`, 0)},
	{name: "metadata last", file: pack(`{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"__metadata__":{}}`, 1)},
	{name: "keys in another order", file: pack(`{"a":{"data_offsets":[0,1],"shape":[],"dtype":"BOOL"}}`, 1)},
	{name: "tensors in another order", file: pack(`{"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}`, 3)},
	{name: "an odd place", file: pack(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F64","shape":[1],"data_offsets":[1,9]}}`, 9)},
	{name: "scalar", file: pack(`{"a":{"dtype":"F64","shape":[],"data_offsets":[0,8]}}`, 8)},
	{name: "zero-size", file: pack(`{"a":{"dtype":"F32","shape":[3,0],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"c":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}`, 1)},
	{name: "zero-size of a huge shape", file: pack(`{"a":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}}`, 0)},
	{name: "no name", file: pack(`{"":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}`, 1)},
	{name: "names beyond ASCII", file: pack(`{"вес":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"\ud83d\ude00":{"dtype":"U8","shape":[],"data_offsets":[1,2]}}`, 2)},
	{name: "4 bits", file: pack(`{"a":{"dtype":"F4","shape":[3,2],"data_offsets":[0,3]}}`, 3)},
	{name: "6 bits", file: pack(`{"a":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,3]}}`, 3)},
}

func TestSpecimens(t *testing.T) {
	for _, s := range specimens {
		t.Run(s.name, func(t *testing.T) {
			f, err := Parse("x", s.file)
			if s.err != "" {
				if err == nil || err.Error() != "safetensors: x: "+s.err {
					t.Fatalf("error\n%v\nwant\nsafetensors: x: %s", err, s.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkFile(t, f)
		})
	}
}

// checkFile checks what holds for every file: the tensors are where Names has
// them, and their bytes are as many as type and shape say.
func checkFile(t *testing.T, f *File) {
	t.Helper()
	for _, name := range f.Names() {
		v, ok := f.Tensor(name)
		if !ok || v.Name != name {
			t.Fatalf("tensor %q is named %q", name, v.Name)
		}
		if 8*len(v.Data) != v.Len()*v.DType.Bits() || v.Shape == nil {
			t.Fatalf("tensor %q: %d bytes for %s %v", name, len(v.Data), v.DType, v.Shape)
		}
		if cap(v.Data) != len(v.Data) {
			t.Fatalf("tensor %q: appending to it would write into the next", name)
		}
	}
	if _, ok := f.Tensor("there is no such name"); ok {
		t.Error("a tensor that is not there")
	}
}

// TestEveryCut opens a sound file cut off after each of its bytes.
func TestEveryCut(t *testing.T) {
	whole := pack(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}`, 11)
	if _, err := Parse("x", whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := Parse("x", whole[:n:n]); err == nil || !strings.Contains(err.Error(), "cut off") {
			t.Errorf("the first %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

// TestTypes parses a tensor of every type that the reference implementation
// lists.
func TestTypes(t *testing.T) {
	want := map[string]int{
		"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
		"F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
		"C64": 64, "F64": 64, "I64": 64, "U64": 64,
	}
	for name, bits := range want {
		entry, _ := json.Marshal(map[string]any{"a": map[string]any{"dtype": name, "shape": []int{8}, "data_offsets": []int{0, bits}}})
		f, err := Parse("x", pack(string(entry), bits))
		if err != nil {
			t.Error(err)
			continue
		}
		if a, _ := f.Tensor("a"); a.DType.Bits() != bits {
			t.Errorf("%s has %d bits", name, a.DType.Bits())
		}
	}
	if len(bits) != len(want) {
		t.Errorf("%d types, want %d", len(bits), len(want))
	}
}
