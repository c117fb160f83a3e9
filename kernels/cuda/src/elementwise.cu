// Operations in which an element depends on few others: a thread does eight
// neighbours.
#include "gpu.h"

// A Piece is up to eight neighbouring elements of one row of [rows, cols].
struct Piece {
	size_t at;     // index of the first in the tensor
	int row, col;  // of the first
	int n;         // 0 beyond the tensor
};

INLINE Piece piece_of(long rows, int cols) {
	long i = (long)blockIdx.x * blockDim.x + threadIdx.x, pieces = (cols + 7) / 8;
	long row = i / pieces;
	int col = (int)(i % pieces) * 8;
	return Piece{(size_t)row * cols + col, (int)row, col, row < rows ? min(8, cols - col) : 0};
}

// flat_piece cuts a tensor of n elements without regard to its rows.
INLINE Piece flat_piece(long n) {
	long at = ((long)blockIdx.x * blockDim.x + threadIdx.x) * 8;
	return Piece{(size_t)at, 0, 0, at < n ? (int)(n - at < 8 ? n - at : 8) : 0};
}

KERNEL(fill, 256, 1, void *dst, int kind, long n, float value) {
	Piece p = flat_piece(n);
	float v[8];
#pragma unroll
	for (int j = 0; j < 8; j++) v[j] = value;
	store8(v, dst, p.at, p.n, kind);
}

KERNEL(copy, 256, 1, void *dst, int dst_kind, const void *src, int src_kind, long n) {
	Piece p = flat_piece(n);
	float v[8];
	load8(v, src, p.at, p.n, src_kind);
	store8(v, dst, p.at, p.n, dst_kind);
}

// add_bias: y[t] += b.
KERNEL(add_bias, 256, 1, void *y, int kind, const float *b, long rows, int cols) {
	Piece p = piece_of(rows, cols);
	float v[8], bias[8];
	load8(v, y, p.at, p.n, kind);
	load8(bias, b, p.col, p.n, FLOAT32);
#pragma unroll
	for (int j = 0; j < 8; j++) v[j] += bias[j];
	store8(v, y, p.at, p.n, kind);
}

// swiglu: y = gate·σ(gate)·up.
KERNEL(swiglu, 256, 1, void *y, int y_kind, const void *gate, int gate_kind, const void *up, int up_kind, long n) {
	Piece p = flat_piece(n);
	float g[8], u[8];
	load8(g, gate, p.at, p.n, gate_kind);
	load8(u, up, p.at, p.n, up_kind);
#pragma unroll
	for (int j = 0; j < 8; j++) g[j] = g[j] / (1.f + exp_near(-g[j])) * u[j];
	store8(g, y, p.at, p.n, y_kind);
}

// swiglu_grad: dgate = dy·up·σ·(1 + gate·(1-σ)), dup = dy·gate·σ; in place too.
KERNEL(swiglu_grad, 256, 1, void *dgate, int dgate_kind, void *dup, int dup_kind, const void *dy, int dy_kind, const void *gate, int gate_kind,
       const void *up, int up_kind, long n) {
	Piece p = flat_piece(n);
	float d[8], g[8], u[8];
	load8(d, dy, p.at, p.n, dy_kind);
	load8(g, gate, p.at, p.n, gate_kind);
	load8(u, up, p.at, p.n, up_kind);
#pragma unroll
	for (int j = 0; j < 8; j++) {
		float e = exp_near(-g[j]), s = 1.f / (1.f + e);
		float rest = e > 1e30f ? 1.f : e * s;  // 1-σ without the cancellation
		float dg = d[j] * u[j] * s * (1.f + g[j] * rest);
		u[j] = d[j] * g[j] * s;
		g[j] = dg;
	}
	store8(g, dgate, p.at, p.n, dgate_kind);
	store8(u, dup, p.at, p.n, dup_kind);
}

struct Philox {
	uint32_t word[4];
};

