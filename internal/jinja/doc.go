// Package jinja renders Jinja templates as Python's jinja2 does in the environment that Hugging Face's transformers
// makes for chat templates: sandboxed and immutable, trim_blocks and lstrip_blocks on, break and continue, no
// autoescape, a tojson filter that escapes no HTML, raise_exception, strftime_now, and generation blocks.
//
// Parse makes a Template; Render runs it over named values. Values are Python's: None is nil, and bool, int64,
// *big.Int, float64, string, *List, *Tuple and *Dict are what they look like. FromJSON makes them of JSON and keeps the
// order of keys. They do not change once made, so that a Template and its values may be used at the same time from any
// number of goroutines.
//
// # How it works
//
// The lexer cuts the source into tokens and does the whitespace control; the parser makes a tree of it; the scopes give
// every name a place. The tree is then walked for every rendering. Names follow jinja2's rules, which are static:
// which variable a name means is known from where it is set in the template, not from what has run. A loop's body, a
// macro, a call, a filter block, a with block and a set block are frames of their own; the branches of an if are not.
//
// Filters and the results of map, select and their kin are lazy as in Python: what would fail fails only if it is
// looked at.
//
// # What is left out
//
// include, import, extends, block and autoescape are refused by name when the template is parsed, since a chat
// template is one file and its output is not HTML. The filters random, pprint, urlize, wordwrap and xmlattr and the
// function lipsum do not exist. Of the methods of Python's strings all are here save translate and maketrans, of
// dict, list and tuple those that change nothing. What Python's types have and this package does not is an error, and
// so is the written form of what Python writes with an address in memory: nothing is undefined only here.
//
// Text is UTF-8: lone surrogates, which Python keeps, are refused in literals and replaced in JSON.
//
// A template cannot run away with memory or the stack: a text is limited to 256 MiB, and nesting and recursion to 200
// levels. It can take long, as in Python: there is no limit on time.
package jinja
