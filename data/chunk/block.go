package chunk

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// A block is a paragraph, or a heading.
type block struct {
	text     string
	level    int // of a heading, from 1; 0 for a paragraph
	from, to int // lines
}

var (
	headingLine = regexp.MustCompile(`^ {0,3}(#{1,6})[ \t]+(.+?)[ \t]*#*$`)
	comment     = regexp.MustCompile(`(?s)<!--.*?-->`)
	fence       = regexp.MustCompile("^ {0,3}(```+|~~~+)")
)

// blocks cuts a text at empty lines and headings. Code between fences stays
// whole; comments go.
func blocks(text string) (all []block) {
	text = comment.ReplaceAllStringFunc(strings.ReplaceAll(text, "\r\n", "\n"), func(c string) string {
		return strings.Repeat("\n", strings.Count(c, "\n")) // lines keep their numbers
	})
	var b block
	end := func() {
		if strings.TrimSpace(b.text) != "" {
			b.text = strings.Trim(b.text, "\n")
			all = append(all, b)
		}
		b = block{}
	}
	within := "" // the fence that opened a block of code
	for i, line := range strings.Split(text, "\n") {
		mark := fence.FindStringSubmatch(line)
		switch h := headingLine.FindStringSubmatch(line); {
		case within == "" && h != nil:
			end()
			all = append(all, block{text: h[2], level: len(h[1]), from: i + 1, to: i + 1})
			continue
		case within == "" && strings.TrimSpace(line) == "":
			end()
			continue
		case within == "" && mark != nil:
			within = mark[1]
		case within != "" && mark != nil && strings.HasPrefix(mark[1], within):
			within = ""
		}
		if b.from == 0 {
			b.from = i + 1
		}
		b.text, b.to = b.text+line+"\n", i+1
	}
	end()
	return all
}

// sentences cuts behind what ends a sentence, and keeps every character.
func sentences(text string) (all []string) {
	from := 0
	for i, r := range text {
		next := i + utf8.RuneLen(r)
		ends := strings.ContainsRune("。！？；\n", r) || strings.ContainsRune(".!?", r) && (next == len(text) || text[next] == ' ' || text[next] == '\n')
		if ends {
			all, from = append(all, text[from:next]), next
		}
	}
	if from < len(text) {
		all = append(all, text[from:])
	}
	return all
}
