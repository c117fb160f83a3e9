// Dense weights become codes and scales, with the bits of package quant. What lies
// in memory is a piece of a matrix.
#include "weight.h"

// larger compares magnitudes as bits: those of a NaN exceed an infinity's, and
// those all numbers'.
INLINE float larger(float a, float b) {
	return bits_float(max(__builtin_bit_cast(int, a) & 0x7fffffff, __builtin_bit_cast(int, b) & 0x7fffffff));
}

INLINE float largest(float top, const float (&v)[8]) {
#pragma unroll
	for (int j = 0; j < 8; j++) top = larger(top, v[j]);
	return top;
}

// over_lanes returns the largest magnitude of so many neighbouring lanes.
INLINE float over_lanes(float top, int lanes) {
	for (int mask = lanes / 2; mask > 0; mask /= 2) top = larger(top, shuffle_xor(top, mask));
	return top;
}

template <int format>
INLINE Weight<format> dense(const void *data) {
	return Weight<format>{data, nullptr, nullptr, nullptr, nullptr, 0.f, 0};
}

INLINE bool infinite(float v) { return (__builtin_bit_cast(int, v) & 0x7fffffff) >= 0x7f800000; }

// rank returns how many of count-1 ascending bounds lie below v.
template <int count>
INLINE int rank(float v, const float *bounds) {
	int r = 0;
#pragma unroll
	for (int step = count / 2; step > 0; step /= 2)
		if (v > bounds[r + step - 1]) r += step;
	return r;
}

// left returns how many of eight elements from i on there are before n.
INLINE int left(long i, long n) { return i >= n ? 0 : n - i < 8 ? (int)(n - i) : 8; }

// store_codes stores the first n ≤ 8 bytes of two words.
INLINE void store_codes(uint8_t *p, uint32_t low, uint32_t high, int n) {
	if (n == 8 && ((uintptr_t)p & 3) == 0) {
		((uint32_t *)p)[0] = low, ((uint32_t *)p)[1] = high;
		return;
	}
#pragma unroll
	for (int j = 0; j < 8; j++)
		if (j < n) p[j] = (uint8_t)((j < 4 ? low : high) >> 8 * (j & 3));
}

// Blocks are n elements in blocks of 2^shift, of which the last may be short, and
// where their codes and scales go. order has the 4-bit codes by ascending value,
// from the lowest four bits up, table the values.
struct Blocks {
	uint8_t *codes;
	float *scales;
	long n;
	int shift;
	const float *table;
	uint64_t order;

	MEMBER uint32_t code(int rank) const { return (uint32_t)(order >> 4 * rank) & 15; }

	// bound is the midpoint of two neighbouring values; one there takes the lower code.
	MEMBER float bound(int i) const { return (table[code(i)] + table[code(i + 1)]) * 0.5f; }

	// codes_of packs eight elements, the first of a pair in the high half.
	MEMBER uint32_t codes_of(const float (&v)[8], const float *bounds) const {
		uint32_t packed = 0;
#pragma unroll
		for (int j = 0; j < 8; j++) packed |= code(rank<16>(v[j], bounds)) << (j / 2 * 8 + (j & 1 ? 0 : 4));
		return packed;
	}
};

// A block of no magnitude is divided by this.
#define SMALLEST 1e-38f

// quantise_blocks: a warp does 256 elements, of one block or of several, or a block
// that is larger.
template <int format>
INLINE void quantise_blocks(const Blocks &b, Weight<format> w, float *bounds) {
	if (threadIdx.x < 15) bounds[threadIdx.x] = b.bound(threadIdx.x);
	__syncthreads();  // the bounds are there
	int lane = threadIdx.x % 32, size = 1 << b.shift, lanes = min(32, size / 8), mine = max(256, size);
	long first = ((long)blockIdx.x * blockDim.x + threadIdx.x) / 32 * mine, start = first + lane * 8;
	if (first >= b.n) return;
	float v[8], top = 0.f;
	for (long i = start; i < first + mine; i += 256) {
		w.load(v, i, left(i, b.n));
		top = largest(top, v);
	}
	top = over_lanes(top, lanes);
	long block = start >> b.shift;
	bool cut = ((block + 1) << b.shift) > b.n;
	float divisor = larger(top, SMALLEST), inverse = 1.f / divisor;
	if (lane % lanes == 0 && start < b.n) b.scales[block] = cut ? divisor : top;
	for (long i = start; i < first + mine && i < b.n; i += 256) {
		int n = left(i, b.n);
		w.load(v, i, n);  // 0 beyond the end, whose code fills a byte that is half used
#pragma unroll
		for (int j = 0; j < 8; j++) v[j] = cut ? v[j] / divisor : multiply(v[j], inverse);
		uint32_t packed = b.codes_of(v, bounds);
		uint8_t *to = b.codes + (i >> 1);
		if (n == 8)
			*(uint32_t *)to = packed;
		else
			store_codes(to, packed, 0, (n + 1) / 2);
	}
}

#define QUANTISE_BLOCKS(name, format) \
	KERNEL(name, 256, 1, uint8_t *codes, float *scales, const void *data, long n, int shift, const float *table, uint64_t order) { \
		SHARED(shared); \
		quantise_blocks<format>(Blocks{codes, scales, n, shift, table, order}, dense<format>(data), (float *)shared); \
	}
QUANTISE_BLOCKS(quantise_blocks_f32, WEIGHT_F32)
QUANTISE_BLOCKS(quantise_blocks_bf16, WEIGHT_BF16)
QUANTISE_BLOCKS(quantise_blocks_f16, WEIGHT_F16)

