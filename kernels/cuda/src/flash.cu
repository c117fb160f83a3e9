// Attention over packed sequences on tensor cores, for heads up to 64 or 128
// wide in bfloat16: FlashAttention-2 (Dao 2023), a tile of queries or of keys a
// block. Scores exist only in registers; the gradient computes them again.
//
// Tiles of keys start at a sequence's first key and tiles of queries at its first
// query, so that a sum's order does not depend on what else is in the batch or
// in the cache. A score that is masked adds an exact 0.
#include "attention.h"

const float LOG2E = 1.4426950408889634f, LN2 = 0.6931471805599453f;

// A tile has lines of D elements, a line's pieces of eight permuted so that
// ldmatrix meets no bank twice.
template <int D>
INLINE uint16_t *place(uint16_t *tile, int line, int piece) {
	return tile + line * D + ((piece ^ (line & 7)) << 3);
}

// read_tile starts copying lines of one head, from row first on; 0 from row end on and from
// the head's width on.
template <int D, int lines, int threads>
INLINE void read_tile(uint16_t *tile, const uint16_t *x, size_t stride, int first, int end, int width) {
	const int together = threads / (D / 8);  // lines that all threads read at once, a multiple of 8
	int line = threadIdx.x / (D / 8), piece = threadIdx.x % (D / 8);
	uint16_t *to = place<D>(tile, line, piece);
	const uint16_t *from = x + (size_t)(first + line) * stride + piece * 8;
#pragma unroll
	for (int i = 0; i < lines / together; i++, from += together * stride)
		copy_async16(to + i * together * D, from, first + line + i * together < end && piece * 8 < width);
}

template <int n>
INLINE void clear(float (&v)[n][4]) {
#pragma unroll
	for (int i = 0; i < n; i++) v[i][0] = v[i][1] = v[i][2] = v[i][3] = 0.f;
}

// scores adds a·bᵀ to 16 rows of sums: row is where a warp's 16 lines of a begin.
template <int D, int n>
INLINE void scores(float (&sum)[n][4], uint16_t *a, int row, uint16_t *b) {
	int lane = threadIdx.x & 31;
#pragma unroll
	for (int step = 0; step < D / 16; step++) {
		uint32_t left[4], right[4];
		ldmatrix(left, place<D>(a, row + (lane & 15), step * 2 + (lane >> 4)));
#pragma unroll
		for (int j = 0; j < n / 2; j++) {
			ldmatrix(right, place<D>(b, j * 16 + (lane & 7) + (lane >> 4) * 8, step * 2 + (lane >> 3 & 1)));
			mma(sum[2 * j], left, right[0], right[1]);
			mma(sum[2 * j + 1], left, right[2], right[3]);
		}
	}
}

// add_weighted adds to 16 rows of D sums the lines of x, weighted by p.
template <int D, int n>
INLINE void add_weighted(float (&sum)[D / 8][4], const float (&p)[n][4], uint16_t *x) {
	int lane = threadIdx.x & 31;
#pragma unroll
	for (int step = 0; step < n / 2; step++) {
		uint32_t left[4], right[4];
#pragma unroll
		for (int e = 0; e < 4; e++) left[e] = pack_bf16(p[2 * step + (e >> 1)][(e & 1) * 2], p[2 * step + (e >> 1)][(e & 1) * 2 + 1]);
#pragma unroll
		for (int j = 0; j < D / 16; j++) {
			ldmatrix_across(right, place<D>(x, step * 16 + (lane & 15), j * 2 + (lane >> 4)));
			mma(sum[2 * j], left, right[0], right[1]);
			mma(sum[2 * j + 1], left, right[2], right[3]);
		}
	}
}

// write_rows stores a thread's two rows of sums, row and row+8, each times its
// factor, as far as they are before end.
template <int D>
INLINE void write_rows(uint16_t *x, size_t stride, int row, int end, int width, const float (&sum)[D / 8][4], const float (&factor)[2]) {
	int lane = threadIdx.x & 31;
#pragma unroll
	for (int h = 0; h < 2; h++) {
		if (row + h * 8 >= end) continue;
#pragma unroll
		for (int j = 0; j < D / 8; j++) {
			int c = j * 8 + (lane & 3) * 2;
			if (c < width) *(uint32_t *)(x + (size_t)(row + h * 8) * stride + c) = pack_bf16(sum[j][2 * h] * factor[h], sum[j][2 * h + 1] * factor[h]);
		}
	}
}

