package tokenizer

// A Span is a half-open range of bytes.
type Span struct{ Start, End int }

// A text is what has become of the input so far and, if it is tracked, for each of its bytes the span of the input
// that the byte came from: whole characters always.
type text struct {
	b       []byte
	from    []Span
	tracked bool
}

func (t *text) reset(tracked bool) { t.b, t.from, t.tracked = t.b[:0], t.from[:0], tracked }

// slice returns a view of t[i:j].
func (t *text) slice(i, j int) text {
	s := text{b: t.b[i:j:j], tracked: t.tracked}
	if t.tracked {
		s.from = t.from[i:j:j]
	}
	return s
}

// keep appends src[i:j] as it is.
func (t *text) keep(src *text, i, j int) {
	t.b = append(t.b, src.b[i:j]...)
	if t.tracked {
		t.from = append(t.from, src.from[i:j]...)
	}
}

// put appends b in place of src[i:j]. What replaces nothing counts as part of what follows it.
func (t *text) put(src *text, i, j int, b []byte) {
	t.b = append(t.b, b...)
	t.cover(src, i, j)
}

func (t *text) putString(src *text, i, j int, s string) {
	t.b = append(t.b, s...)
	t.cover(src, i, j)
}

// cover extends the spans to the bytes appended last, which stand for src[i:j].
func (t *text) cover(src *text, i, j int) {
	if !t.tracked {
		return
	}
	span := src.span(i, j)
	for len(t.from) < len(t.b) {
		t.from = append(t.from, span)
	}
}

// span returns which part of the input t[i:j] came from; an empty range counts as the byte at i, or the last one.
func (t *text) span(i, j int) Span {
	if len(t.from) == 0 {
		return Span{}
	}
	i = min(i, len(t.from)-1)
	s := t.from[i]
	for _, f := range t.from[i:max(j, i+1)] {
		s = Span{min(s.Start, f.Start), max(s.End, f.End)}
	}
	return s
}