// quantise_rows: codes of int8, a row for a block of threads. Added to 3·2^22 a
// float leaves the nearest integer in the lowest bits.
template <int format>
INLINE void quantise_rows(uint8_t *codes, float *scales, Weight<format> w, int cols, float *scratch) {
	size_t row = (size_t)blockIdx.x * cols;
	float v[8], top = 0.f;
	for (int c = threadIdx.x * 8; c < cols; c += blockDim.x * 8) {
		w.load(v, row + c, min(8, cols - c));
		top = largest(top, v);
	}
	top = over_block(top, scratch, [](float a, float b) { return larger(a, b); });
	if (threadIdx.x == 0) scales[blockIdx.x] = top;
	float factor = multiply(1.f / top, 127.f);
	bool zeros = infinite(factor);  // a row so small that nothing is left of it
	for (int c = threadIdx.x * 8; c < cols; c += blockDim.x * 8) {
		int n = min(8, cols - c);
		w.load(v, row + c, n);
		uint32_t word[2] = {0, 0};
#pragma unroll
		for (int j = 0; j < 8; j++) word[j / 4] |= (__builtin_bit_cast(uint32_t, add(multiply(v[j], factor), 12582912.f)) & 255) << 8 * (j & 3);
		store_codes(codes + row + c, zeros ? 0 : word[0], zeros ? 0 : word[1], n);
	}
}

#define QUANTISE_ROWS(name, format) \
	KERNEL(name, 256, 1, uint8_t *codes, float *scales, const void *data, int cols) { \
		SHARED(shared); \
		quantise_rows<format>(codes, scales, dense<format>(data), cols, (float *)shared); \
	}
QUANTISE_ROWS(quantise_rows_f32, WEIGHT_F32)
QUANTISE_ROWS(quantise_rows_bf16, WEIGHT_BF16)
QUANTISE_ROWS(quantise_rows_f16, WEIGHT_F16)

// A Cascade sums as PyTorch does: a level's sum moves to the next one when it has
// collected 2^shift of those below.
struct Cascade {
	int shift;
	float second, third, fourth;

	// collect takes the sum of the 2^shift rows before one.
	MEMBER void collect(float first, long row) {
		long mask = (1l << shift) - 1;
		second += first;
		if (row & mask << shift) return;
		third += second, second = 0.f;
		if (row & mask << 2 * shift) return;
		fourth += third, third = 0.f;
	}
};

// mean_of_scales: package quant's mean of n scales, addition by addition; one block.
// Rows are four vectors of width elements, 8 or for fewer than 8 scales 1: a lane
// has a column of them, and each warp 2^shift rows at a time, which the first warp
// collects.
KERNEL(mean_of_scales, 512, 1, float *mean, const float *x, long n, int width, int shift) {
	SHARED(shared);
	float *sums = (float *)shared;
	int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32, columns = 4 * width;
	long rows = n / columns, chunks = rows >> shift, at = chunks << shift;
	Cascade c{shift, 0.f, 0.f, 0.f};
	for (long first = 0; first < chunks; first += warps) {
		float sum = 0.f;
		if (first + warp < chunks)
			for (long r = (first + warp) << shift; r < (first + warp + 1) << shift; r++) sum += x[r * columns + lane];
		sums[threadIdx.x] = sum;
		__syncthreads();  // all have summed
		if (warp == 0)
			for (long i = first; i < first + warps && i < chunks; i++) c.collect(sums[(i - first) * 32 + lane], (i + 1) << shift);
		__syncthreads();  // and been collected
	}
	if (warp > 0) return;
	float sum = 0.f;
	for (; at < rows; at++)
		if (lane < columns) sum += x[at * columns + lane];
	sum += c.second, sum += c.third, sum += c.fourth;
	long whole = n / width * width;
	for (at = rows * columns; at < whole; at += width)
		if (lane < width) sum += x[at + lane];
	float vector = sum;
	for (int i = 1; i < 4; i++) vector += shuffle(sum, (lane + i * width) & 31);
	float total = 0.f;
	for (at = whole; at < n; at++) total += x[at];
	for (int i = 0; i < width; i++) total += shuffle(vector, i);
	if (lane == 0) *mean = total / (float)n;
}

// Points of the grid on which the dynamic map looks values up: 65536 on [-1, 1].
#define POINTS 65535.f

// quantise_scales: scales less their mean become codes of the dynamic map, with a
// scale of their own for each 256, which a warp does.
KERNEL(quantise_scales, 256, 1, uint8_t *codes, float *nested, const float *scales, const float *mean, const float *map, long n) {
	SHARED(shared);
	float *bounds = (float *)shared;
	if (threadIdx.x < 255) bounds[threadIdx.x] = (map[threadIdx.x] + map[threadIdx.x + 1]) * 0.5f;
	__syncthreads();  // the bounds are there
	long i = ((long)blockIdx.x * blockDim.x + threadIdx.x) * 8;
	if (i / 256 * 256 >= n) return;
	int count = left(i, n);
	float v[8], offset = *mean;
	load8(v, scales, i, count, FLOAT32);
#pragma unroll
	for (int j = 0; j < 8; j++) v[j] = j < count ? v[j] - offset : 0.f;
	float top = over_lanes(largest(0.f, v), 32), inverse = 1.f / top;
	if (i % 256 == 0) nested[i / 256] = top;
	uint32_t word[2] = {0, 0};
#pragma unroll
	for (int j = 0; j < 8; j++) {
		int point = (int)add(multiply(add(multiply(v[j], inverse), 1.f), POINTS / 2), 0.5f) & 65535;
		int code = rank<256>((float)(2 * point) / POINTS - 1.f, bounds);
		if (infinite(inverse)) code = v[j] > 0.f ? 255 : 0;  // the grid's ends are all that is left
		word[j / 4] |= (uint32_t)code << 8 * (j & 3);
	}
	store_codes(codes + i, word[0], word[1], count);
}
