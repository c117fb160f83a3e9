package data

import (
	"slices"
	"sort"
	"strings"

	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// A said is a text with what is learned of it.
type said struct {
	text    string
	learned []tokenizer.Span // in bytes, in their order
	borders []int            // where inference goes on with the text, in their order
	start   start
}

// A start is what stands before a text.
type start uint8

const (
	rendered  start = iota // nothing: a template has written all
	bare                   // what the tokenizer puts there, such as BOS
	continued              // another text
)

// sample tokenizes a rendered chat and makes sure that the last answer ends its
// turn.
func (r *Renderer) sample(x said) Sample {
	e := r.encode(x)
	s := r.end(Sample{Tokens: e.ids, Labels: e.labels(x.learned)})
	if r.config.Train == Everything {
		s.Labels = slices.Clone(s.Tokens)
	}
	return s
}

// end makes sure that the last answer ends with a token that ends a turn. Where
// a template's own mark is plain text to this tokenizer, the end of text takes
// the place of the white space behind it.
func (r *Renderer) end(s Sample) Sample {
	eos := r.Tokenizer.EOS()
	n := len(s.Tokens)
	for n > 0 && s.Labels[n-1] == model.IgnoreLabel && r.isSpace(s.Tokens[n-1]) {
		n--
	}
	last := n - 1
	for last >= 0 && r.isSpace(s.Tokens[last]) {
		last--
	}
	if len(eos) == 0 || last < 0 || s.Labels[n-1] == model.IgnoreLabel || r.endsTurn(s.Tokens[last]) {
		return s
	}
	return Sample{Tokens: append(s.Tokens[:n], eos[0]), Labels: append(s.Labels[:n], eos[0])}
}

// endAfter ends a sample with the first token that ends a turn after the last
// answer's text: what follows is a prompt for another one.
func (r *Renderer) endAfter(s Sample, answer string) Sample {
	first := slices.IndexFunc(s.Labels, func(l int32) bool { return l != model.IgnoreLabel })
	answer = strings.TrimSpace(answer)
	for n := max(0, first); n < len(s.Tokens); n++ {
		if r.endsTurn(s.Tokens[n]) && strings.Contains(r.Tokenizer.Decode(s.Tokens[first:n]), answer) {
			return Sample{Tokens: s.Tokens[:n+1], Labels: s.Labels[:n+1]}
		}
	}
	return s
}

func (r *Renderer) isSpace(id int32) bool {
	return strings.TrimSpace(r.Tokenizer.Decode([]int32{id})) == ""
}

func (r *Renderer) endsTurn(id int32) bool {
	return r.Tokenizer.IsSpecial(id) || slices.Contains(r.Tokenizer.EOS(), id)
}

// encode tokenizes a text. The tokens before a border are those of the text
// before it alone, which is what inference has: where the border falls into a
// token of the whole, the text is cut there.
func (r *Renderer) encode(x said) (done encoded) {
	rest := r.part(x.text, 0, x.start)
	for _, border := range x.borders {
		if !r.agrees(rest, x.text, border) {
			done.add(r.part(x.text[:border], done.end, rest.start), border)
			rest = r.part(x.text, border, continued)
		}
	}
	done.add(rest, len(x.text))
	return done
}

// agrees tells whether the tokens of a text that stand before a border are those of
// the text before it alone. Special tokens part a text by themselves, so that what
// comes after the last of them before the border decides.
func (r *Renderer) agrees(e encoded, text string, border int) bool {
	n := sort.Search(len(e.at), func(i int) bool { return e.at[i].Start >= border })
	last := n - 1
	for last >= 0 && !(r.Tokenizer.IsSpecial(e.ids[last]) && e.at[last].Start < e.at[last].End) {
		last--
	}
	var before []int32
	if last < 0 {
		last, before = 0, r.part(text[:border], e.from, e.start).ids
	} else {
		before = r.Tokenizer.EncodePlain(text[e.at[last].Start:border])
	}
	end := last + len(before)
	return end <= len(e.ids) && slices.Equal(e.ids[last:end], before)
}

// encoded is the tokens of a part of a text, and where they stand in it.
type encoded struct {
	ids       []int32
	at        []tokenizer.Span
	from, end int // of the part
	start     start
}

func (e *encoded) add(next encoded, end int) {
	e.ids, e.at, e.end = append(e.ids, next.ids...), append(e.at, next.at...), end
}

// labels returns the labels of tokens of which spans are learned.
func (e *encoded) labels(learned []tokenizer.Span) []int32 {
	labels := make([]int32, len(e.ids))
	for i, at := range e.at {
		for len(learned) > 0 && at.Start >= learned[0].End {
			learned = learned[1:]
		}
		labels[i] = model.IgnoreLabel
		if len(learned) > 0 && at.End > learned[0].Start {
			labels[i] = e.ids[i]
		}
	}
	return labels
}

// part tokenizes what a text has from a place on.
func (r *Renderer) part(text string, from int, start start) (e encoded) {
	if start == continued {
		e = r.inner(text[from:])
	} else {
		e.ids, e.at = r.Tokenizer.EncodeOffsets(text[from:], start == bare)
	}
	if _, after := r.Tokenizer.Affixes(); start == bare {
		e.ids, e.at = e.ids[:len(e.ids)-len(after)], e.at[:len(e.at)-len(after)]
	}
	for i := range e.at {
		e.at[i].Start, e.at[i].End = e.at[i].Start+from, e.at[i].End+from
	}
	e.from, e.start = from, start
	return e
}

// anchors are texts whose last token hardly ever joins what follows.
var anchors = []string{"\n", "|", "=", "。"}

// inner tokenizes a text that continues another. A tokenizer of
// SentencePiece's kind puts a space before every text, which would not be there: behind an
// anchor that does not touch the text's own tokens it is not.
func (r *Renderer) inner(text string) (e encoded) {
	if r.spaced {
		for _, anchor := range anchors {
			ids, at := r.Tokenizer.EncodeOffsets(anchor+text, false)
			n := slices.IndexFunc(at, func(s tokenizer.Span) bool { return s.Start >= len(anchor) })
			if n < 0 || at[n].Start != len(anchor) || !slices.Equal(ids[:n], r.Tokenizer.EncodePlain(anchor)) {
				continue
			}
			for _, s := range at[n:] {
				e.at = append(e.at, tokenizer.Span{Start: s.Start - len(anchor), End: s.End - len(anchor)})
			}
			e.ids = ids[n:]
			return e
		}
	}
	e.ids, e.at = r.Tokenizer.EncodeOffsets(text, false)
	return e
}

// spaces tells whether a tokenizer puts a space before every text, so that its
// first word looks like the others.
func spaces(t *tokenizer.Tokenizer) bool {
	ids := t.EncodePlain("a")
	if len(ids) == 0 {
		return false
	}
	first, _ := t.Token(ids[0])
	return strings.HasPrefix(first, "▁")
}
