// Products of a few rows with large weights, as decoding has them: the weights
// are read once, and their way from memory is what takes the time.
//
// A block has 16 output features, which are the rows of the tensor cores' left
// operand here, and up to 16 tokens. Eight warps fetch weights, a slice of 64 k
// each, turn them into bfloat16 and put them into shared memory; a ninth
// multiplies what they put there a step earlier, in the order of matmul.cu.
// Operands are those of matmul_wide.cu.
#include "nf4.h"

const int FEATURES = 16, TOKENS = 16;
const int SLICE = 64, SLICES = 8;  // of k, in a chunk
const int PRODUCERS = SLICES * 32, THREADS = PRODUCERS + 32;
const int TILE = 16 * SLICE;  // elements of one operand's slice

INLINE uint16_t *place(uint16_t *tile, int line, int piece) { return tile + line * SLICE + ((piece ^ (line & 7)) << 3); }

// A Producer is one lane of the warps that fetch: 32 weights of one feature a
// chunk, half a block.
template <bool quantised>
struct Producer {
	const uint8_t *data, *codes;
	const float *scales, *map;
	float offset;
	int in, feature, line, half, slice;
	bool inside;

	// Share is a lane's weights of one chunk on their way.
	struct Share {
		uint4 weights[quantised ? 1 : 4];
		uint32_t code;
		float scale;
	};

	MEMBER void read(Share &s, int chunk) const {
		int k = (chunk * SLICES + slice) * SLICE + half * 32;
		bool there = inside && k < in;
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

	MEMBER void write(const Share &s, uint16_t *tile) const {
		uint4 v[4];
		if (quantised) {
			Products p;
			p.set(codes ? add(multiply(map[s.code], s.scale), offset) : s.scale);
			p.look32(v, s.weights[0]);
		}
#pragma unroll
		for (int i = 0; i < 4; i++) store_shared16(place(tile + slice * TILE, line, half * 4 + i), quantised ? v[i] : s.weights[quantised ? 0 : i]);
	}
};

// read_tokens starts copying a chunk of x, by one warp.
INLINE void read_tokens(uint16_t *tiles, const uint16_t *x, int tokens, int in, int chunk) {
	int lane = threadIdx.x & 31;
	for (int i = lane; i < tokens * SLICES * 8; i += 32) {
		int piece = i % 8, slice = i / 8 % SLICES, token = i / 8 / SLICES, k = (chunk * SLICES + slice) * SLICE + piece * 8;
		copy_async16(place(tiles + slice * TILE, token, piece), x + (size_t)token * in + k, k < in);
	}
	copy_commit();
}

// multiply_chunk adds to sums [16 features, 2·8 tokens] the slices that there are.
INLINE void multiply_chunk(float (&sum)[2][4], uint16_t *weights, uint16_t *tokens, int slices) {
	int lane = threadIdx.x & 31;
#pragma unroll 1
	for (int s = 0; s < slices; s++)
#pragma unroll
		for (int step = 0; step < SLICE / 16; step++) {
			uint32_t left[4], right[4];
			ldmatrix(left, place(weights + s * TILE, lane & 15, step * 2 + (lane >> 4)));
			ldmatrix(right, place(tokens + s * TILE, (lane & 7) + (lane >> 4) * 8, step * 2 + (lane >> 3 & 1)));
			mma(sum[0], left, right[0], right[1]);
			mma(sum[1], left, right[2], right[3]);
		}
}

// multiply_last multiplies a chunk once its tokens are there; more tells whether
// those of the next are on their way.
INLINE void multiply_last(float (&sum)[2][4], uint16_t *weights, uint16_t *tokens, int slices, bool more) {
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
	uint16_t *weights[2] = {shared, shared + SLICES * TILE}, *tokens[2] = {shared + 2 * SLICES * TILE, shared + 3 * SLICES * TILE};
	float *known = (float *)(shared + 4 * SLICES * TILE);  // the map
	int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, first = blockIdx.x * FEATURES, row0 = blockIdx.y * TOKENS;
	int chunks = (in + SLICE * SLICES - 1) / (SLICE * SLICES), count = min(TOKENS, rows - row0);
	x += (size_t)row0 * in;
	if (quantised && codes && threadIdx.x < 256) known[threadIdx.x] = map[threadIdx.x];
	for (int i = threadIdx.x; i < 2 * SLICES * TILE / 8; i += THREADS) store_shared16(tokens[0] + i * 8, uint4{0, 0, 0, 0});
	__syncthreads();  // the map is there, and tokens that are not are 0
	Producer<quantised> p;
	p.data = (const uint8_t *)data, p.codes = codes, p.scales = scales, p.map = known, p.offset = offset;
	p.in = in, p.line = lane >> 1, p.half = lane & 1, p.slice = warp, p.feature = first + p.line, p.inside = p.feature < out;
	typename Producer<quantised>::Share now, next;
	float sum[2][4];
#pragma unroll
	for (int j = 0; j < 2; j++) sum[j][0] = sum[j][1] = sum[j][2] = sum[j][3] = 0.f;
	bool produces = warp < SLICES;
	if (produces) p.read(now, 0), p.read(next, 1);
	for (int c = 0; c <= chunks; c++) {
		uint16_t *w = weights[0] + (c & 1) * SLICES * TILE, *t = tokens[0] + (c & 1) * SLICES * TILE;
		if (produces) {
			if (c < chunks) p.write(now, w);
			now = next;
			p.read(next, c + 2);
		} else {
			if (c < chunks) read_tokens(t, x, count, in, c);
			if (c > 0) multiply_last(sum, weights[1] - (c & 1) * SLICES * TILE, tokens[1] - (c & 1) * SLICES * TILE, min(SLICES, in / SLICE - (c - 1) * SLICES), c < chunks);
		}
		__syncthreads();  // chunk c is there, chunk c-1 has been multiplied
	}
	if (produces) return;
#pragma unroll
	for (int j = 0; j < 2; j++)
#pragma unroll
		for (int e = 0; e < 4; e++) {
			int feature = first + (lane >> 2) + (e >> 1) * 8, token = j * 8 + (lane & 3) * 2 + (e & 1);
			if (feature >= out || token >= count) continue;
			size_t to = (size_t)(row0 + token) * out + feature;
			float v = alpha * sum[j][e];
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
