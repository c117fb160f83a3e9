// Products of a few rows with large weights, as decoding has them: the weights
// are read once, and their way from memory is what takes the time.
//
// A block has 32 output features, which are the rows of the tensor cores' left
// operand here, and up to 16 tokens. Eight warps fetch weights, a slice of 64 k
// each, turn them into bfloat16 and put them into shared memory; a ninth
// multiplies what they put there a step earlier, in the order of matmul.cu.
// Operands are those of matmul_wide.cu.
#include "nf4.h"

const int FEATURES = 32, TOKENS = 16;
const int SLICE = 64, SLICES = 8;  // of k, in a chunk
const int PRODUCERS = SLICES * 32, THREADS = PRODUCERS + 32;
const int WEIGHT_TILE = FEATURES * SLICE, TOKEN_TILE = TOKENS * SLICE;  // elements of a slice

INLINE uint16_t *place(uint16_t *tile, int line, int piece) { return tile + line * SLICE + ((piece ^ (line & 7)) << 3); }

// A Producer is one lane of the warps that fetch: 32 weights, half a block, of two
// features a chunk.
template <bool quantised>
struct Producer {
	const uint8_t *data, *codes;
	const float *scales, *map;
	float offset;
	int in, out, first, line, half, slice;

	// Share is a lane's weights of one feature and chunk on their way.
	struct Share {
		uint4 weights[quantised ? 1 : 4];
		uint32_t code;
		float scale;
	};

	MEMBER void read(Share (&s)[2], int chunk) const { read(s[0], chunk, line), read(s[1], chunk, line + 16); }
	MEMBER void write(const Share (&s)[2], uint16_t *tile) const { write(s[0], tile, line), write(s[1], tile, line + 16); }

	MEMBER void read(Share &s, int chunk, int line) const {
		int k = (chunk * SLICES + slice) * SLICE + half * 32, feature = first + line;
		bool there = feature < out && k < in;
		s.code = 0, s.scale = 0.f;
		if (!quantised) {
#pragma unroll
			for (int i = 0; i < 4; i++) s.weights[i] = there ? load_global16((const uint16_t *)data + (size_t)feature * in + k + i * 8) : uint4{0, 0, 0, 0};
			return;
		}
		uint32_t block = (uint32_t)feature * (uint32_t)(in >> 6) + (uint32_t)(k >> 6);
		s.weights[0] = there ? load_global16(data + (size_t)block * 32 + half * 16) : uint4{0, 0, 0, 0};
		if (!there) return;
		if (codes) s.code = codes[block];
		s.scale = codes ? scales[block >> 8] : scales[block];
	}

	MEMBER void write(const Share &s, uint16_t *tile, int line) const {
		uint4 v[4];
		if (quantised) {
			Products p;
			p.set(codes ? add(multiply(map[s.code], s.scale), offset) : s.scale);
			p.look32(v, s.weights[0]);
		}
#pragma unroll
		for (int i = 0; i < 4; i++) store_shared16(place(tile + slice * WEIGHT_TILE, line, half * 4 + i), quantised ? v[i] : s.weights[quantised ? 0 : i]);
	}
};

// read_tokens starts copying a chunk of x, by one warp.
INLINE void read_tokens(uint16_t *tiles, const uint16_t *x, int tokens, int in, int chunk) {
	int lane = threadIdx.x & 31;
	for (int i = lane; i < tokens * SLICES * 8; i += 32) {
		int piece = i % 8, slice = i / 8 % SLICES, token = i / 8 / SLICES, k = (chunk * SLICES + slice) * SLICE + piece * 8;
		copy_async16(place(tiles + slice * TOKEN_TILE, token, piece), x + (size_t)token * in + k, k < in);
	}
	copy_commit();
}

// multiply_chunk adds to sums [2·16 features, 2·8 tokens] the slices that there
// are: four chains of sums, for one alone would wait for itself.
INLINE void multiply_chunk(float (&sum)[2][2][4], uint16_t *weights, uint16_t *tokens, int slices) {
	int lane = threadIdx.x & 31;
#pragma unroll 1
	for (int s = 0; s < slices; s++)
#pragma unroll
		for (int step = 0; step < SLICE / 16; step++) {
			uint32_t left[4], right[4];
			ldmatrix(right, place(tokens + s * TOKEN_TILE, (lane & 7) + (lane >> 4) * 8, step * 2 + (lane >> 3 & 1)));
#pragma unroll
			for (int i = 0; i < 2; i++) {
				ldmatrix(left, place(weights + s * WEIGHT_TILE, i * 16 + (lane & 15), step * 2 + (lane >> 4)));
				mma(sum[i][0], left, right[0], right[1]);
				mma(sum[i][1], left, right[2], right[3]);
			}
		}
}

