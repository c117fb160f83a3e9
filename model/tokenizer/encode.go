package tokenizer

// Encode returns the ids of text with the tokens that the file's post-processor adds, such as BOS.
func (t *Tokenizer) Encode(text string) []int32 { return t.EncodeAppend(nil, text, true) }

// EncodePlain returns the ids of text alone. Added tokens that stand in the text are still found.
func (t *Tokenizer) EncodePlain(text string) []int32 { return t.EncodeAppend(nil, text, false) }

// EncodeAppend appends the ids of text to dst, with the tokens of the post-processor if special is set. Given room in
// dst it does not allocate, once a text of this length, up to a megabyte, has been encoded; regular expressions, which
// stand in for the scanners where a file has a pattern of its own, and changes by a Unicode form do.
func (t *Tokenizer) EncodeAppend(dst []int32, text string, special bool) []int32 {
	w := t.pool.get()
	w.ids = dst
	t.encode(w, text, special, false)
	dst = w.ids
	t.pool.put(w)
	return dst
}

// Count returns the number of tokens of text alone: len(EncodePlain(text)).
func (t *Tokenizer) Count(text string) int {
	w := t.pool.get()
	w.ids = w.counted[:0]
	t.encode(w, text, false, false)
	w.counted = w.ids
	n := len(w.ids)
	t.pool.put(w)
	return n
}

// EncodeOffsets is Encode or EncodePlain, by special, with the part of text that each token came from, in bytes and
// always in whole characters: tokens that share a character have the same span. Tokens that the post-processor
// adds have the span {0, 0}.
func (t *Tokenizer) EncodeOffsets(text string, special bool) (ids []int32, spans []Span) {
	w := t.pool.get()
	t.encode(w, text, special, true)
	ids, spans = w.ids, w.spans
	t.pool.put(w)
	return ids, spans
}

// encode adds the ids of s to w.ids and, if tracked, their spans to w.spans.
func (t *Tokenizer) encode(w *workspace, s string, special, tracked bool) {
	w.load(s, tracked)
	if special {
		w.surround(t.prefix, tracked)
	}
	t.raw.each(w, &w.input, &w.segment, func(first bool) { t.encodeSegment(w, first) })
	if special {
		w.surround(t.suffix, tracked)
	}
}

// surround adds ids that stand for no text.
func (w *workspace) surround(ids []int32, tracked bool) {
	w.ids = append(w.ids, ids...)
	for tracked && len(w.spans) < len(w.ids) {
		w.spans = append(w.spans, Span{})
	}
}

// each adds the added tokens in a text to the result and calls encode for what lies between, put into part. first
// tells that part is the beginning of the text. A nil finder finds nothing.
func (f *finder) each(w *workspace, in, part *text, encode func(first bool)) {
	done, from := 0, 0
	for f != nil {
		hit, ok := f.next(in.b, done, &from)
		if !ok {
			break
		}
		if done < hit.Start {
			*part = in.slice(done, hit.Start)
			encode(done == 0)
		}
		w.emit(hit.id, in, hit.Start, hit.End)
		done = hit.End
	}
	if done < len(in.b) {
		*part = in.slice(done, len(in.b))
		encode(done == 0)
	}
}

// encodeSegment normalizes w.segment and encodes it. first tells that it is the beginning of the input.
func (t *Tokenizer) encodeSegment(w *workspace, first bool) {
	cur := &w.segment
	for _, n := range t.normalizers {
		if next := other(&w.formed, cur); n.normalize(next, cur, w) {
			cur = next
		}
	}
	t.normalized.each(w, cur, &w.stretch, func(begins bool) { t.encodeStretch(w, first && begins) })
}

// encodeStretch cuts w.stretch into pieces and encodes those.
func (t *Tokenizer) encodeStretch(w *workspace, first bool) {
	cur := &w.stretch
	w.pieces[0] = append(w.pieces[0][:0], Span{0, len(cur.b)})
	for _, s := range t.stages {
		if s.rewriter != nil {
			cur = w.rewrite(s.rewriter, cur, first)
		} else {
			w.cut(s.cutter, cur)
		}
		w.pieces[0], w.pieces[1] = w.pieces[1], w.pieces[0]
	}
	for _, p := range w.pieces[0] {
		t.encodePiece(w, cur, p)
	}
}

// rewrite lets s rewrite every piece, puts the places of the new ones into w.pieces[1], and returns the new text.
func (w *workspace) rewrite(s rewriter, cur *text, first bool) *text {
	next, out := other(&w.staged, cur), w.pieces[1][:0]
	for _, p := range w.pieces[0] {
		w.piece = cur.slice(p.Start, p.End)
		start := len(next.b)
		s.rewrite(next, &w.piece, first && p.Start == 0)
		if start < len(next.b) {
			out = append(out, Span{start, len(next.b)})
		}
	}
	w.pieces[1] = out
	return next
}

// cut lets s cut every piece and puts the smaller ones into w.pieces[1].
func (w *workspace) cut(s cutter, cur *text) {
	out := w.pieces[1][:0]
	for _, p := range w.pieces[0] {
		n := len(out)
		out = s.cut(out, cur.b[p.Start:p.End], w)
		if p.Start > 0 {
			for i := range out[n:] {
				out[n+i].Start += p.Start
				out[n+i].End += p.Start
			}
		}
	}
	w.pieces[1] = out
}

// encodePiece encodes the piece p of cur.
func (t *Tokenizer) encodePiece(w *workspace, cur *text, p Span) {
	piece := cur.b[p.Start:p.End]
	if len(piece) == 0 {
		return
	}
	if cur.tracked || len(piece) > wordBytes {
		w.tokens = t.model.tokenize(w.tokens[:0], piece, w)
		for _, tok := range w.tokens {
			w.emit(tok.id, cur, p.Start+int(tok.start), p.Start+int(tok.end))
		}
		return
	}
	word, known := w.words.slot(piece)
	if known {
		w.ids = append(w.ids, word.id[:word.ids]...)
		return
	}
	w.tokens = t.model.tokenize(w.tokens[:0], piece, w)
	for _, tok := range w.tokens {
		w.ids = append(w.ids, tok.id)
	}
	word.set(piece, w.tokens)
}
