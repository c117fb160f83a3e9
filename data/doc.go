// Package data turns files of records into samples: tokens, the labels that
// carry a loss, and where each came from.
//
// A record is a JSON object a line (.jsonl), one of a JSON array (.json), or a
// whole text file (.txt, .md). Records with a prompt and an answer carry a loss
// on the answer and on the end of text after it; text carries a loss
// everywhere.
package data
