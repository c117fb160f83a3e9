// matmul_wide.cu's products by warpgroups: the same tiles and the same order of the
// sums, on tensor cores that mma.sync reaches five eighths of. While they multiply
// one step's tiles, the warps fill the next.
#include "warpgroup.h"

#include "tiles.h"

const int COLUMNS = 256;

// A Warpgroups is one block's work: two of them, each 64 rows. There are three
// tiles, for the products of a step and of the one before are under way when the
// next is filled.
template <bool across, int format>
struct Warpgroups {
	Tiles<across, format, COLUMNS, 3> tiles;
	float sum[128];

	// multiply starts the products of a step.
	MEMBER void multiply(int at) {
		const int block = 8 * 64 * 2, panel = DEPTH * 64 * 2;  // bytes of eight lines and of 64
		uint64_t a = descriptor(tiles.left(at) + (threadIdx.x >> 7) * 64 * DEPTH, block, 0);
		uint64_t b = descriptor(tiles.right(at), block, across ? panel : 0);
		warpgroup_fence();
#pragma unroll
		for (int step = 0; step < DEPTH / 16; step++) warpgroup_mma<across>(sum, a + step * 2, b + step * (across ? 2 * block / 16 : 2));
		warpgroup_commit();
	}

	MEMBER void accumulate() {
#pragma unroll
		for (int i = 0; i < 128; i++) sum[i] = 0.f;
		tiles.copy(0, 0), tiles.load(0);
		__syncthreads();  // the map is there
		tiles.store(0);
		tiles.load(DEPTH);
		for (int k = 0, at = 0; k < tiles.depth(); k += DEPTH) {
			copy_wait<0>();
			fence_async();
			__syncthreads();  // the tiles are whole, and those of two steps ago have been read
			multiply(at);
			at = at == 2 ? 0 : at + 1;
			if (k + DEPTH < tiles.depth()) {
				tiles.copy(k + DEPTH, at);
				tiles.store(at);
				tiles.load(k + 2 * DEPTH);
			}
			warpgroup_wait<1>();
		}
		warpgroup_wait<0>();
	}

	MEMBER void write(void *y, int kind, float alpha, bool add_to) {
		int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
		int row = tiles.row0() + warp * 16 + (lane >> 2), column = tiles.column0() + (lane & 3) * 2;
#pragma unroll
		for (int j = 0; j < COLUMNS / 8; j++)
#pragma unroll
			for (int h = 0; h < 2; h++) tiles.put(y, kind, alpha, add_to, row + h * 8, column + j * 8, sum[4 * j + 2 * h], sum[4 * j + 2 * h + 1]);
	}
};

#define PRODUCTS(suffix, format) \
	PRODUCT(matmul_warpgroup_##suffix, 1, Warpgroups, false, format) \
	PRODUCT(matmul_warpgroup_input_##suffix, 1, Warpgroups, true, format)
PRODUCTS(bf16, WEIGHT_BF16)
PRODUCTS(nf4, WEIGHT_QUANTISED)
PRODUCTS(int8, WEIGHT_INT8)
