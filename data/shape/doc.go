// Package shape tells what the columns of a row mean.
//
// People write training data in some dozens of shapes: a prompt and its
// completion, Alpaca's instruction with an input, ShareGPT's conversations,
// OpenAI's messages, a question and its answer, pairs of a chosen and a rejected
// answer, plain text. A Reader recognises them by the names of their columns, in
// any case, and makes one kind of Record of all: a chat, a text, or tokens.
// Options say otherwise where the names are others: a field map renames
// columns, and LLaMA-Factory's dataset_info.json is read for what it says about
// each file.
//
// Nothing is guessed from contents, and nothing is dropped in silence. A row
// that has no shape is refused with the columns it has and the shape that comes
// nearest. A row that is understood and not to be learned from says why in
// Record.Left, and a message that is not to be learned from is marked in
// Record.Masked.
package shape
