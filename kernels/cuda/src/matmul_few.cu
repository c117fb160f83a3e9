// Products of a few rows with large weights, as decoding has them: the weights
// are read once, and their way from memory is what takes the time.
//
// A block has 16 output features, which are the rows of the tensor cores' left
// operand here, and 8 or 16 tokens. Its warps share out k, a chunk each in turn:
// a warp copies weights into a ring of its own, takes fragments of them from
// there, and waits for nobody. In the end the warps' sums are added in order.
// Which k a warp has depends on nothing but k, so a row has the same bits however
// few rows there are; many rows have other bits, for they are summed in another
// order.
//
// A mma's k need not follow each other: lane l of a warp has, of each 64 k, the 16
// from 16·(l%4) on, of weights and of tokens, four a step. So fragments are what
// lies in memory, and the four lanes of a feature share one block of codes, whose
// scale multiplies the block's sum.
#include "weight.h"

const int FEATURES = 16, WARPS = 8, THREADS = WARPS * 32;
const int DEPTH = 64;  // of k that are multiplied at once, four steps
const int STAGES = 4;  // chunks of a warp on their way
const int CHUNK = 2048;  // bytes of shared memory that a chunk takes
const int RINGS = WARPS * STAGES * CHUNK;

// A Chunk is how weights of a format lie: k of a chunk, in DEPTHs, and bytes of its
// lines. A line's pieces of 16 bytes are permuted so that no bank is met twice.
template <int format>
struct Chunk;

template <>
struct Chunk<WEIGHT_BF16> {
	static const int DEPTHS = 1, LINE = 128;
	static MEMBER int place(int line, int piece) { return line * 128 + (piece ^ (line & 1)) * 16; }
	static MEMBER int bytes(int k) { return 2 * k; }
};

template <>
struct Chunk<WEIGHT_INT8> {
	static const int DEPTHS = 2, LINE = 128;
	static MEMBER int place(int line, int piece) { return line * 128 + (piece ^ (line & 1) * 4) * 16; }
	static MEMBER int bytes(int k) { return k; }
};

// In front of every two lines of codes the rings have 128 bytes of the table of
// pairs: of each of the 256 bytes that two codes make the values in bfloat16, once
// for each lane, in a bank of its own. So the place of a pair is a byte of codes
// above a byte that says whose, which one instruction makes.
template <>
struct Chunk<WEIGHT_QUANTISED> {
	static const int DEPTHS = 2, LINE = 64;
	static MEMBER int place(int line, int piece) { return 128 + line / 2 * 256 + line % 2 * 64 + (piece ^ (line & 2)) * 16; }
	static MEMBER int bytes(int k) { return k / 2; }
};

INLINE uint32_t pair(const unsigned char *pairs, int lane, uint32_t codes, int byte) {
	return *(const uint32_t *)(pairs + permute_bytes(codes, (uint32_t)lane * 4, 0x5504 | byte << 4));
}

// make_pairs fills the table. A thread has one byte's copies, and begins with a
// piece of its own.
INLINE void make_pairs(unsigned char *pairs, const float *table) {
	uint32_t byte = threadIdx.x, v = pack_bf16(table[byte >> 4], table[byte & 15]);
#pragma unroll
	for (int i = 0; i < 8; i++) store_shared16(pairs + byte * 256 + ((i + byte) & 7) * 16, uint4{v, v, v, v});
}

// A Few is one lane's part of a warp's work, for up to so many tokens. Lanes of
// features and tokens that are not there do others' once more, and nobody takes
// what they sum.
template <int format, int tokens>
struct Few {
	typedef Chunk<format> Line;
	static const int PIECES = Line::LINE / 16, EACH = FEATURES * PIECES / 32;  // of a line, and of a lane
	static const int HALVES = tokens / 8;

	const unsigned char *from;  // its first piece of the first chunk
	uint32_t length, upper;     // of a row of weights; from features 0 to 7 to the others
	const uint16_t *x[HALVES];  // its tokens' part of the first chunk
	const uint8_t *codes;       // of scales
	const float *scales, *map;
	float offset;
	uint32_t block;       // its scale in the first chunk
	int depths;           // in all
	int have;             // chunks that have such a piece, and so such a scale
	unsigned char *ring, *to;  // to: its first piece in the ring
	const unsigned char *pairs;
	int lane;
	float sum[HALVES][4];
	uint32_t code[STAGES];
	float scale[STAGES];

