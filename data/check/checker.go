package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/data"
	"github.com/seed-5afa5581/graft/data/rows"
)

// A Checker looks at items one by one and sums up what it finds.
type Checker struct {
	report  Report
	prompts map[uint64]seen // by hash of the prompt: the first answer
	records map[uint64]rows.Place
	near    *nearIndex
	scripts map[string]seen // the first record of each
	words   []rows.Place    // the first one-word answers
	single  int             // one-word answers
	answers int
	eval    bool // items are of the eval set
}

// seen is something that came before.
type seen struct {
	answer uint64
	at     rows.Place
}

// A checker remembers so many texts for near-duplicates, and so many hashes of
// records; those after them are not compared with each other.
const (
	nearTexts = 100_000
	hashes    = 4_000_000
)

// New returns a checker.
func New() *Checker {
	return &Checker{
		report:  Report{Shapes: map[string]int{}, Scripts: map[string]int{}, Counts: map[Kind]int{}},
		prompts: map[uint64]seen{}, records: map[uint64]rows.Place{}, near: newNearIndex(nearTexts), scripts: map[string]seen{},
	}
}

// Files checks files, with the items of eval, which may be nil, for what both
// have in common. A nil renderer leaves out what needs tokens.
func Files(train, eval *data.Files, r *data.Renderer) *Report {
	c := New()
	c.files(train, r)
	if eval != nil {
		c.eval = true
		c.files(eval, r)
	}
	return c.Report()
}

func (c *Checker) files(f *data.Files, r *data.Renderer) {
	for facts, err := range data.Map(f, r, func(i data.Item) Facts { return Look(i, r) }) {
		if err != nil {
			c.Broken(err)
			continue
		}
		c.Add(facts)
	}
	if !c.eval {
		c.report.files(f)
	}
	for _, file := range f.List {
		if e := file.Encoding; e != "" && e != "UTF-8" {
			c.found(find(ForeignEncoding, file.Path, "the file is %s", e))
		}
	}
}

// Broken notes a file that could not be read to its end.
func (c *Checker) Broken(err error) {
	source, text, _ := strings.Cut(strings.TrimPrefix(err.Error(), "data: "), ": ") // as package rows writes them
	c.found(find(Unreadable, source, "%s", text))
}

// Add takes an item and returns what is wrong with it, in itself or beside those before
// it.
func (c *Checker) Add(f Facts) []Finding {
	findings := f.findings
	if f.Shape != "" {
		findings = append(findings, c.compare(f)...)
	}
	for _, x := range findings {
		c.found(x)
	}
	if c.eval {
		c.report.Eval++
		return findings
	}
	c.count(f)
	return findings
}

// compare looks for earlier items that are like this one.
func (c *Checker) compare(f Facts) []Finding {
	at := f.Row.Place
	key := mix(f.prompt ^ mix(f.answer))
	if first, ok := c.records[key]; ok {
		return c.twice(Duplicate, at, "the same record as %s", from(at, first))
	}
	var findings []Finding
	if earlier, ok := c.prompts[f.prompt]; ok && f.prompt != 0 && !c.eval {
		findings = append(findings, find(Contradiction, at.String(), "the prompt is that of %s, and the answer another", from(at, earlier.at)))
	} else if f.signed {
		if i, likeness := c.near.find(&f.near); i >= 0 {
			findings = c.twice(NearDuplicate, at, "about %.0f %% the same as %s", 100*likeness, from(at, c.near.places[i]))
		}
	}
	c.remember(f, key)
	return findings
}

// twice is the finding of something that came before: in an eval set, an
// overlap.
func (c *Checker) twice(k Kind, at rows.Place, format string, args ...any) []Finding {
	if c.eval {
		k = Overlap
	}
	return []Finding{find(k, at.String(), format, args...)}
}

// from names another place as briefly as can be.
func from(at, other rows.Place) string {
	if at.File == other.File && other.Line > 0 {
		return fmt.Sprintf("line %d", other.Line)
	}
	return other.String()
}

// remember keeps an item for those that follow; eval is compared with train only.
func (c *Checker) remember(f Facts, key uint64) {
	if c.eval || len(c.records) == hashes {
		return
	}
	at := f.Row.Place
	c.records[key] = at
	if _, ok := c.prompts[f.prompt]; !ok && f.prompt != 0 {
		c.prompts[f.prompt] = seen{f.answer, at}
	}
	if f.signed {
		c.near.add(&f.near, at)
	}
}

// count sums up what an item is.
func (c *Checker) count(f Facts) {
	r := &c.report
	r.Records++
	r.Shapes[f.Shape]++
	if f.left {
		r.Left++
	}
	r.Samples += len(f.lengths)
	r.Tokens += f.tokens
	r.Learned += f.learned
	for _, n := range f.lengths {
		r.Lengths.add(int(n))
	}
	if f.script != "" {
		r.Scripts[f.script]++
		if _, ok := c.scripts[f.script]; !ok {
			c.scripts[f.script] = seen{at: f.Row.Place}
		}
	}
	for _, single := range f.words {
		c.answers++
		if single {
			c.single++
			if len(c.words) < examples {
				c.words = append(c.words, f.Row.Place)
			}
		}
	}
}

// examples is how many findings of a kind a report lists; it counts all.
const examples = 100

func (c *Checker) found(f Finding) {
	r := &c.report
	if r.Counts[f.Kind]++; r.Counts[f.Kind] <= examples {
		r.Findings = append(r.Findings, f)
	}
}

// Report sums up. Kinds that depend on all records are added here: one-word
// answers are a fault where most answers are longer, and a script where few
// records have it.
func (c *Checker) Report() *Report {
	const few = 20 // one in so many
	if c.single*few <= c.answers {
		for _, at := range c.words {
			c.found(find(OneWord, at.String(), "the answer is a single word"))
		}
		c.report.Counts[OneWord] = c.single
	}
	written := 0
	for _, n := range c.report.Scripts {
		written += n
	}
	for _, name := range slices.Sorted(maps.Keys(c.report.Scripts)) {
		if n := c.report.Scripts[name]; n*few <= written {
			c.found(find(Language, c.scripts[name].at.String(), "%s; %d of %d records are mainly that", name, n, written))
		}
	}
	if c.report.Counts[OneWord] == 0 {
		delete(c.report.Counts, OneWord)
	}
	if c.near.full() {
		c.report.Limits = append(c.report.Limits, fmt.Sprintf("near-duplicates were looked for among the first %d records", nearTexts))
	}
	if len(c.records) == hashes {
		c.report.Limits = append(c.report.Limits, fmt.Sprintf("duplicates and contradictions were looked for among the first %d different records", hashes))
	}
	return &c.report
}
