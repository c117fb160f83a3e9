// Products of many rows with large weights: 128 rows by 256 or 128 columns a
// block, both operands read ahead while the tensor cores work. The order of the
// sums is that of matmul.cu.
#include "tiles.h"

// A Wide is one block's work: 2×4 warps, each 64 rows by a quarter of the columns.
template <bool across, int format, int columns>
struct Wide {
	static constexpr int COUNT = columns / 4 / 8;  // of eight columns, a warp's

	Tiles<across, format, columns, 2> tiles;
	float sum[4][COUNT][4];

	MEMBER void multiply_step(int at, int step) {
		int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, row = (warp >> 2) * 64, column = (warp & 3) * (columns / 4);
		uint16_t *a = tiles.left(at), *b = tiles.right(at);
		uint32_t fragment[4][4], weights[4];
#pragma unroll
		for (int i = 0; i < 4; i++) ldmatrix(fragment[i], place(a, row + i * 16 + (lane & 15), step * 2 + (lane >> 4)));
#pragma unroll
		for (int j = 0; j < COUNT / 2; j++) {
			if (across)
				ldmatrix_across(weights, place(b, step * 16 + (lane & 15), column / 8 + j * 2 + (lane >> 4)));
			else
				ldmatrix(weights, place(b, column + j * 16 + (lane & 7) + (lane >> 4) * 8, step * 2 + (lane >> 3 & 1)));
#pragma unroll
			for (int i = 0; i < 4; i++) {
				mma(sum[i][2 * j], fragment[i], weights[0], weights[1]);
				mma(sum[i][2 * j + 1], fragment[i], weights[2], weights[3]);
			}
		}
	}

	MEMBER void accumulate() {
#pragma unroll
		for (int i = 0; i < 4; i++)
#pragma unroll
			for (int j = 0; j < COUNT; j++)
#pragma unroll
				for (int e = 0; e < 4; e++) sum[i][j][e] = 0.f;
		tiles.copy(0, 0), tiles.load(0);
		__syncthreads();  // the map is there
		tiles.store(0);
		for (int k = 0, at = 0; k < tiles.depth(); k += DEPTH, at ^= 1) {
			copy_wait<0>();
			__syncthreads();  // the tiles are whole, and the others have been read
			bool more = k + DEPTH < tiles.depth();
			if (more) tiles.copy(k + DEPTH, at ^ 1), tiles.load(k + DEPTH);
#pragma unroll
			for (int step = 0; step < DEPTH / 16; step++) multiply_step(at, step);
			if (more) tiles.store(at ^ 1);
		}
	}

	MEMBER void write(void *y, int kind, float alpha, bool add_to) {
		int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
		int row = tiles.row0() + (warp >> 2) * 64 + (lane >> 2), column = tiles.column0() + (warp & 3) * (columns / 4) + (lane & 3) * 2;
#pragma unroll
		for (int i = 0; i < 4; i++)
#pragma unroll
			for (int j = 0; j < COUNT; j++)
#pragma unroll
				for (int h = 0; h < 2; h++) tiles.put(y, kind, alpha, add_to, row + i * 16 + h * 8, column + j * 8, sum[i][j][2 * h], sum[i][j][2 * h + 1]);
	}
};

#define PRODUCTS(suffix, format) \
	PRODUCT(matmul_wide_##suffix, 1, Wide, false, format, 256) \
	PRODUCT(matmul_wide_input_##suffix, 1, Wide, true, format, 256) \
	PRODUCT(matmul_square_##suffix, 2, Wide, false, format, 128) \
	PRODUCT(matmul_square_input_##suffix, 2, Wide, true, format, 128)
PRODUCTS(bf16, WEIGHT_BF16)
PRODUCTS(nf4, WEIGHT_QUANTISED)
PRODUCTS(int8, WEIGHT_INT8)
