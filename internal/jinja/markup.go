package jinja

import (
	"html"
	"strings"
)

var htmlEscapes = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")

// escape returns v as text that is safe in HTML.
func escape(v Value) string {
	if m, ok := v.(markup); ok {
		return string(m)
	}
	s := str(v)
	checkText(5 * len(s))
	return htmlEscapes.Replace(s)
}

// likeText returns s as markup if v is.
func likeText(v Value, s string) Value {
	if _, ok := v.(markup); ok {
		return markup(s)
	}
	return s
}

// markUp makes markup of what a method of markup returned.
func markUp(v Value) Value {
	switch v := v.(type) {
	case string:
		return markup(v)
	case *List:
		return list(markUpItems(v.Items)...)
	case *Tuple:
		return tuple(markUpItems(v.Items)...)
	}
	return v
}

func markUpItems(items []Value) []Value {
	out := make([]Value, len(items))
	for i, item := range items {
		out[i] = markUp(item)
	}
	return out
}

// escapeArgs escapes what a method of markup puts into its text.
func escapeArgs(method string, a *args) *args {
	out := &args{items: append([]Value(nil), a.items...), named: append([]keyword(nil), a.named...), run: a.run}
	switch method {
	case "join":
		if len(out.items) == 1 {
			out.items[0] = mapped(out.items[0], func(v Value) Value { return escape(v) })
		}
	case "replace", "ljust", "rjust", "center":
		if len(out.items) > 1 {
			out.items[1] = escape(out.items[1])
		}
	case "format", "format_map":
		throw("format of safe text is not supported")
	}
	return out
}

// stripTags removes comments and tags from HTML, makes single spaces of white space and resolves entities.
func stripTags(s string) string {
	var b strings.Builder
	for {
		start := strings.IndexByte(s, '<')
		if start < 0 {
			break
		}
		from, end := start, ">"
		if strings.HasPrefix(s[start:], "<!--") {
			from, end = start+4, "-->"
		}
		n := strings.Index(s[from:], end)
		if n < 0 {
			break
		}
		b.WriteString(s[:start])
		s = s[from+n+len(end):]
	}
	b.WriteString(s)
	return html.UnescapeString(strings.Join(fields(b.String(), -1), " "))
}
