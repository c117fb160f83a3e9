// Cross-entropy with its gradient in place, a block a row.
#include "gpu.h"

// log1p_exact is log(1+x) for x ≥ 0 in float64, with all of its relative
// precision: x/(2+x) is the argument of a series for atanh, once 1+x has been
// halved to below √2.
INLINE double log1p_exact(double x) {
	double doublings = 0, y = x;  // 1+x = (1+y)·2^doublings
	while (y > 0.41421356) y = (y - 1) * 0.5, doublings += 1;
	double s = y / (2 + y), square = s * s, series = 0;
	for (int k = 21; k >= 1; k -= 2) series = series * square + 1.0 / k;
	return 2 * s * series + doublings * 0.69314718055994530942;
}

// first_largest returns the index of the first of the largest elements of row,
// or 0 where there is none.
INLINE int first_largest(const float *row, int cols, float top, float *scratch) {
	float index = (float)cols;
	for (int c = threadIdx.x; c < cols; c += blockDim.x)
		if (row[c] == top) index = __builtin_fminf(index, (float)c);
	index = over_block(index, scratch, [](float a, float b) { return __builtin_fminf(a, b); });
	return index < cols ? (int)index : 0;
}

// cross_entropy replaces logits by weight times the gradient of the objective,
// p·share - even and at the target p·share - (1-smoothing) - even, and writes
// loss, entropy and hit. The denominator is kept as 1 + rest, rest the sum over all but
// the largest logit, so that neither log1p(rest) nor -rest/(1+rest), the gradient
// at a sure target, rounds to 0. Indices are exact as floats below 2^24.
KERNEL(cross_entropy, 256, 1, float *stats, float *logits, const float *weights, const int *targets, int cols, float smoothing,
       float penalty) {
	SHARED(shared);
	float *scratch = (float *)shared;
	size_t i = blockIdx.x;
	float *row = logits + i * cols;
	float top = -__builtin_inff();
	for (int c = threadIdx.x; c < cols; c += blockDim.x) top = __builtin_fmaxf(top, row[c]);
	top = block_max(top, scratch);
	int best = first_largest(row, cols, top, scratch);
	float rest = 0.f, weighted = 0.f;
	for (int c = threadIdx.x; c < cols; c += blockDim.x) {
		float below = row[c] - top, e = exp_near(below);
		if (c == best || e == 0.f) continue;
		rest += e, weighted += e * below;
	}
	rest = block_sum(rest, scratch), weighted = block_sum(weighted, scratch);
	float z = 1.f + rest, weight = weights[i];
	int target = targets[i];
	float at_target = row[target];
	double log_z = log1p_exact(rest);
	if (threadIdx.x == 0) {
		stats[3 * i] = (float)(log_z + (top - at_target));
		stats[3 * i + 1] = (float)(log_z - weighted / z);
		stats[3 * i + 2] = at_target == top ? 1.f : 0.f;
	}
	float grown = 2.f * penalty * (float)(top + log_z), even = smoothing / cols;  // share - 1
	__syncthreads();  // at_target has been read
	for (int c = threadIdx.x; c < cols; c += blockDim.x) {
		float p = exp_near(row[c] - top) / z, gradient = p + grown * p - even;
		if (c == target) {
			float miss = c == best ? -rest / z : p - 1.f;
			gradient = miss + (grown * (1.f + miss) + smoothing - even);
		}
		row[c] = weight * gradient;
	}
}
