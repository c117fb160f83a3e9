// Package chunk cuts documents into passages that know where they came from.
//
// A passage is as many whole paragraphs of one section as fit into a size; it
// carries the headings above it and its lines in the file. A person, or a
// model, then writes questions and answers beside each passage: a row of Write
// has empty columns for them, and as long as they are empty training leaves the
// row out. Nothing here calls a model.
package chunk
