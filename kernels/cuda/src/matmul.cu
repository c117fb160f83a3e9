// The three products of a linear layer on tensor cores, for operands of any
// shape, alignment and format.
//
// A sum over k goes up in steps of 16 from the first k of its run, each a mma.
// That order, and so every bit, is the same in all kernels of a product: a row
// of a result is what it would be alone.
#include "weight.h"

const int TILE = 64;     // rows and columns of a block's part of the result
const int DEPTH = 64;    // of k a step
const int THREADS = 128;  // 2×2 warps of 32×32

// Rows is a tensor [rows, cols] as an operand: eight elements of a row, rounded
// to bfloat16, 0 outside.
struct Rows {
	const void *p;
	int kind, rows, cols;

	MEMBER uint4 piece(int row, int col) const {
		if (row >= rows || col >= cols) return uint4{0, 0, 0, 0};
		size_t i = (size_t)row * cols + col;
		if (kind == BFLOAT16 && col + 8 <= cols && aligned16((const uint16_t *)p + i)) return load_global16((const uint16_t *)p + i);
		float v[8];
		load8(v, p, i, min(8, cols - col), kind);
		return pack8(v);
	}
};

// WeightRows is a weight as an operand.
template <int format>
struct WeightRows {
	Weight<format> w;
	int rows, cols;

	MEMBER uint4 piece(int row, int col) const {
		if (row >= rows || col >= cols) return uint4{0, 0, 0, 0};
		float v[8];
		w.load(v, (size_t)row * cols + col, min(8, cols - col));
		return pack8(v);
	}
};

// A tile lies in shared memory as 64 lines of 64 elements, a line's pieces
// permuted so that neither storing nor ldmatrix meets a bank twice. The lines
// are the operand's rows; where k counts its rows (across) they are k.
INLINE uint16_t *place(uint16_t *tile, int line, int piece) { return tile + line * 64 + ((piece ^ (line & 7)) << 3); }

// fill loads a tile from the operand's row or column first and from k on, 0 from
// end on.
template <bool across, class Operand>
INLINE void fill(uint16_t *tile, const Operand &o, int first, int k, int end) {
#pragma unroll 1
	for (int id = threadIdx.x; id < TILE * DEPTH / 8; id += THREADS) {
		int line = id / 8, piece = id % 8;
		uint4 v{0, 0, 0, 0};
		if (!across)
			v = o.piece(first + line, k + piece * 8);
		else if (k + line < end)
			v = o.piece(k + line, first + piece * 8);
		store_shared16(place(tile, line, piece), v);
	}
}

// multiply_tiles adds to a warp's 32×32 sums one step of 16.
template <bool a_across, bool b_across>
INLINE void multiply_tiles(float (&sum)[2][4][4], uint16_t *a, uint16_t *b, int step) {
	int lane = threadIdx.x & 31, warp = threadIdx.x / 32, row = warp / 2 * 32, col = warp % 2 * 32;
	uint32_t left[2][4], right[4];
#pragma unroll
	for (int i = 0; i < 2; i++) {
		if (a_across)
			ldmatrix_across(left[i], place(a, step * 16 + (lane >> 4) * 8 + (lane & 7), (row + i * 16) / 8 + (lane >> 3 & 1)));
		else
			ldmatrix(left[i], place(a, row + i * 16 + (lane & 15), step * 2 + (lane >> 4)));
	}
#pragma unroll
	for (int j = 0; j < 2; j++) {
		if (b_across)
			ldmatrix_across(right, place(b, step * 16 + (lane & 15), (col + j * 16) / 8 + (lane >> 4)));
		else
			ldmatrix(right, place(b, col + j * 16 + (lane >> 4) * 8 + (lane & 7), step * 2 + (lane >> 3 & 1)));
#pragma unroll
		for (int i = 0; i < 2; i++) {
			mma(sum[i][2 * j], left[i], right[0], right[1]);
			mma(sum[i][2 * j + 1], left[i], right[2], right[3]);
		}
	}
}

// accumulate sums the products of k in [begin, end) for the tile of the result
// at row, col. It leaves the sums in sum, which it clears first.
template <bool a_across, bool b_across, class A, class B>
INLINE void accumulate(float (&sum)[2][4][4], uint16_t *shared, const A &a, const B &b, int row, int col, int begin, int end) {
	const int size = TILE * DEPTH;
#pragma unroll
	for (int i = 0; i < 32; i++) sum[i / 16][i / 4 % 4][i % 4] = 0.f;
	__syncthreads();  // nobody reads the tiles of the call before
	int at = 0;
	for (int k = begin; k < end; k += DEPTH, at ^= 2 * size) {
		fill<a_across>(shared + at, a, row, k, end), fill<b_across>(shared + at + size, b, col, k, end);
		__syncthreads();  // the tiles are whole, and the others have been read
#pragma unroll 1
		for (int step = 0; step < DEPTH / 16 && k + step * 16 < end; step++)
			multiply_tiles<a_across, b_across>(sum, shared + at, shared + at + size, step);
	}
}

