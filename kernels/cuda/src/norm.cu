// RMSNorm, and sums over the rows of a matrix.
#include "gpu.h"

// rms_norm: rstd = 1/√(mean(x²)+eps), y = x·rstd·gain; a block a row.
KERNEL(rms_norm, 256, 1, void *y, int y_kind, float *rstd, const void *x, int x_kind, const float *gain, int cols, float eps) {
	SHARED(shared);
	size_t row = (size_t)blockIdx.x * cols;
	float v[8], g[8], sum = 0.f;
	for (int c = threadIdx.x * 8; c < cols; c += blockDim.x * 8) {
		load8(v, x, row + c, min(8, cols - c), x_kind);
#pragma unroll
		for (int j = 0; j < 8; j++) sum += v[j] * v[j];
	}
	sum = block_sum(sum, (float *)shared);
	float r = 1.f / square_root(sum / cols + eps);
	if (threadIdx.x == 0) rstd[blockIdx.x] = r;
	for (int c = threadIdx.x * 8; c < cols; c += blockDim.x * 8) {
		int n = min(8, cols - c);
		load8(v, x, row + c, n, x_kind);
		load8(g, gain, c, n, FLOAT32);
#pragma unroll
		for (int j = 0; j < 8; j++) v[j] = v[j] * r * g[j];
		store8(v, y, row + c, n, y_kind);
	}
}

// rms_norm_grad: dx (+)= rstd·(dy·gain - x·rstd²·mean(dy·gain·x)); a block a row.
KERNEL(rms_norm_grad, 256, 1, void *dx, int dx_kind, const void *dy, int dy_kind, const void *x, int x_kind, const float *rstd,
       const float *gain, int cols, int accumulate) {
	SHARED(shared);
	size_t row = (size_t)blockIdx.x * cols;
	float v[8], d[8], g[8], sum = 0.f;
	for (int c = threadIdx.x * 8; c < cols; c += blockDim.x * 8) {
		int n = min(8, cols - c);
		load8(v, x, row + c, n, x_kind);
		load8(d, dy, row + c, n, dy_kind);
		load8(g, gain, c, n, FLOAT32);
#pragma unroll
		for (int j = 0; j < 8; j++) sum += d[j] * g[j] * v[j];
	}
	sum = block_sum(sum, (float *)shared);
	float r = rstd[blockIdx.x], k = sum / cols * r * r;
	for (int c = threadIdx.x * 8; c < cols; c += blockDim.x * 8) {
		int n = min(8, cols - c);
		load8(v, x, row + c, n, x_kind);
		load8(d, dy, row + c, n, dy_kind);
		load8(g, gain, c, n, FLOAT32);
#pragma unroll
		for (int j = 0; j < 8; j++) d[j] = r * (d[j] * g[j] - v[j] * k);
		if (accumulate) {
			load8(g, dx, row + c, n, dx_kind);
#pragma unroll
			for (int j = 0; j < 8; j++) d[j] += g[j];
		}
		store8(d, dx, row + c, n, dx_kind);
	}
}

// column_sums: sums[c] += Σ dy[t,c]·x[t,c]·rstd[t] over each run of rows, run by
// run; without x, Σ dy[t,c]. A thread owns a column.
KERNEL(column_sums, 64, 1, float *sums, const void *dy, int dy_kind, const void *x, int x_kind, const float *rstd, const int *folds, int runs,
       long rows, int cols) {
	int col = blockIdx.x * blockDim.x + threadIdx.x;
	if (col >= cols) return;
	float total = sums[col];
	for (int r = 0; r < runs; r++) {
		long end = r + 1 < runs ? folds[r + 1] : rows;
		float sum = 0.f;
		for (long t = folds[r]; t < end; t++) {
			size_t i = (size_t)t * cols + col;
			float v = load(dy, i, dy_kind);
			sum += x ? v * load(x, i, x_kind) * rstd[t] : v;
		}
		total += sum;
	}
	sums[col] = total;
}

// square_sums writes Σ x² of each 4096 elements, in float64: a block each.
KERNEL(square_sums, 256, 1, double *sums, const float *x, long n) {
	SHARED(shared);
	double *scratch = (double *)shared;
	double sum = 0;
	for (int i = 0; i < 2; i++) {
		long at = (long)blockIdx.x * 4096 + i * 2048 + threadIdx.x * 8;
		float v[8];
		load8(v, x, at, at < n ? (int)(n - at < 8 ? n - at : 8) : 0, FLOAT32);
#pragma unroll
		for (int j = 0; j < 8; j++) sum += (double)v[j] * v[j];
	}
	scratch[threadIdx.x] = sum;
	__syncthreads();
	for (int half = blockDim.x / 2; half > 0; half /= 2) {
		if (threadIdx.x < half) scratch[threadIdx.x] += scratch[threadIdx.x + half];
		__syncthreads();
	}
	if (threadIdx.x == 0) sums[blockIdx.x] = scratch[0];
}

// total writes the sum of n float64 to dst; one block.
KERNEL(total, 256, 1, float *dst, const double *sums, long n) {
	SHARED(shared);
	double *scratch = (double *)shared;
	double sum = 0;
	for (long i = threadIdx.x; i < n; i += blockDim.x) sum += sums[i];
	scratch[threadIdx.x] = sum;
	__syncthreads();
	for (int half = blockDim.x / 2; half > 0; half /= 2) {
		if (threadIdx.x < half) scratch[threadIdx.x] += scratch[threadIdx.x + half];
		__syncthreads();
	}
	if (threadIdx.x == 0) *dst = (float)scratch[0];
}
