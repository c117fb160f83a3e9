package cuda

import "github.com/seed-5afa5581/graft/kernels"

// What follows says where the device's memory goes. The device keeps to it, and
// plans use it, without the build tag as well.

// page is what the driver gives memory in. Pieces smaller than half of one it puts
// together itself.
const page = 2 << 20

// Allocated returns how much of the GPU's memory an allocation takes.
func Allocated(bytes int) int {
	if bytes < page/2 {
		return bytes
	}
	return whole(bytes, page)
}

// OnHost reports whether a matrix stays on the host, where lookups get its rows.
func OnHost(w kernels.Weights) bool { return w.Lookup && !w.Format.Quantized() }

// apart is the alignment of the parts of a matrix.
const apart = 256

// ScaleBytes returns what belongs to the codes of a quantised matrix beside them:
// so many scales, the codes that those are of if they are quantised too, and the
// values of codes. It is apart from the codes, which are whole pages as a rule.
func ScaleBytes(scales, codes int) int {
	n := whole(4*16, apart) + whole(4*scales, apart)
	if codes > 0 {
		n += whole(4*256, apart) + whole(codes, apart)
	}
	return n
}

// Scratch is the size of the memory that the kernels of one operation share.
type Scratch int

// Grow makes room for so many bytes, and some more, and reports whether there was
// less.
func (s *Scratch) Grow(bytes int) bool {
	if bytes <= int(*s) {
		return false
	}
	*s = Scratch(bytes + bytes/2)
	return true
}

// GatherScratch is what lookups of rows of a matrix on the host need, for as many
// of them at a time as most.
func GatherScratch(rows, size int) (bytes, most int) {
	const atOnce = 4 << 20
	most = max(1, atOnce/max(1, size))
	return min(rows, most) * size, most
}

// AttentionScratch is what the gradient of attention needs.
func AttentionScratch(queries, heads int) int { return 4 * queries * heads }

// sumChunk is how many squares a block of square_sums adds up.
const sumChunk = 4096

// SumScratch is what the sum of n squares needs.
func SumScratch(n int) int { return 8 * whole(n, sumChunk) / sumChunk }

// whole returns n rounded up to a multiple.
func whole(n, of int) int { return (n + of - 1) / of * of }