// over_row combines what the four threads of a row have.
template <class Combine>
INLINE float over_row(float v, Combine combine) {
	v = combine(v, shuffle_xor(v, 1));
	return combine(v, shuffle_xor(v, 2));
}

// A View is one sequence: its queries [first, end) and keys [key_first, key_end).
// Query t sees the keys before t + shift + 1, and of those window where it is not 0.
struct View {
	int first, end, key_first, key_end, shift, window;

	MEMBER View(const Shape &s, int sequence) {
		first = s.query_starts[sequence], end = s.query_starts[sequence + 1];
		key_first = s.key_starts[sequence], key_end = s.key_ends[sequence];
		shift = key_end - end, window = s.window;
	}
	MEMBER bool sees(int t, int j) const { return j <= t + shift && (window == 0 || j > t + shift - window) && t < end; }
	// first_key is where the tiles of keys that query t sees begin.
	MEMBER int first_key(int t, int tile) const {
		int from = window > 0 ? max(key_first, t + shift + 1 - window) : key_first;
		return key_first + (from - key_first) / tile * tile;
	}
};

// flash: out = softmax(scale·q·kᵀ)·v and lse of a tile of 64 queries of one head;
// the grid is (tiles of the longest sequence, heads, sequences). N keys a step.
template <int D, int N>
INLINE void flash(uint16_t *shared, uint16_t *out, float *lse, const uint16_t *q, const uint16_t *k, const uint16_t *v, const Shape &s) {
	const int Q = 64, THREADS = 128;
	View view(s, blockIdx.z);
	int tile = view.first + ((int)gridDim.x - 1 - (int)blockIdx.x) * Q;  // the longest first
	if (tile >= view.end) return;
	int h = blockIdx.y, kv = h / (s.heads / s.kv_heads), lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
	size_t stride = (size_t)s.heads * s.width, key_stride = (size_t)s.kv_heads * s.width;
	uint16_t *queries = shared, *keys = queries + Q * D, *values = keys + N * D;
	read_tile<D, Q, THREADS>(queries, q + h * s.width, stride, tile, view.end, s.width);
	float scale = s.scale * LOG2E, none = -__builtin_inff();
	float sum[D / 8][4], top[2] = {none, none}, total[2] = {0.f, 0.f};
	clear(sum);
	int row = tile + warp * 16 + (lane >> 2);
	int last = min(view.key_end, min(tile + Q, view.end) + view.shift);
	for (int n = view.first_key(tile, N); n < last; n += N) {
		read_tile<D, N, THREADS>(keys, k + kv * s.width, key_stride, n, view.key_end, s.width);
		copy_commit();
		read_tile<D, N, THREADS>(values, v + kv * s.width, key_stride, n, view.key_end, s.width);
		copy_commit();
		copy_wait<1>();
		__syncthreads();  // queries and keys are there
		float p[N / 8][4];
		clear(p);
		scores<D>(p, queries, warp * 16, keys);
#pragma unroll
		for (int i = 0; i < 2; i++) {
			float before = top[i];
#pragma unroll
			for (int j = 0; j < N / 8; j++)
#pragma unroll
				for (int e = 2 * i; e < 2 * i + 2; e++) {
					if (!view.sees(row + i * 8, n + j * 8 + (lane & 3) * 2 + (e & 1))) p[j][e] = none;
					top[i] = __builtin_fmaxf(top[i], p[j][e]);
				}
			top[i] = over_row(top[i], [](float a, float b) { return __builtin_fmaxf(a, b); });
			float base = top[i] == none ? 0.f : top[i] * scale, shrink = exp2_near(before * scale - base);
			total[i] *= shrink;
#pragma unroll
			for (int j = 0; j < N / 8; j++)
#pragma unroll
				for (int e = 2 * i; e < 2 * i + 2; e++) total[i] += p[j][e] = exp2_near(p[j][e] * scale - base);
#pragma unroll
			for (int j = 0; j < D / 8; j++) sum[j][2 * i] *= shrink, sum[j][2 * i + 1] *= shrink;
		}
		copy_wait<0>();
		__syncthreads();  // values are there
		add_weighted<D>(sum, p, values);
		__syncthreads();  // both have been read
	}
	float factor[2];
#pragma unroll
	for (int i = 0; i < 2; i++) {
		total[i] = over_row(total[i], [](float a, float b) { return a + b; });
		factor[i] = 1.f / total[i];
		int t = row + i * 8;
		if ((lane & 3) == 0 && t < view.end) lse[(size_t)t * s.heads + h] = top[i] * s.scale + log2_near(total[i]) * LN2;
	}
	write_rows<D>(out + h * s.width, stride, row, view.end, s.width, sum, factor);
}

