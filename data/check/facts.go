package check

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/data/rows"
	"github.com/seed-5afa5581/graft/data/shape"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/model/tokenizer"
)

// Facts are what a checker needs to know of an item. Look finds them out; that
// is most of the work, and workers do it.
type Facts struct {
	Row   rows.Row
	Path  int
	Shape string // "" for a row without a record

	findings []Finding // of the record by itself
	left     bool      // it gives no sample
	prompt   uint64    // hash of what comes before the answer; 0 if there is nothing
	answer   uint64
	near     signature
	signed   bool // near is known
	script   string
	words    []bool // of each answer, whether it is a single word
	lengths  []int32
	tokens   int
	learned  int
}

// Look finds out what there is to know of an item. r is what rendered it, nil if
// nothing did.
func Look(item data.Item, r *data.Renderer) Facts {
	f := Facts{Row: item.Row, Path: item.Path, Shape: item.Record.Shape, left: item.Left != "" || item.Err != nil}
	if item.Err != nil {
		f.add(Unreadable, "%s", trimPlace(item.Err.Error(), item.Row.Place))
	}
	if f.Shape == "" {
		return f
	}
	f.outcome(item, r)
	f.texts(item)
	for _, s := range item.Samples {
		f.tokenFaults(s, r.Tokenizer)
		f.lengths = append(f.lengths, int32(len(s.Tokens)))
		f.tokens += len(s.Tokens)
		f.learned += s.Learned()
	}
	return f
}

func (f *Facts) add(k Kind, format string, args ...any) {
	f.findings = append(f.findings, find(k, f.Row.Place.String(), format, args...))
}

// trimPlace takes the place from the beginning of an error: a finding names it
// already.
func trimPlace(text string, at rows.Place) string {
	return strings.TrimPrefix(text, fmt.Sprintf("data: %s: ", at))
}

// outcome notes what became of a record.
func (f *Facts) outcome(item data.Item, r *data.Renderer) {
	switch {
	case item.Left == "":
	case r != nil && item.Tokens > r.Config().MaxLen:
		f.add(TooLong, "%d tokens, more than %d", item.Tokens, r.Config().MaxLen)
	default:
		f.add(NothingLearned, "%s", item.Left)
	}
	if item.Cut != "" {
		f.add(Truncated, "its %s was cut: %d tokens, more than %d", item.Cut, item.Tokens, r.Config().MaxLen)
	}
}

// texts looks at what a record says.
func (f *Facts) texts(item data.Item) {
	x := &item.Record
	all := []string{x.Text}
	for i := range x.Messages {
		text := x.Content(i)
		all = append(all, text)
		switch {
		case x.Role(i) != "assistant" || x.Messages[i].Has("tool_calls"):
		case strings.TrimSpace(text) == "":
			f.add(EmptyAnswer, "message %d, the assistant's, is empty", i+1)
		default:
			f.words = append(f.words, isWord(text))
		}
	}
	f.textFaults(all)
	prompt, answer := toolNames(x)+x.Prompt(), x.Answer()
	f.prompt, f.answer = hash(prompt), hash(answer)
	if prompt == "" {
		f.prompt = 0
	}
	if x.Tokens != nil {
		f.answer = hash(fmt.Sprint(x.Tokens))
	}
	f.near, f.signed = sign(prompt + answer)
	f.script = script(strings.Join(all, "\n"))
}

// toolNames lists what the model may call: with other tools, another answer is
// right.
func toolNames(x *shape.Record) string {
	if len(x.Tools) == 0 {
		return ""
	}
	text, err := json.Marshal(x.Tools)
	if err != nil {
		return ""
	}
	return string(text)
}

// textFaults reports each kind of fault once a record.
func (f *Facts) textFaults(texts []string) {
	for _, kind := range []struct {
		kind   Kind
		format string
		look   func(string) string
	}{
		{Leftover, "a text contains %q", leftover},
		{Mojibake, "a text contains %q", mojibake},
		{Control, "a text contains %s", controlName},
		{Secret, "a text contains what looks like %s", secret},
		{Personal, "a text contains what looks like %s", personal},
	} {
		if kind.kind == Personal && f.has(Secret) {
			continue // an address with a password looks like one of a person
		}
		for _, text := range texts {
			if found := kind.look(text); found != "" {
				f.add(kind.kind, kind.format, found)
				break
			}
		}
	}
}

func controlName(text string) string {
	if r, ok := control(text); ok {
		return fmt.Sprintf("U+%04X", r)
	}
	return ""
}

// tokenFaults looks at a sample's tokens and labels.
func (f *Facts) tokenFaults(s data.Sample, t *tokenizer.Tokenizer) {
	if bos, ok := t.BOS(); ok && len(s.Tokens) > 1 && s.Tokens[0] == bos && s.Tokens[1] == bos {
		f.add(DoubleBOS, "the sample begins with two tokens of beginning of text")
	}
	last := len(s.Labels) - 1 // that is learned
	for last >= 0 && s.Labels[last] == model.IgnoreLabel {
		last--
	}
	if last >= 0 && !f.has(Truncated) {
		f.endFaults(s, last, t)
	}
}

// endFaults looks at how a sample ends whose last label is that of token last.
func (f *Facts) endFaults(s data.Sample, last int, t *tokenizer.Tokenizer) {
	text := func(i int) string { return t.Decode(s.Tokens[i : i+1]) }
	ends := func(i int) bool { return slices.Contains(t.EOS(), s.Tokens[i]) || t.IsSpecial(s.Tokens[i]) }
	end := last // without white space
	for end > 0 && strings.TrimSpace(text(end)) == "" {
		end--
	}
	switch next := last + 1; {
	case ends(end):
		if end > 0 && s.Tokens[end-1] == s.Tokens[end] && s.Labels[end-1] != model.IgnoreLabel {
			f.add(RepeatedEOS, "the sample ends with several tokens %q that are learned", text(end))
		}
	case next < len(s.Tokens) && ends(next):
		f.add(MaskedEOS, "the token %q after the answer is not learned", text(next))
	case f.Shape != "text": // which may go on in another sample
		f.add(MissingEOS, "the answer ends with %q, which is no end of text or turn", text(end))
	}
}

func (f *Facts) has(k Kind) bool {
	return slices.ContainsFunc(f.findings, func(x Finding) bool { return x.Kind == k })
}
