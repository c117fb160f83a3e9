// Attention over packed sequences for heads of any width, a query or a key a
// warp: lanes are keys where scores are computed and features where values
// are added up.
#include "attention.h"

struct Tensor {
	void *p;
	int kind;
	MEMBER float at(size_t i) const { return load(p, i, kind); }
	MEMBER void set(size_t i, float v) const { store(p, i, kind, v); }
};

const int FEATURES = 8;  // of 32 lanes each that a warp holds at once: heads up to 256 wide need one pass

INLINE float dot(const Tensor &a, size_t i, const Tensor &b, size_t j, int n) {
	float sum = 0.f;
	for (int c = 0; c < n; c++) sum += a.at(i + c) * b.at(j + c);
	return sum;
}

// add_rows adds to a lane's features, from first on, 32 rows of x that are
// stride apart, weighted by each lane's weight.
INLINE void add_rows(float (&sum)[FEATURES], const Tensor &x, size_t row, size_t stride, int rows, float weight, int first, int width) {
	for (int r = 0; r < 32; r++) {
		float w = shuffle(weight, r);
		if (r >= rows) continue;
#pragma unroll
		for (int f = 0; f < FEATURES; f++) {
			int c = first + f * 32 + (int)(threadIdx.x & 31);
			if (c < width) sum[f] += w * x.at(row + r * stride + c);
		}
	}
}

INLINE void put_features(const Tensor &x, size_t row, const float (&sum)[FEATURES], float factor, int first, int width) {
#pragma unroll
	for (int f = 0; f < FEATURES; f++) {
		int c = first + f * 32 + (int)(threadIdx.x & 31);
		if (c < width) x.set(row + c, sum[f] * factor);
	}
}

#define TENSOR(name) void *name, int name##_kind

// attend: out = softmax(scale·q·kᵀ)·v of one query row and head a warp, and lse.
KERNEL(attend, 32, 16, TENSOR(out), float *lse, TENSOR(q), TENSOR(k), TENSOR(v), SHAPE) {
	Shape s{SHAPE_ARGUMENTS};
	int t = blockIdx.x, h = blockIdx.y, kv = h / (heads / kv_heads), lane = threadIdx.x, from, to;
	s.keys_of(s.sequence_of(t), t, from, to);
	Tensor queries{q, q_kind}, keys{k, k_kind}, values{v, v_kind}, result{out, out_kind};
	for (int first = 0; first < width; first += 32 * FEATURES) {
		float top = -__builtin_inff(), total = 0.f, sum[FEATURES] = {};
		for (int j = from; j < to; j += 32) {
			float score = j + lane < to ? scale * dot(queries, s.query(t, h), keys, s.key(j + lane, kv), width) : -__builtin_inff();
			float before = top;
			top = __builtin_fmaxf(top, warp_max(score));
			float p = exp_near(score - top), shrink = exp_near(before - top);
			total = total * shrink + warp_sum(p);
			for (int f = 0; f < FEATURES; f++) sum[f] *= shrink;
			add_rows(sum, values, s.key(j, kv), (size_t)kv_heads * width, to - j, p, first, width);
		}
		put_features(result, s.query(t, h), sum, 1.f / total, first, width);
		if (lane == 0) lse[(size_t)t * heads + h] = top + 0.69314718f * log2_near(total);
	}
}

// A score's probability p, from the saved lse, and the gradient of the product
// q·k before scaling.
struct ScoreGrad {
	float p, ds;
};

// Gradient is the operands of the gradient's kernels.
struct Gradient {
	Tensor dout, q, k, v;
	const float *lse, *delta;
	Shape s;

	MEMBER ScoreGrad score(int t, int h, int j, int kv) const {
		size_t query = s.query(t, h), key = s.key(j, kv), i = (size_t)t * s.heads + h;
		float p = exp_near(s.scale * dot(q, query, k, key, s.width) - lse[i]);
		return ScoreGrad{p, p * (dot(dout, query, v, key, s.width) - delta[i]) * s.scale};
	}
};

// attend_delta: delta = dout·out of each query row and head; a warp each.
KERNEL(attend_delta, 32, 16, float *delta, TENSOR(dout), TENSOR(out), int heads, int width) {
	size_t i = (size_t)blockIdx.x * heads + blockIdx.y;
	Tensor a{dout, dout_kind}, b{out, out_kind};
	float sum = 0.f;
	for (int c = threadIdx.x; c < width; c += 32) sum += a.at(i * width + c) * b.at(i * width + c);
	sum = warp_sum(sum);
	if (threadIdx.x == 0) delta[i] = sum;
}

// attend_queries writes dq, of one query row and head a warp.
KERNEL(attend_queries, 32, 16, TENSOR(dq), TENSOR(dout), const float *lse, const float *delta, TENSOR(q), TENSOR(k), TENSOR(v), SHAPE) {
	Gradient g{{dout, dout_kind}, {q, q_kind}, {k, k_kind}, {v, v_kind}, lse, delta, {SHAPE_ARGUMENTS}};
	int t = blockIdx.x, h = blockIdx.y, kv = h / (heads / kv_heads), lane = threadIdx.x, from, to;
	g.s.keys_of(g.s.sequence_of(t), t, from, to);
	for (int first = 0; first < width; first += 32 * FEATURES) {
		float sum[FEATURES] = {};
		for (int j = from; j < to; j += 32) {
			float ds = j + lane < to ? g.score(t, h, j + lane, kv).ds : 0.f;
			add_rows(sum, g.k, g.s.key(j, kv), (size_t)kv_heads * width, to - j, ds, first, width);
		}
		put_features(Tensor{dq, dq_kind}, g.s.query(t, h), sum, 1.f, first, width);
	}
}

// attend_keys writes dk and dv, of one key row and head a warp; the grid is
// (longest sequence, key heads, sequences).
KERNEL(attend_keys, 32, 12, TENSOR(dk), TENSOR(dv), TENSOR(dout), const float *lse, const float *delta, TENSOR(q), TENSOR(k), TENSOR(v), SHAPE) {
	Gradient g{{dout, dout_kind}, {q, q_kind}, {k, k_kind}, {v, v_kind}, lse, delta, {SHAPE_ARGUMENTS}};
	int i = blockIdx.z, kv = blockIdx.y, lane = threadIdx.x, group = heads / kv_heads;
	int j = key_starts[i] + (int)blockIdx.x;
	if (j >= key_ends[i]) return;
	// Query t sees keys up to its own, t + shift, and window of them.
	int end = query_starts[i + 1], shift = key_ends[i] - end;
	int begin = max(query_starts[i], j - shift);
	if (window > 0) end = min(end, j - shift + window);
	for (int first = 0; first < width; first += 32 * FEATURES) {
		float sum_k[FEATURES] = {}, sum_v[FEATURES] = {};
		for (int h = kv * group; h < (kv + 1) * group; h++)
			for (int t = begin; t < end; t += 32) {
				ScoreGrad s = t + lane < end ? g.score(t + lane, h, j, kv) : ScoreGrad{0.f, 0.f};
				add_rows(sum_v, g.dout, g.s.query(t, h), (size_t)heads * width, end - t, s.p, first, width);
				add_rows(sum_k, g.q, g.s.query(t, h), (size_t)heads * width, end - t, s.ds, first, width);
			}
		put_features(Tensor{dk, dk_kind}, g.s.key(j, kv), sum_k, 1.f, first, width);
		put_features(Tensor{dv, dv_kind}, g.s.key(j, kv), sum_v, 1.f, first, width);
	}
}