	MEMBER Few(unsigned char *shared, const uint16_t *first_token, int count, const Weight<format> &w, int in, int out, int first) {
		int warp = threadIdx.x >> 5;
		lane = threadIdx.x & 31, depths = in / DEPTH;
		int line = lane / PIECES, piece = lane % PIECES;
		length = Line::bytes(in), upper = first + 8 < out ? 8 * length : 0;
		from = (const unsigned char *)w.data + (size_t)(first + line) * length + piece * 16;
		have = ((int)length - piece * 16 + Line::LINE - 1) / Line::LINE;
#pragma unroll
		for (int t = 0; t < HALVES; t++) x[t] = first_token + (size_t)min((lane >> 2) + t * 8, count - 1) * in + (lane & 3) * 16;
		// A lane fetches one scale of a chunk: lanes 4g to 4g+3 those of features g and
		// g+8 in the first block, then in the second.
		int feature = min(first + (lane >> 2) + (lane & 1) * 8, out - 1), second = lane >> 1 & 1;
		codes = w.codes, scales = w.scales, offset = w.offset;
		block = (uint32_t)feature * (uint32_t)depths + second;
		pairs = shared, map = (float *)(shared + RINGS);
		ring = shared + warp * STAGES * CHUNK, to = ring + Line::place(line, piece);
#pragma unroll
		for (int i = 0; i < tokens / 2; i++) sum[i / 4][i % 4] = 0.f;
	}

	// begin starts the way of a chunk to a stage of the ring; one group of copies,
	// even where there is no such chunk.
	MEMBER void begin(int chunk, int stage) {
#pragma unroll
		for (int i = 0; i < EACH; i++) {
			uint32_t down = i / (EACH / 2) * upper + i % (EACH / 2) * (FEATURES / EACH) * length;
			copy_async16(to + stage * CHUNK + i * (CHUNK / EACH), from + down + (size_t)chunk * Line::LINE, chunk < have);
		}
		copy_commit();
		if (format != WEIGHT_QUANTISED) return;
		uint32_t b = chunk < have ? block + (uint32_t)(chunk * Line::DEPTHS) : 0;
		if (codes) code[stage] = codes[b], b >>= 8;
		scale[stage] = scales[b];
	}

	MEMBER float whole_scale(int stage) const { return codes ? add(multiply(map[code[stage]], scale[stage]), offset) : scale[stage]; }

	// fragments takes 16 features by 64 k from a stage.
	MEMBER void fragments(uint32_t (&left)[4][4], int stage, int depth) const {
#pragma unroll
		for (int half = 0; half < 2; half++) {
			int line = (lane >> 2) + half * 8, q = lane & 3;
			const unsigned char *at = ring + stage * CHUNK;
			if (format == WEIGHT_BF16) {
#pragma unroll
				for (int i = 0; i < 2; i++) {
					uint4 v = load_shared16(at + Line::place(line, q * 2 + i));
					left[2 * i][half] = v.x, left[2 * i][2 + half] = v.y, left[2 * i + 1][half] = v.z, left[2 * i + 1][2 + half] = v.w;
				}
				continue;
			}
			if (format == WEIGHT_INT8) {
				uint4 v = load_shared16(at + Line::place(line, depth * 4 + q));
				uint32_t words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
				for (int i = 0; i < 4; i++) {
					float f[4];
					code_floats(f, words[i]);
					left[i][half] = pack_bf16(f[0], f[1]), left[i][2 + half] = pack_bf16(f[2], f[3]);
				}
				continue;
			}
			uint2 v = load_shared8(at + Line::place(line, depth * 2 + (q >> 1)) + (q & 1) * 8);
#pragma unroll
			for (int i = 0; i < 2; i++) {
				uint32_t four = i ? v.y : v.x;
				left[2 * i][half] = pair(pairs, lane, four, 0), left[2 * i][2 + half] = pair(pairs, lane, four, 1);
				left[2 * i + 1][half] = pair(pairs, lane, four, 2), left[2 * i + 1][2 + half] = pair(pairs, lane, four, 3);
			}
		}
	}

	// multiply_depth adds 64 k of eight tokens to sum, times the scales of features g
	// and g+8 where there are any.
	MEMBER void multiply_depth(float (&sum)[4], const uint32_t (&left)[4][4], const uint4 (&right)[2], float low, float high) const {
		if (format != WEIGHT_QUANTISED) {
#pragma unroll
			for (int i = 0; i < 2; i++) mma(sum, left[2 * i], right[i].x, right[i].y), mma(sum, left[2 * i + 1], right[i].z, right[i].w);
			return;
		}
		float part[4];
		mma_first(part, left[0], right[0].x, right[0].y), mma(part, left[1], right[0].z, right[0].w);
		mma(part, left[2], right[1].x, right[1].y), mma(part, left[3], right[1].z, right[1].w);
#pragma unroll
		for (int e = 0; e < 4; e++) sum[e] = __builtin_fmaf(part[e], e < 2 ? low : high, sum[e]);
	}

	MEMBER void multiply_chunk(int chunk, int stage) {
		uint4 right[Line::DEPTHS][HALVES][2];
		bool there[Line::DEPTHS];
#pragma unroll
		for (int d = 0; d < Line::DEPTHS; d++) {
			there[d] = d == 0 || chunk * Line::DEPTHS + d < depths;
			if (!there[d]) continue;
#pragma unroll
			for (int t = 0; t < HALVES; t++) {
				const uint16_t *at = x[t] + (size_t)chunk * (Line::DEPTHS * DEPTH) + d * DEPTH;
				right[d][t][0] = load_global16(at), right[d][t][1] = load_global16(at + 8);
			}
		}
		copy_wait<STAGES - 1>();
		__syncwarp();  // every lane's copies are there
		float mine = 1.f;
		if (format == WEIGHT_QUANTISED) mine = whole_scale(stage);
#pragma unroll
		for (int d = 0; d < Line::DEPTHS; d++) {
			if (!there[d]) continue;
			uint32_t left[4][4];
			fragments(left, stage, d);
			float low = 1.f, high = 1.f;
			if (format == WEIGHT_QUANTISED) low = shuffle_in_four(mine, 2 * d), high = shuffle_in_four(mine, 2 * d + 1);
#pragma unroll
			for (int t = 0; t < HALVES; t++) multiply_depth(sum[t], left, right[d][t], low, high);
		}
		__syncwarp();  // and have been read
	}

