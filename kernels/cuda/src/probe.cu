// What the instructions do that have a layout of their own, told to the host: a
// warp each. A test compares it with the layouts that the kernels, and the
// emulator, are written for.
#include "gpu.h"

// probe_mma gives lane l the registers a[4·l...] and b[2·l...] and writes its d.
KERNEL(probe_mma, 32, 1, float *d, const uint32_t *a, const uint32_t *b) {
	int lane = threadIdx.x;
	float sum[4] = {0.f, 0.f, 0.f, 0.f};
	uint32_t left[4] = {a[4 * lane], a[4 * lane + 1], a[4 * lane + 2], a[4 * lane + 3]};
	mma(sum, left, b[2 * lane], b[2 * lane + 1]);
#pragma unroll
	for (int i = 0; i < 4; i++) d[4 * lane + i] = sum[i];
}

// probe_ldmatrix fills 32 lines of eight with x, lets lane l name line rows[l]
// and writes the four registers that it gets, as they are and transposed.
KERNEL(probe_ldmatrix, 32, 1, uint32_t *plain, uint32_t *across, const uint16_t *x, const int *rows) {
	SHARED(shared);
	uint16_t *lines = (uint16_t *)shared;
	int lane = threadIdx.x;
	for (int i = 0; i < 8; i++) lines[8 * lane + i] = x[8 * lane + i];
	__syncthreads();
	uint32_t r[4], t[4];
	ldmatrix(r, lines + 8 * rows[lane]);
	ldmatrix_across(t, lines + 8 * rows[lane]);
#pragma unroll
	for (int i = 0; i < 4; i++) plain[4 * lane + i] = r[i], across[4 * lane + i] = t[i];
}
