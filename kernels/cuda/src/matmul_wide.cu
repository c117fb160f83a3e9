// Products of many rows with large weights: 128 rows by 256 or 128 columns a
// block, both operands read ahead while the tensor cores work.
//
// Operands are bfloat16 at multiples of 16 bytes; the weight is bfloat16, int8 or
// NF4 in blocks of 64. Its rows are in columns, both multiples of 64 and 8 as
// products.go checks. The order of the sums is that of matmul.cu.
#include "nf4.h"

const int ROWS = 128;     // of a block's part of the result
const int DEPTH = 64;     // of k a step
const int THREADS = 256;  // 2×4 warps, each 64 rows by a quarter of the columns

// place returns where a piece of eight elements lies in a tile whose lines have
// so many elements: permuted, so that ldmatrix meets no bank twice.
INLINE uint16_t *place(uint16_t *tile, int line, int piece, int length) { return tile + line * length + ((piece ^ (line & 7)) << 3); }

// A Wide is one block's work: y (+)= alpha·x·Wᵀ, or with across alpha·x·W.
template <bool across, int format, int columns>
struct Wide {
	static constexpr int SHARE = columns / 128;       // of a step's weights, a thread's: so many times 32
	static constexpr int TILES = columns / 4 / 8;     // of eight columns, a warp's
	static constexpr int LENGTH = across ? columns : DEPTH;  // of a line of weights
	static constexpr int PIECES = format == WEIGHT_INT8 ? 2 : 1;  // of 16 bytes, of 32 codes

	const uint16_t *x;
	const uint8_t *data, *codes;
	const float *scales;
	float offset;
	int rows, in, out;
	uint16_t *left, *right;  // two tiles each
	float *map;
	float sum[4][TILES][4];
	uint4 packed[SHARE][PIECES];  // weights on their way from memory to a tile
	float scale[SHARE];
	uint32_t scale_code[SHARE];

	MEMBER int depth() const { return across ? out : in; }   // the length of the sums
	MEMBER int width() const { return across ? in : out; }  // of the result
	MEMBER int row0() const { return blockIdx.y * ROWS; }
	MEMBER int column0() const { return blockIdx.x * columns; }

	MEMBER void read_rows(int k, int at) {
		int line = threadIdx.x >> 3, piece = threadIdx.x & 7;
		bool inside = k + piece * 8 < depth();
		const uint16_t *from = x + (size_t)(row0() + line) * depth() + k + piece * 8;
		uint16_t *to = place(left + at * ROWS * DEPTH, line, piece, DEPTH);
#pragma unroll
		for (int i = 0; i < 4; i++) copy_async16(to + i * 32 * DEPTH, from + (size_t)(i * 32) * depth(), inside && row0() + line + i * 32 < rows);
	}

	// read_weights starts the way of a step's weights: bfloat16 ones land in the
	// tile by themselves, codes stay in registers until store_weights.
	MEMBER void read_weights(int k, int at) {
		if (format == WEIGHT_BF16) {
			const int pieces = LENGTH / 8, lines = THREADS / pieces;  // that all threads read at once
			int line = threadIdx.x / pieces, piece = threadIdx.x % pieces;
			int row = across ? k + line : column0() + line, col = across ? column0() + piece * 8 : k + piece * 8;
			const uint16_t *from = (const uint16_t *)data + (size_t)row * in + col;
			uint16_t *to = place(right + at * columns * DEPTH, line, piece, LENGTH);
#pragma unroll
			for (int i = 0; i < columns * 8 / THREADS; i++)
				copy_async16(to + i * lines * LENGTH, from + (size_t)(i * lines) * in, row + i * lines < out && col < in);
			return;
		}
#pragma unroll
		for (int i = 0; i < SHARE; i++) {
			int row = across ? k + line() : column0() + line() + i * 128, col = across ? column0() + stretch() * 32 + i * 128 : k + stretch() * 32;
#pragma unroll
			for (int q = 0; q < PIECES; q++) packed[i][q] = uint4{0, 0, 0, 0};
			scale_code[i] = 0, scale[i] = 0.f;
			if (row >= out || col >= in) continue;
			if (format == WEIGHT_INT8) {
				const uint8_t *from = data + (size_t)row * in + col;
#pragma unroll
				for (int q = 0; q < PIECES; q++) packed[i][q] = load_global16(from + q * 16);
				scale[i] = scales[row];
				continue;
			}
			uint32_t block = (uint32_t)row * (uint32_t)(in >> 6) + (uint32_t)(col >> 6);
			packed[i][0] = load_global16(data + (size_t)block * 32 + (stretch() & 1) * 16);
			if (codes) scale_code[i] = codes[block];
			scale[i] = codes ? scales[block >> 8] : scales[block];
		}
	}

	// A thread's share is 32 weights of one line, half a block, which two
	// neighbouring lanes read together.
	MEMBER int line() const { return across ? threadIdx.x >> 1 & 63 : threadIdx.x >> 1; }
	MEMBER int stretch() const { return across ? (threadIdx.x & 1) + 2 * (threadIdx.x >> 7) : threadIdx.x & 1; }

