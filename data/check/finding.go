package check

import "fmt"

// A Severity tells how bad a finding is.
type Severity uint8

const (
	Note    Severity = iota // worth knowing
	Warning                 // likely a fault
	Error                   // training on it teaches the wrong thing, or is impossible
)

var severityNames = []string{"note", "warning", "error"}

// String returns note, warning or error.
func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return fmt.Sprint(uint8(s))
}

// MarshalText returns the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A Kind is a kind of fault.
type Kind string

// The kinds of findings.
const (
	Unreadable      Kind = "unreadable"        // a row without a shape, or that a template refuses
	NothingLearned  Kind = "nothing-learned"   // no answer, or every label masked
	TooLong         Kind = "too-long"          // left out for its length
	Truncated       Kind = "truncated"         // cut to fit
	EmptyAnswer     Kind = "empty-answer"      // an answer that says nothing
	OneWord         Kind = "one-word-answer"   // among longer ones
	Duplicate       Kind = "duplicate"         // prompt and answer came before
	NearDuplicate   Kind = "near-duplicate"    // most of it came before
	Contradiction   Kind = "contradiction"     // the same prompt has another answer
	Overlap         Kind = "overlap"           // an eval record that train has too
	Leftover        Kind = "template-leftover" // marks of a chat format in a text
	MissingEOS      Kind = "missing-eos"       // nothing ends what is learned
	MaskedEOS       Kind = "masked-eos"        // the end of the answer is there and not learned
	RepeatedEOS     Kind = "repeated-eos"      // padding that is learned
	DoubleBOS       Kind = "double-bos"        // the beginning of text twice
	Mojibake        Kind = "mojibake"          // text decoded in a wrong way
	Control         Kind = "control-character" // bytes that no text has
	Secret          Kind = "secret"            // a key or a password
	Personal        Kind = "personal-data"     // an address or number of a person
	Language        Kind = "language"          // a script that few records have
	ForeignEncoding Kind = "encoding"          // a file that is not UTF-8
	Outlier         Kind = "loss-outlier"      // far from what the base expects
)

// kinds tell the severity of each kind, and what to do.
var kinds = map[Kind]struct {
	severity Severity
	remedy   string
}{
	Unreadable:      {Error, "mend the row, map its columns with --field, or leave such rows out with graft data clean"},
	NothingLearned:  {Warning, "give the record an answer, or unmask one; it is left out"},
	TooLong:         {Warning, "raise --max-len, shorten the record, or choose --overflow; it is left out"},
	Truncated:       {Warning, "raise --max-len, or shorten the record"},
	EmptyAnswer:     {Warning, "write the answer or take the record out; empty answers are not learned"},
	OneWord:         {Note, "write the answer as you want the model to say it"},
	Duplicate:       {Warning, "take it out: graft data clean does"},
	NearDuplicate:   {Note, "look whether both are needed: graft data clean --remove near-duplicate takes it out"},
	Contradiction:   {Warning, "decide for one answer: the model learns a mixture of both"},
	Overlap:         {Warning, "take it out of one of the two: graft data split makes parts without overlap"},
	Leftover:        {Warning, "take the marks out: the template writes its own"},
	MissingEOS:      {Error, "let the template end each answer, or the record end with the end of text: the model would not stop"},
	MaskedEOS:       {Error, "unmask the token after the answer: the model would not learn to stop"},
	RepeatedEOS:     {Warning, "cut the padding off: it is learned, since pad and end of text are one token"},
	DoubleBOS:       {Error, "take the beginning of text out of the records or the template: one is enough"},
	Mojibake:        {Warning, "decode the source with its own encoding, as UTF-8 it never was"},
	Control:         {Warning, "take them out"},
	Secret:          {Warning, "take it out, and change it if it was real: models repeat what they learn"},
	Personal:        {Warning, "take it out or make it up, unless you may train on it: models repeat what they learn"},
	Language:        {Note, "look whether it belongs here"},
	ForeignEncoding: {Note, "nothing: graft reads it; other programs may need UTF-8"},
	Outlier:         {Note, "read it: the base finds it much less likely, or much more, than the rest"},
}

// Known tells whether there is a kind of that name.
func Known(k Kind) bool {
	_, ok := kinds[k]
	return ok
}

// A Finding is a fault at a place.
type Finding struct {
	Kind     Kind     `json:"kind"`
	Severity Severity `json:"severity"`
	Source   string   `json:"source"` // file:line
	Text     string   `json:"text"`   // what is there
	Remedy   string   `json:"remedy"`
}

// find makes a finding.
func find(k Kind, source, format string, args ...any) Finding {
	return Finding{Kind: k, Severity: kinds[k].severity, Source: source, Text: fmt.Sprintf(format, args...), Remedy: kinds[k].remedy}
}

// String writes a finding in one line.
func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s: %s", f.Source, f.Severity, f.Kind, f.Text)
}
