// Package model is the transformer: it opens LLaMA-style checkpoints, computes
// losses and gradients, generates text and saves checkpoints.
//
// A [Model] holds weights and nothing else. What one run through it needs, its
// memory first of all, is a [Pass]; two passes over one model may run at once.
// Layers are structs with Forward and Backward side by side, gradients written
// by hand. A weight is frozen unless it is made a [Param]; a [Delta] adds a
// trainable branch to a [Linear] without touching it.
//
// # Shapes
//
// Activations are matrices [rows, features]. T counts the tokens of a batch,
// sequences laid one after the other without padding; C is the width of the
// residual stream, H and K the heads of queries and of keys and values, D the
// width of a head, F the width of the feed-forward layers, V the vocabulary, N
// the labelled positions.
//
// # Accumulation
//
// Gradients of activations are written, gradients of the residual stream and
// of parameters are added to. Backward stops below the lowest layer that
// trains.
package model
