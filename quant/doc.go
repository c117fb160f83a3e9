// Package quant holds the codecs of quantised tensors: NF4 and FP4 in blocks,
// with their scales in float32 or quantised once more (double quantisation), int8
// in rows with one scale each, bitsandbytes' stored form of all three, and blocks
// of 8 bits in the dynamic map, for an optimiser's moments. It works on slices and
// knows nothing of models, files or devices.
//
// # Four bits
//
// A [Tensor] is flattened row by row and cut into blocks of [Tensor.Block]
// elements; the last block may be short, and a block may cross rows. A block's
// scale is the largest magnitude in it (bitsandbytes: absmax). An element x
// becomes the 4-bit code whose value in the type's table ([Type.Values]) is
// nearest to x/scale; two codes share a byte, the first in the high half. So
//
//	x ≈ Values[code] · scale
//
// and an element costs 4 bits and 32/Block bits of scale. With the scales
// quantised as well (QLoRA, section 3) the latter falls to 8/Block bits: the
// tensor's mean scale is subtracted, and the rest is stored in blocks of
// [DynamicBlock] codes of the signed dynamic map.
//
// # Eight bits
//
// [Int8] is how LLM.int8 (Dettmers et al. 2022) stores weights: a row's scale is the
// largest magnitude in it, and an element the nearest of 255 even steps:
//
//	x ≈ code/127 · scale
//
// # Reading and writing
//
// [Quantize] takes float32 slices or the bytes of a checkpoint in float32,
// float16 or bfloat16, and never holds more than a block of them as float32.
// [Tensor.Dequantize] yields any range of elements; row r of a matrix with C
// columns starts at r·C. [Tensor.Parts] and [FromParts] are the tensors that a
// bitsandbytes checkpoint holds for one weight.
//
// # Which bits
//
// Every code and scale is the one that bitsandbytes 0.50 computes on a CPU:
//
//   - Codes are chosen by the midpoints of neighbouring values, rounded to
//     float32; a value on a midpoint takes the lower code.
//   - Full blocks multiply by float32(1/scale), a short last block divides. A
//     scale below 1e-38 counts as 1e-38 there, and is stored so in a short block.
//   - The offset of doubly quantised scales is PyTorch's float32 mean of them,
//     in the order in which it adds on one thread.
//   - Int8 multiplies by 127·(1/scale), each rounded to float32, and rounds halves to
//     even. What is quantised is the element as it is stored; bitsandbytes' layer
//     rounds it to float16 first, which moves a code of float32 weights now and then.
//   - The dynamic map's codes are looked up on a grid of 65536 points of [-1, 1],
//     so that zero becomes a value near 1.5e-5.
//
// On a GPU it has bounds, sums and searches of its own, so that a code or an offset
// may differ by one in the last place. Reading is exact: each operation is rounded
// to float32, as bitsandbytes does it.
//
// A NaN or an infinity cannot be quantised, it would take its whole block with
// it: every quantiser reports it as an error that names the block or row.
//
// Work is spread over goroutines. No result depends on their number.
package quant
