// Package data turns files of records into samples: tokens, the labels that
// carry a loss, and where each came from.
//
// The way goes through four stations. Package rows reads files of any of the
// usual kinds as streams of rows; package shape tells what a row's columns mean
// and makes a chat, a text or tokens of it; here records are rendered, through
// the model's chat template, and cut to length; the samples then stand in a Set,
// from which Batches deals them out to training, step by step. Read gives each
// row with what became of it, for those who look at data; Open keeps the
// samples, on disk where they are many.
//
// What is learned is exact. A chat carries its loss on the tokens of the
// assistant's answers and of what ends each of them, so that the model learns to
// stop; never on what the user says or a tool returns. The tokens before an answer
// are those that inference will have before it: where the border between
// prompt and answer falls into a token, the text is tokenized in two parts.
// Where a template writes an answer differently once other messages follow it,
// as those of reasoning models do, each answer becomes a sample of its own with
// just what inference sees before it.
//
// Nothing is lost in silence. What is too long is dropped, cut or refused as
// Config.Overflow says, and Set.Left names every record that gives no sample,
// with the reason.
package data
