// Rows that are looked up, moved or added to.
#include "weight.h"

// column returns the first of the eight columns that a thread does.
INLINE int column() { return (blockIdx.x * blockDim.x + threadIdx.x) * 8; }

// embed: dst[i] = w[ids[i]], or w[first+i] where there are no ids.
template <int format>
INLINE void embed(void *dst, int kind, const int *ids, long first, long rows, int cols, Weight<format> w) {
	int col = column();
	if (col >= cols) return;
	int n = min(8, cols - col);
	for (long i = blockIdx.y; i < rows; i += gridDim.y) {
		float v[8];
		w.load(v, (size_t)(ids ? ids[i] : first + i) * cols + col, n);
		store8(v, dst, (size_t)i * cols + col, n, kind);
	}
}

#define EMBED(name, format) \
	KERNEL(name, 64, 1, void *dst, int kind, const int *ids, long first, long rows, int cols, WEIGHT) { \
		embed<format>(dst, kind, ids, first, rows, cols, Weight<format>{WEIGHT_ARGUMENTS}); \
	}
EMBED(embed_f32, WEIGHT_F32)
EMBED(embed_bf16, WEIGHT_BF16)
EMBED(embed_f16, WEIGHT_F16)
EMBED(embed_quantised, WEIGHT_QUANTISED)
EMBED(embed_int8, WEIGHT_INT8)

// embed_grad: dw[ids[t]] += dx[t] in the order of t: a thread owns a column.
KERNEL(embed_grad, 64, 1, float *dw, const void *dx, int kind, const int *ids, long rows, int cols) {
	int col = blockIdx.x * blockDim.x + threadIdx.x;
	if (col >= cols) return;
	for (long t = 0; t < rows; t++) {
		float *sum = dw + (size_t)ids[t] * cols + col;
		*sum += load(dx, (size_t)t * cols + col, kind);
	}
}

// move_rows: dst[to[i]] = src[from[i]]; where to or from is null it is i.
KERNEL(move_rows, 64, 1, void *dst, int dst_kind, const int *to, const void *src, int src_kind, const int *from, long rows, int cols) {
	int col = column();
	if (col >= cols) return;
	int n = min(8, cols - col);
	for (long i = blockIdx.y; i < rows; i += gridDim.y) {
		float v[8];
		load8(v, src, (size_t)(from ? from[i] : i) * cols + col, n, src_kind);
		store8(v, dst, (size_t)(to ? to[i] : i) * cols + col, n, dst_kind);
	}
}