// multiply_last multiplies a chunk once its tokens are there; more tells whether
// those of the next are on their way.
INLINE void multiply_last(float (&sum)[2][2][4], uint16_t *weights, uint16_t *tokens, int slices, bool more) {
	if (more)
		copy_wait<1>();
	else
		copy_wait<0>();
	__syncwarp();  // every lane's copies
	multiply_chunk(sum, weights, tokens, slices);
	__syncwarp();  // and nobody reads them any more
}

template <bool quantised>
INLINE void few(uint16_t *shared, void *y, int y_kind, const uint16_t *x, WEIGHT, float alpha, int add_to, int rows, int in, int out) {
	const int weight_chunk = SLICES * WEIGHT_TILE, token_chunk = SLICES * TOKEN_TILE;
	uint16_t *weights = shared, *tokens = weights + 2 * weight_chunk;
	float *known = (float *)(tokens + 2 * token_chunk);  // the map
	int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, first = blockIdx.x * FEATURES, row0 = blockIdx.y * TOKENS;
	int chunks = (in + SLICE * SLICES - 1) / (SLICE * SLICES), count = min(TOKENS, rows - row0);
	x += (size_t)row0 * in;
	if (quantised && codes && threadIdx.x < 256) known[threadIdx.x] = map[threadIdx.x];
	for (int i = threadIdx.x; i < 2 * token_chunk / 8; i += THREADS) store_shared16(tokens + i * 8, uint4{0, 0, 0, 0});
	__syncthreads();  // the map is there, and tokens that are not are 0
	Producer<quantised> p;
	p.data = (const uint8_t *)data, p.codes = codes, p.scales = scales, p.map = known, p.offset = offset;
	p.in = in, p.out = out, p.first = first, p.line = lane >> 1, p.half = lane & 1, p.slice = warp;
	typename Producer<quantised>::Share now[2], next[2];
	float sum[2][2][4];
#pragma unroll
	for (int i = 0; i < 16; i++) sum[i / 8][i / 4 % 2][i % 4] = 0.f;
	bool produces = warp < SLICES;
	if (produces) p.read(now, 0);
	if (produces && quantised) p.read(next, 1);  // codes are few bytes: two chunks of them are on their way
	for (int c = 0; c <= chunks; c++) {
		int at = c & 1, last = at ^ 1;
		if (produces) {
			if (c < chunks) p.write(now, weights + at * weight_chunk);
			if (quantised) {
				now[0] = next[0], now[1] = next[1];
				p.read(next, c + 2);
			} else {
				p.read(now, c + 1);
			}
		} else {
			if (c < chunks) read_tokens(tokens + at * token_chunk, x, count, in, c);
			int slices = min(SLICES, in / SLICE - (c - 1) * SLICES);
			if (c > 0) multiply_last(sum, weights + last * weight_chunk, tokens + last * token_chunk, slices, c < chunks);
		}
		__syncthreads();  // chunk c is there, chunk c-1 has been multiplied
	}
	if (produces) return;
#pragma unroll
	for (int i = 0; i < 16; i++) {
		int e = i % 4, feature = first + i / 8 * 16 + (lane >> 2) + e / 2 * 8, token = i / 4 % 2 * 8 + (lane & 3) * 2 + e % 2;
		if (feature >= out || token >= count) continue;
		size_t to = (size_t)(row0 + token) * out + feature;
		float v = alpha * sum[i / 8][i / 4 % 2][e];
		store(y, to, y_kind, add_to ? load(y, to, y_kind) + v : v);
	}
}

// The parameters are those of matmul_bf16 and matmul_quantised.
#define FEW(name, quantised) \
	KERNEL(name, THREADS, 2, void *y, int y_kind, const void *x, int x_kind, WEIGHT, float alpha, int add_to, int rows, int in, int out) { \
		SHARED(shared); \
		few<quantised>((uint16_t *)shared, y, y_kind, (const uint16_t *)x, WEIGHT_ARGUMENTS, alpha, add_to, rows, in, out); \
	}
FEW(matmul_few_bf16, false)
FEW(matmul_few_nf4, true)
