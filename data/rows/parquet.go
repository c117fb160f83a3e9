package rows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// parquet reads the rows of all row groups.
func (f *File) parquet(visit visitor) (err error) {
	defer func() { // the library panics on some broken files
		if p := recover(); p != nil {
			err = fmt.Errorf("data: %s: broken Parquet: %v", f.Path, p)
		}
	}()
	in, size, closer, err := f.readerAt()
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	defer closer()
	file, err := parquet.OpenFile(in, size)
	if err != nil {
		return fmt.Errorf("data: %s: not Parquet: %w", f.Path, err)
	}
	if usesLZ4(file) { // of which the library makes zeros
		return fmt.Errorf("data: %s: Parquet compressed by LZ4: write it again with zstd or snappy", f.Path)
	}
	n := 0
	for _, group := range file.RowGroups() {
		more, err := f.group(group, &n, visit)
		if err != nil {
			return fmt.Errorf("data: %s:%d: %w", f.Path, n+1, err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

func usesLZ4(file *parquet.File) bool {
	for _, group := range file.Metadata().RowGroups {
		for _, c := range group.Columns {
			if codec := c.MetaData.Codec; codec == format.Lz4Raw {
				return true
			}
		}
	}
	return false
}

func (f *File) readerAt() (in io.ReaderAt, size int64, closer func() error, err error) {
	if f.content != nil {
		return bytes.NewReader(f.content), int64(len(f.content)), func() error { return nil }, nil
	}
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, 0, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, nil, errors.Join(err, file.Close())
	}
	return file, info.Size(), file.Close, nil
}

// group reads the rows of one group; n counts those of the file.
func (f *File) group(group parquet.RowGroup, n *int, visit visitor) (more bool, err error) {
	rows := group.Rows()
	defer rows.Close()
	a := &assembler{root: group.Schema(), leaves: make([][]parquet.Value, len(group.ColumnChunks()))}
	buffer := make([]parquet.Row, 64)
	for {
		read, err := rows.ReadRows(buffer)
		for _, row := range buffer[:read] {
			*n++
			object, err := a.object(row)
			if err != nil {
				*n--
				return false, err
			}
			if !visit(Row{Place{f.Path, *n}, object}) {
				return false, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// An assembler makes an object of the values of a row: Dremel's record assembly.
// A value's repetition level tells the list that it goes on, its definition level how
// much of its path there is.
type assembler struct {
	root   parquet.Node
	leaves [][]parquet.Value // values left of each column
	out    []byte
}

func (a *assembler) object(row parquet.Row) ([]byte, error) {
	for i := range a.leaves {
		a.leaves[i] = a.leaves[i][:0]
	}
	for _, v := range row {
		a.leaves[v.Column()] = append(a.leaves[v.Column()], v)
	}
	a.out = nil
	err := a.body(a.root, 0, 0, 0)
	return a.out, err
}

// node writes what a node holds. leaf is the number of its first column; rep and
// def are the levels of what is around it.
func (a *assembler) node(n parquet.Node, leaf, rep, def int) error {
	switch {
	case n.Optional():
		if a.absent(n, leaf, def+1) {
			a.out = append(a.out, "null"...)
			return nil
		}
		return a.body(n, leaf, rep, def+1)
	case n.Repeated():
		return a.list(n, n, leaf, rep, def)
	}
	return a.body(n, leaf, rep, def)
}

// absent tells whether there is nothing at a level; if so it takes the marks.
func (a *assembler) absent(n parquet.Node, leaf, def int) bool {
	if len(a.leaves[leaf]) == 0 || a.leaves[leaf][0].DefinitionLevel() >= def {
		return false
	}
	for i := range width(n) {
		a.leaves[leaf+i] = a.leaves[leaf+i][1:]
	}
	return true
}

// width counts the columns under a node.
func width(n parquet.Node) (w int) {
	if n.Leaf() {
		return 1
	}
	for _, f := range n.Fields() {
		w += width(f)
	}
	return w
}

// list writes the elements of a repeated node.
func (a *assembler) list(repeated, element parquet.Node, leaf, rep, def int) error {
	a.out = append(a.out, '[')
	if !a.absent(repeated, leaf, def+1) {
		for first := true; first || len(a.leaves[leaf]) > 0 && a.leaves[leaf][0].RepetitionLevel() == rep+1; first = false {
			if !first {
				a.out = append(a.out, ',')
			}
			var err error
			if element == repeated {
				err = a.body(element, leaf, rep+1, def+1)
			} else {
				err = a.node(element, leaf, rep+1, def+1)
			}
			if err != nil {
				return err
			}
		}
	}
	a.out = append(a.out, ']')
	return nil
}

// body writes a node that is there.
func (a *assembler) body(n parquet.Node, leaf, rep, def int) error {
	if n.Leaf() {
		return a.value(leaf)
	}
	fields := n.Fields()
	if isList(n) && len(fields) == 1 && fields[0].Repeated() {
		element := parquet.Node(fields[0])
		if inner := fields[0]; !inner.Leaf() && len(inner.Fields()) == 1 {
			element = inner.Fields()[0]
		}
		return a.list(fields[0], element, leaf, rep, def)
	}
	a.out = append(a.out, '{')
	for i, f := range fields {
		if i > 0 {
			a.out = append(a.out, ',')
		}
		a.out = append(appendString(a.out, f.Name()), ':')
		if err := a.node(f, leaf, rep, def); err != nil {
			return err
		}
		leaf += width(f)
	}
	a.out = append(a.out, '}')
	return nil
}

func isList(n parquet.Node) bool {
	l := n.Type().LogicalType()
	if l == nil {
		return false
	}
	_, ok := l.Value.(*format.ListType)
	return ok
}

// value takes the next value of a column and writes it.
func (a *assembler) value(leaf int) error {
	if len(a.leaves[leaf]) == 0 {
		return fmt.Errorf("column %d has too few values", leaf)
	}
	v := a.leaves[leaf][0]
	a.leaves[leaf] = a.leaves[leaf][1:]
	if v.IsNull() {
		a.out = append(a.out, "null"...)
		return nil
	}
	switch v.Kind() {
	case parquet.Boolean:
		a.out = strconv.AppendBool(a.out, v.Boolean())
	case parquet.Int32:
		a.out = strconv.AppendInt(a.out, int64(v.Int32()), 10)
	case parquet.Int64:
		a.out = strconv.AppendInt(a.out, v.Int64(), 10)
	case parquet.Float, parquet.Double:
		return a.number(v.Double(), v)
	default:
		a.out = append(a.out, bytesValue(v.ByteArray())...)
	}
	return nil
}

func (a *assembler) number(x float64, v parquet.Value) error {
	if v.Kind() == parquet.Float {
		x = float64(v.Float())
	}
	text, err := json.Marshal(x)
	if err != nil { // JSON has no infinities
		text = []byte("null")
	}
	a.out = append(a.out, text...)
	return nil
}

// bytesValue writes text as text, and an image or the like as null: nothing here
// reads it.
func bytesValue(b []byte) []byte {
	if !utf8.Valid(b) {
		return []byte("null")
	}
	return String(string(b))
}