// flash_queries writes dq of a tile of 64 queries of one head; the grid is flash's.
template <int D, int N>
INLINE void flash_queries(uint16_t *shared, uint16_t *dq, const uint16_t *dout, const float *lse, const float *delta, const uint16_t *q,
                          const uint16_t *k, const uint16_t *v, const Shape &s) {
	const int Q = 64, THREADS = 128;
	View view(s, blockIdx.z);
	int tile = view.first + ((int)gridDim.x - 1 - (int)blockIdx.x) * Q;
	if (tile >= view.end) return;
	int h = blockIdx.y, kv = h / (s.heads / s.kv_heads), lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
	size_t stride = (size_t)s.heads * s.width, key_stride = (size_t)s.kv_heads * s.width;
	uint16_t *queries = shared, *grads = queries + Q * D, *keys = grads + Q * D, *values = keys + N * D;
	read_tile<D, Q, THREADS>(queries, q + h * s.width, stride, tile, view.end, s.width);
	read_tile<D, Q, THREADS>(grads, dout + h * s.width, stride, tile, view.end, s.width);
	float sum[D / 8][4], base[2], rest[2];
	clear(sum);
	int row = tile + warp * 16 + (lane >> 2);
#pragma unroll
	for (int i = 0; i < 2; i++) {
		size_t at = (size_t)min(row + i * 8, view.end - 1) * s.heads + h;
		base[i] = lse[at] * LOG2E, rest[i] = delta[at];
	}
	int last = min(view.key_end, min(tile + Q, view.end) + view.shift);
	for (int n = view.first_key(tile, N); n < last; n += N) {
		read_tile<D, N, THREADS>(keys, k + kv * s.width, key_stride, n, view.key_end, s.width);
		read_tile<D, N, THREADS>(values, v + kv * s.width, key_stride, n, view.key_end, s.width);
		copy_commit();
		copy_wait<0>();
		__syncthreads();  // all tiles are there
		float p[N / 8][4], ds[N / 8][4];
		clear(p), clear(ds);
		scores<D>(p, queries, warp * 16, keys);
		scores<D>(ds, grads, warp * 16, values);
#pragma unroll
		for (int j = 0; j < N / 8; j++)
#pragma unroll
			for (int e = 0; e < 4; e++) {
				bool seen = view.sees(row + (e >> 1) * 8, n + j * 8 + (lane & 3) * 2 + (e & 1));
				float weight = exp2_near(p[j][e] * (s.scale * LOG2E) - base[e >> 1]);
				ds[j][e] = seen ? weight * (ds[j][e] - rest[e >> 1]) * s.scale : 0.f;
			}
		add_weighted<D>(sum, ds, keys);
		__syncthreads();  // keys and values have been read
	}
	const float one[2] = {1.f, 1.f};
	write_rows<D>(dq + h * s.width, stride, row, view.end, s.width, sum, one);
}