// each_sum calls use(sum, row, column) for a thread's sums that lie in the result.
template <class Use>
INLINE void each_sum(float (&sum)[2][4][4], int row, int col, int rows, int cols, Use use) {
	int lane = threadIdx.x & 31, warp = threadIdx.x / 32;
	row += warp / 2 * 32 + lane / 4, col += warp % 2 * 32 + lane % 4 * 2;
#pragma unroll
	for (int i = 0; i < 2; i++)
#pragma unroll
		for (int j = 0; j < 4; j++)
#pragma unroll
			for (int e = 0; e < 4; e++) {
				int r = row + i * 16 + e / 2 * 8, c = col + j * 8 + e % 2;
				if (r < rows && c < cols) use(sum[i][j][e], r, c);
			}
}

// product: y (+)= alpha·x·Wᵀ, or with across alpha·x·W.
template <bool across, int format>
INLINE void product(uint16_t *shared, Rows y, const Rows &x, const WeightRows<format> &w, float alpha, bool add_to) {
	int row = blockIdx.y * TILE, col = blockIdx.x * TILE;
	float sum[2][4][4];
	accumulate<false, across>(sum, shared, x, w, row, col, 0, x.cols);
	void *out = (void *)y.p;
	each_sum(sum, row, col, y.rows, y.cols, [&](float s, int r, int c) {
		size_t i = (size_t)r * y.cols + c;
		float v = alpha * s;
		store(out, i, y.kind, add_to ? load(out, i, y.kind) + v : v);
	});
}

// rows is T, in and out the columns and rows of the weight.
#define PRODUCTS(suffix, format) \
	KERNEL(matmul_##suffix, THREADS, 4, void *y, int y_kind, const void *x, int x_kind, WEIGHT, float alpha, int add_to, int rows, int in, int out) { \
		SHARED(shared); \
		product<false>((uint16_t *)shared, Rows{y, y_kind, rows, out}, Rows{x, x_kind, rows, in}, \
		               WeightRows<format>{{WEIGHT_ARGUMENTS}, out, in}, alpha, add_to); \
	} \
	KERNEL(matmul_input_##suffix, THREADS, 4, void *dx, int dx_kind, const void *dy, int dy_kind, WEIGHT, float alpha, int add_to, int rows, int in, int out) { \
		SHARED(shared); \
		product<true>((uint16_t *)shared, Rows{dx, dx_kind, rows, in}, Rows{dy, dy_kind, rows, out}, \
		              WeightRows<format>{{WEIGHT_ARGUMENTS}, out, in}, alpha, add_to); \
	}
PRODUCTS(f32, WEIGHT_F32)
PRODUCTS(bf16, WEIGHT_BF16)
PRODUCTS(f16, WEIGHT_F16)
PRODUCTS(quantised, WEIGHT_QUANTISED)
PRODUCTS(int8, WEIGHT_INT8)

// matmul_weight: dw += alpha·dyᵀ·x, run by run of the rows.
KERNEL(matmul_weight, THREADS, 3, float *dw, const void *dy, int dy_kind, const void *x, int x_kind, const int *folds, int runs, float alpha, int rows,
       int in, int out) {
	SHARED(shared);
	int row = blockIdx.y * TILE, col = blockIdx.x * TILE;
	Rows a{dy, dy_kind, rows, out}, b{x, x_kind, rows, in};
	float sum[2][4][4], total[2][4][4];
	auto at = [&](int r, int c) { return (size_t)r * in + c; };
	each_sum(total, row, col, out, in, [&](float &t, int r, int c) { t = dw[at(r, c)]; });
	for (int run = 0; run < runs; run++) {
		accumulate<true, true>(sum, (uint16_t *)shared, a, b, row, col, folds[run], run + 1 < runs ? folds[run + 1] : rows);
#pragma unroll
		for (int i = 0; i < 32; i++) total[i / 16][i / 4 % 4][i % 4] += alpha * sum[i / 16][i / 4 % 4][i % 4];
	}
	each_sum(total, row, col, out, in, [&](float &t, int r, int c) { dw[at(r, c)] = t; });
}