	MEMBER void store_weights(int at) {
		if (format == WEIGHT_BF16) return;
		uint16_t *tile = right + at * columns * DEPTH;
#pragma unroll
		for (int i = 0; i < SHARE; i++) {
			uint4 v[4];
			if (format == WEIGHT_INT8) {
				uint32_t words[8] = {packed[i][0].x, packed[i][0].y, packed[i][0].z, packed[i][0].w, packed[i][PIECES - 1].x, packed[i][PIECES - 1].y, packed[i][PIECES - 1].z, packed[i][PIECES - 1].w};
#pragma unroll
				for (int q = 0; q < 4; q++) v[q] = code_values(words[2 * q], words[2 * q + 1], scale[i]);
			} else {
				Products p;
				p.set(codes ? add(multiply(map[scale_code[i]], scale[i]), offset) : scale[i]);
				p.look32(v, packed[i][0]);
			}
#pragma unroll
			for (int q = 0; q < 4; q++) {
				int l = across ? line() : line() + i * 128, piece = across ? stretch() * 4 + q + i * 16 : stretch() * 4 + q;
				store_shared16(place(tile, l, piece, LENGTH), v[q]);
			}
		}
	}

	MEMBER void multiply_step(int at, int step) {
		int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, row = (warp >> 2) * 64, column = (warp & 3) * (columns / 4);
		uint16_t *a = left + at * ROWS * DEPTH, *b = right + at * columns * DEPTH;
		uint32_t fragment[4][4], weights[4];
#pragma unroll
		for (int i = 0; i < 4; i++) ldmatrix(fragment[i], place(a, row + i * 16 + (lane & 15), step * 2 + (lane >> 4), DEPTH));
#pragma unroll
		for (int j = 0; j < TILES / 2; j++) {
			if (across)
				ldmatrix_across(weights, place(b, step * 16 + (lane & 15), column / 8 + j * 2 + (lane >> 4), LENGTH));
			else
				ldmatrix(weights, place(b, column + j * 16 + (lane & 7) + (lane >> 4) * 8, step * 2 + (lane >> 3 & 1), LENGTH));
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
			for (int j = 0; j < TILES; j++)
#pragma unroll
				for (int e = 0; e < 4; e++) sum[i][j][e] = 0.f;
		read_rows(0, 0), read_weights(0, 0);
		copy_commit();
		__syncthreads();  // the map is there
		store_weights(0);
		for (int k = 0, at = 0; k < depth(); k += DEPTH, at ^= 1) {
			copy_wait<0>();
			__syncthreads();  // the tiles are whole, and the others have been read
			bool more = k + DEPTH < depth();
			if (more) {
				read_rows(k + DEPTH, at ^ 1), read_weights(k + DEPTH, at ^ 1);
				copy_commit();
			}
#pragma unroll
			for (int step = 0; step < DEPTH / 16; step++) multiply_step(at, step);
			if (more) store_weights(at ^ 1);
		}
	}

	MEMBER void write(void *y, int kind, float alpha, bool add_to) {
		int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
		int row = row0() + (warp >> 2) * 64 + (lane >> 2), column = column0() + (warp & 3) * (columns / 4) + (lane & 3) * 2;
#pragma unroll
		for (int i = 0; i < 4; i++)
#pragma unroll
			for (int j = 0; j < TILES; j++)
#pragma unroll
				for (int h = 0; h < 2; h++) {
					int r = row + i * 16 + h * 8, c = column + j * 8;
					if (r >= rows || c >= width()) continue;
					size_t to = (size_t)r * width() + c;
					float v = alpha * sum[i][j][2 * h], w = alpha * sum[i][j][2 * h + 1];
					if (add_to) v = load(y, to, kind) + v, w = load(y, to + 1, kind) + w;
					if (kind == FLOAT32)
						((float *)y)[to] = v, ((float *)y)[to + 1] = w;
					else
						*(uint32_t *)((uint16_t *)y + to) = pack_bf16(v, w);
				}
	}
};

template <bool across, int format, int columns>
INLINE void product(unsigned char *shared, void *y, int y_kind, const void *x, WEIGHT, float alpha, int add_to, int rows, int in, int out) {
	Wide<across, format, columns> w;
	w.x = (const uint16_t *)x, w.data = (const uint8_t *)data, w.codes = codes, w.scales = scales, w.offset = offset;
	w.rows = rows, w.in = in, w.out = out;
	w.left = (uint16_t *)shared, w.right = w.left + 2 * ROWS * DEPTH;
	w.map = (float *)(w.right + 2 * columns * DEPTH);
	if (format == WEIGHT_QUANTISED && codes) w.map[threadIdx.x] = map[threadIdx.x];
	w.accumulate();
	w.write(y, y_kind, alpha, add_to);
}

// The parameters are those of matmul_bf16 and matmul_quantised.
#define PRODUCT(name, across, format, columns, blocks) \
	KERNEL(name, THREADS, blocks, void *y, int y_kind, const void *x, int x_kind, WEIGHT, float alpha, int add_to, int rows, int in, int out) { \
		SHARED(shared); \
		product<across, format, columns>(shared, y, y_kind, x, WEIGHT_ARGUMENTS, alpha, add_to, rows, in, out); \
	}
#define PRODUCTS(suffix, format) \
	PRODUCT(matmul_wide_##suffix, false, format, 256, 1) \
	PRODUCT(matmul_wide_input_##suffix, true, format, 256, 1) \
	PRODUCT(matmul_square_##suffix, false, format, 128, 2) \
	PRODUCT(matmul_square_input_##suffix, true, format, 128, 2)
PRODUCTS(bf16, WEIGHT_BF16)
PRODUCTS(nf4, WEIGHT_QUANTISED)
PRODUCTS(int8, WEIGHT_INT8)