// flash_keys writes dk and dv of a tile of 64 keys, added up over the query heads
// that share them; the grid is (tiles of the longest sequence, key heads,
// sequences). M queries a step. Rows of the scores are keys here.
template <int D, int M>
INLINE void flash_keys(uint16_t *shared, uint16_t *dk, uint16_t *dv, const uint16_t *dout, const float *lse, const float *delta, const uint16_t *q,
                       const uint16_t *k, const uint16_t *v, const Shape &s) {
	const int N = 64, THREADS = 128;
	View view(s, blockIdx.z);
	int tile = view.key_first + (int)blockIdx.x * N, kv = blockIdx.y, group = s.heads / s.kv_heads;
	if (tile >= view.key_end) return;
	int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, row = tile + warp * 16 + (lane >> 2);
	size_t stride = (size_t)s.heads * s.width, key_stride = (size_t)s.kv_heads * s.width;
	uint16_t *keys = shared, *values = keys + N * D, *queries = values + N * D, *grads = queries + M * D;
	float *base = (float *)(grads + M * D), *rest = base + M;
	read_tile<D, N, THREADS>(keys, k + kv * s.width, key_stride, tile, view.key_end, s.width);
	read_tile<D, N, THREADS>(values, v + kv * s.width, key_stride, tile, view.key_end, s.width);
	float sum_k[D / 8][4], sum_v[D / 8][4];
	clear(sum_k), clear(sum_v);
	// The queries that see any of the keys, from a tile's start.
	int begin = view.first + max(0, tile - view.shift - view.first) / M * M;
	int end = view.window > 0 ? min(view.end, tile + N - 1 - view.shift + view.window) : view.end;
	for (int h = kv * group; h < (kv + 1) * group; h++)
		for (int t = begin; t < end; t += M) {
			read_tile<D, M, THREADS>(queries, q + h * s.width, stride, t, view.end, s.width);
			read_tile<D, M, THREADS>(grads, dout + h * s.width, stride, t, view.end, s.width);
			copy_commit();
			if (threadIdx.x < M) {
				size_t at = (size_t)min(t + (int)threadIdx.x, view.end - 1) * s.heads + h;
				base[threadIdx.x] = lse[at] * LOG2E, rest[threadIdx.x] = delta[at];
			}
			copy_wait<0>();
			__syncthreads();  // all tiles are there
			float p[M / 8][4], ds[M / 8][4];
			clear(p);
			scores<D>(p, keys, warp * 16, queries);
#pragma unroll
			for (int j = 0; j < M / 8; j++)
#pragma unroll
				for (int e = 0; e < 4; e++) {
					int i = j * 8 + (lane & 3) * 2 + (e & 1);
					bool seen = view.sees(t + i, row + (e >> 1) * 8);
					p[j][e] = seen ? exp2_near(p[j][e] * (s.scale * LOG2E) - base[i]) : 0.f;
				}
			add_weighted<D>(sum_v, p, grads);
			clear(ds);
			scores<D>(ds, values, warp * 16, grads);
#pragma unroll
			for (int j = 0; j < M / 8; j++)
#pragma unroll
				for (int e = 0; e < 4; e++) {
					int i = j * 8 + (lane & 3) * 2 + (e & 1);
					ds[j][e] = p[j][e] == 0.f ? 0.f : p[j][e] * (ds[j][e] - rest[i]) * s.scale;
				}
			add_weighted<D>(sum_k, ds, queries);
			__syncthreads();  // queries and gradients have been read
		}
	copy_wait<0>();
	const float one[2] = {1.f, 1.f};
	write_rows<D>(dk + kv * s.width, key_stride, row, view.key_end, s.width, sum_k, one);
	write_rows<D>(dv + kv * s.width, key_stride, row, view.key_end, s.width, sum_v, one);
}

#define FLASH(D, N, M, blocks) \
	KERNEL(flash_##D, 128, blocks, uint16_t *out, float *lse, const uint16_t *q, const uint16_t *k, const uint16_t *v, SHAPE) { \
		SHARED(shared); \
		flash<D, N>((uint16_t *)shared, out, lse, q, k, v, Shape{SHAPE_ARGUMENTS}); \
	} \
	KERNEL(flash_queries_##D, 128, blocks, uint16_t *dq, const uint16_t *dout, const float *lse, const float *delta, const uint16_t *q, const uint16_t *k, \
	       const uint16_t *v, SHAPE) { \
		SHARED(shared); \
		flash_queries<D, M>((uint16_t *)shared, dq, dout, lse, delta, q, k, v, Shape{SHAPE_ARGUMENTS}); \
	} \
	KERNEL(flash_keys_##D, 128, blocks, uint16_t *dk, uint16_t *dv, const uint16_t *dout, const float *lse, const float *delta, const uint16_t *q, \
	       const uint16_t *k, const uint16_t *v, SHAPE) { \
		SHARED(shared); \
		flash_keys<D, M>((uint16_t *)shared, dk, dv, dout, lse, delta, q, k, v, Shape{SHAPE_ARGUMENTS}); \
	}
FLASH(64, 64, 64, 2)
FLASH(128, 64, 32, 2)