	MEMBER void accumulate() {
		int chunks = (depths + Line::DEPTHS - 1) / Line::DEPTHS;
		for (int c = threadIdx.x >> 5; c < chunks; c += STAGES * WARPS)
#pragma unroll
			for (int stage = 0; stage < STAGES; stage++) {
				int chunk = c + stage * WARPS;
				if (chunk >= chunks) break;
				multiply_chunk(chunk, stage);
				begin(chunk + STAGES * WARPS, stage);
			}
		copy_wait<0>();
	}
};

// A launch has up to three products of the same tokens, with weights of the same
// format: columns that there are none of end the list. A Part is one of them.
#define PART(n) \
	void *y##n, const void *data##n, const uint8_t *codes##n, const float *scales##n, const float *map##n, const float *table##n, float offset##n, int out##n
#define PART_ARGUMENTS(n) y##n, data##n, codes##n, scales##n, map##n, table##n, offset##n, out##n

struct Part {
	void *y;
	const void *data;
	const uint8_t *codes;
	const float *scales, *map, *table;
	float offset;
	int out;

	MEMBER int blocks() const { return (out + FEATURES - 1) / FEATURES; }
};

template <int format, int tokens>
INLINE void few(unsigned char *shared, const uint16_t *x, int y_kind, int add_to, float alpha, int rows, int in, const Part &first, const Part &second, const Part &third) {
	int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, row0 = blockIdx.y * tokens, count = min(tokens, rows - row0), block = blockIdx.x;
	Part p = first;
	if (block >= p.blocks()) {
		block -= p.blocks(), p = second;
		if (block >= p.blocks()) block -= p.blocks(), p = third;
	}
	Few<format, tokens> f(shared, x + (size_t)row0 * in, count, Weight<format>{p.data, p.codes, p.scales, p.map, p.table, p.offset, 0}, in, p.out, block * FEATURES);
#pragma unroll
	for (int s = 0; s < STAGES; s++) f.begin(warp + s * WARPS, s);
	if (format == WEIGHT_QUANTISED) {
		make_pairs(shared, p.table);
		if (p.codes) ((float *)f.map)[threadIdx.x] = p.map[threadIdx.x];
		__syncthreads();  // the pairs and the map are there
	}
	f.accumulate();
	__syncthreads();  // nobody reads the rings any more: the warps' sums go there
	float *sums = (float *)shared;
	const int each = tokens * FEATURES;
#pragma unroll
	for (int i = 0; i < tokens / 2; i++) sums[warp * each + i * 32 + lane] = f.sum[i / 4][i % 4];
	__syncthreads();  // all sums are there
	if (threadIdx.x >= each) return;
	float total = 0.f;
#pragma unroll
	for (int i = 0; i < WARPS; i++) total += sums[i * each + threadIdx.x];
	// A thread has what its lane had as sum[warp / 4][warp % 4].
	int e = warp & 3, feature = block * FEATURES + (lane >> 2) + e / 2 * 8, token = warp / 4 * 8 + (lane & 3) * 2 + e % 2;
	if (feature >= p.out || token >= count) return;
	size_t to = (size_t)(row0 + token) * p.out + feature;
	if (format == WEIGHT_INT8) total = code_value(total, p.scales[feature]);
	float v = alpha * total;
	store(p.y, to, y_kind, add_to ? load(p.y, to, y_kind) + v : v);
}

#define FEW(name, format, tokens, blocks) \
	KERNEL(name, THREADS, blocks, const void *x, int y_kind, int add_to, float alpha, int rows, int in, PART(0), PART(1), PART(2)) { \
		SHARED(shared); \
		few<format, tokens>(shared, (const uint16_t *)x, y_kind, add_to, alpha, rows, in, Part{PART_ARGUMENTS(0)}, Part{PART_ARGUMENTS(1)}, Part{PART_ARGUMENTS(2)}); \
	}
FEW(matmul_eight_bf16, WEIGHT_BF16, 8, 3)
FEW(matmul_eight_quantised, WEIGHT_QUANTISED, 8, 3)
FEW(matmul_eight_int8, WEIGHT_INT8, 8, 3)
FEW(matmul_sixteen_bf16, WEIGHT_BF16, 16, 2)
FEW(matmul_sixteen_quantised, WEIGHT_QUANTISED, 16, 2)
FEW(matmul_sixteen_int8, WEIGHT_INT8, 16, 2)