// philox: Philox4x32-10 of a counter and a key (Salmon, Moraes, Dror, Shaw 2011).
INLINE Philox philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1) {
	for (int i = 0; i < 10; i++) {
		uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
		c0 = (uint32_t)(b >> 32) ^ c1 ^ k0, c1 = (uint32_t)b;
		c2 = (uint32_t)(a >> 32) ^ c3 ^ k1, c3 = (uint32_t)a;
		k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
	}
	return Philox{{c0, c1, c2, c3}};
}

// dropout: dst (+)= src·scale where a random word is at least limit.
KERNEL(dropout, 256, 1, void *dst, int dst_kind, const void *src, int src_kind, const int *samples, const int *positions, long rows, int cols,
       uint32_t limit, float scale, uint32_t step, uint32_t key0, uint32_t key1, int accumulate) {
	Piece p = piece_of(rows, cols);
	if (p.n == 0) return;
	float v[8], old[8];
	load8(v, src, p.at, p.n, src_kind);
	if (accumulate) load8(old, dst, p.at, p.n, dst_kind);
#pragma unroll
	for (int h = 0; h < 2; h++) {
		Philox r = philox(p.col / 4 + h, positions[p.row], samples[p.row], step, key0, key1);
#pragma unroll
		for (int j = 0; j < 4; j++) {
			float kept = r.word[j] >= limit ? v[4 * h + j] * scale : 0.f;
			v[4 * h + j] = accumulate ? kept + old[4 * h + j] : kept;
		}
	}
	store8(v, dst, p.at, p.n, dst_kind);
}

// adamw updates w, m and v by g·scale. rate is LR/(1-β1ᵗ), root √(1-β2ᵗ), keep
// 1 - LR·decay.
KERNEL(adamw, 256, 1, float *w, float *m, float *v, const float *g, long n, float beta1, float rest1, float beta2, float rest2, float rate,
       float root, float eps, float keep, float scale) {
	Piece p = flat_piece(n);
	float weight[8], mean[8], square[8], grad[8];
	load8(weight, w, p.at, p.n, FLOAT32);
	load8(mean, m, p.at, p.n, FLOAT32);
	load8(square, v, p.at, p.n, FLOAT32);
	load8(grad, g, p.at, p.n, FLOAT32);
#pragma unroll
	for (int j = 0; j < 8; j++) {
		float x = grad[j] * scale;
		mean[j] = beta1 * mean[j] + rest1 * x;
		square[j] = beta2 * square[j] + rest2 * x * x;
		weight[j] = keep * weight[j] - rate * mean[j] / (square_root(square[j]) / root + eps);
	}
	store8(weight, w, p.at, p.n, FLOAT32);
	store8(mean, m, p.at, p.n, FLOAT32);
	store8(square, v, p.at, p.n, FLOAT32);
}

// rope rotates the pairs (i, i+half) of each head by the row of its position in
// table: half cosines, then half sines.
KERNEL(rope, 256, 1, void *x, int kind, const float *table, const int *positions, long rows, int heads, int width, int half, float sign) {
	Piece p = piece_of(rows * heads, half);
	if (p.n == 0) return;
	const float *angles = table + (size_t)positions[p.row / heads] * 2 * half;
	size_t low = (size_t)p.row * width + p.col, high = low + half;
	float a[8], b[8], cosine[8], sine[8];
	load8(a, x, low, p.n, kind);
	load8(b, x, high, p.n, kind);
	load8(cosine, angles, p.col, p.n, FLOAT32);
	load8(sine, angles, half + p.col, p.n, FLOAT32);
#pragma unroll
	for (int j = 0; j < 8; j++) {
		float s = sign * sine[j], turned = a[j] * cosine[j] - b[j] * s;
		b[j] = b[j] * cosine[j] + a[j] * s;
		a[j] = turned;
	}
	store8(a, x, low, p.n, kind);
	store8(b, x, high, p.n, kind);
}
