// The operands of a product of many rows on their way to shared memory, a step of
// k at a time: rows of x, and weights turned into bfloat16.
//
// Operands are bfloat16 at multiples of 16 bytes; the weight is bfloat16, int8 or
// NF4 in blocks of 64. Its rows are in columns, both multiples of 64 and 8 as
// products.go checks.
#pragma once
#include "nf4.h"

const int ROWS = 128;     // of a block's part of the result
const int DEPTH = 64;     // of k a step
const int THREADS = 256;  // of a block

// place returns where a piece of eight elements lies in a tile: lines of 64
// elements, their pieces permuted so that eight lines' meet no bank twice. Longer
// lines continue 64 lines on. wgmma calls this a swizzle of 128 bytes.
INLINE uint16_t *place(uint16_t *tile, int line, int piece) {
	return tile + (piece >> 3) * 64 * DEPTH + line * 64 + (((piece ^ line) & 7) << 3);
}

// Tiles are those of one block's work, y (+)= alpha·x·Wᵀ, or with across
// alpha·x·W; of so many steps at a time.
template <bool across, int format, int columns, int stages>
struct Tiles {
	static constexpr int SHARE = columns / 128;  // of a step's weights, a thread's: so many times 32
	static constexpr int PIECES = format == WEIGHT_INT8 ? 2 : 1;  // of 16 bytes, of 32 codes

	const uint16_t *x;
	const uint8_t *data, *codes;
	const float *scales;
	float offset;
	int rows, in, out;
	uint16_t *shared;
	float *map;
	uint4 packed[SHARE][PIECES];  // codes on their way from memory to a tile
	float scale[SHARE];
	uint32_t scale_code[SHARE];

	MEMBER void set(unsigned char *memory, const void *x_, WEIGHT, int rows_, int in_, int out_) {
		x = (const uint16_t *)x_, rows = rows_, in = in_, out = out_;
		this->data = (const uint8_t *)data, this->codes = codes, this->scales = scales, this->offset = offset;
		shared = (uint16_t *)memory;
		this->map = (float *)right(stages);
		if (format == WEIGHT_QUANTISED && codes) this->map[threadIdx.x] = map[threadIdx.x];
	}

	MEMBER uint16_t *left(int at) const { return shared + at * ROWS * DEPTH; }
	MEMBER uint16_t *right(int at) const { return shared + stages * ROWS * DEPTH + at * columns * DEPTH; }

	MEMBER int depth() const { return across ? out : in; }  // the length of the sums
	MEMBER int width() const { return across ? in : out; }  // of the result
	MEMBER int row0() const { return blockIdx.y * ROWS; }
	MEMBER int column0() const { return blockIdx.x * columns; }

	// copy starts the way of the step at k into tiles, but for weights in codes.
	MEMBER void copy(int k, int at) {
		int line = threadIdx.x >> 3, piece = threadIdx.x & 7;
		bool inside = k + piece * 8 < depth();
		const uint16_t *from = x + (size_t)(row0() + line) * depth() + k + piece * 8;
		uint16_t *to = place(left(at), line, piece);
#pragma unroll
		for (int i = 0; i < 4; i++) copy_async16(to + i * 32 * 64, from + (size_t)(i * 32) * depth(), inside && row0() + line + i * 32 < rows);
		if (format == WEIGHT_BF16) copy_weights(k, at);
		copy_commit();
	}

	MEMBER void copy_weights(int k, int at) {
		const int pieces = across ? columns / 8 : DEPTH / 8, lines = THREADS / pieces;  // that all threads read at once
		int line = threadIdx.x / pieces, piece = threadIdx.x % pieces;
		int row = across ? k + line : column0() + line, col = across ? column0() + piece * 8 : k + piece * 8;
		const uint16_t *from = (const uint16_t *)data + (size_t)row * in + col;
		uint16_t *to = place(right(at), line, piece);
#pragma unroll
		for (int i = 0; i < columns * 8 / THREADS; i++)
			copy_async16(to + i * lines * 64, from + (size_t)(i * lines) * in, row + i * lines < out && col < in);
	}

	// load reads the codes of the step at k, none where that is past the end.
	MEMBER void load(int k) {
		if (format == WEIGHT_BF16) return;
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

	// store puts into a tile what the codes stand for.
	MEMBER void store(int at) {
		if (format == WEIGHT_BF16) return;
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
				store_shared16(place(right(at), l, piece), v[q]);
			}
		}
	}

	// put writes two neighbours of the result, of row r and from column c on.
	MEMBER void put(void *y, int kind, float alpha, bool add_to, int r, int c, float v, float w) const {
		if (r >= rows || c >= width()) return;
		size_t to = (size_t)r * width() + c;
		v = alpha * v, w = alpha * w;
		if (add_to) v = ::load(y, to, kind) + v, w = ::load(y, to + 1, kind) + w;
		if (kind == FLOAT32)
			((float *)y)[to] = v, ((float *)y)[to + 1] = w;
		else
			*(uint32_t *)((uint16_t *)y + to) = pack_bf16(v, w);
	}
};

// The parameters are those of matmul_bf16 and matmul_quantised.
#define PRODUCT(name, blocks, work, ...) \
	KERNEL(name, THREADS, blocks, void *y, int y_kind, const void *x, int x_kind, WEIGHT, float alpha, int add_to, int rows, int in, int out) { \
		SHARED_AT(shared, 1024); /* for descriptors */ \
		work<__VA_ARGS__> w; \
		w.tiles.set(shared, x, WEIGHT_ARGUMENTS, rows, in, out); \
		w.accumulate(); \
		w.write(y, y_kind, alpha, add_to); \
	}
