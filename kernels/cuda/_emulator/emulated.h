// gpu.h's instructions on the emulator: kernels become plain C++.
#pragma once
#include <math.h>
#include <string.h>

#include <algorithm>
#include <utility>

#include "machine.h"

using std::max;
using std::min;

#define __device__
#define INLINE static inline
#define MEMBER inline

namespace emulator {

template <class... A, size_t... I>
void call(void (*kernel)(A...), void **arguments, std::index_sequence<I...>) {
	kernel(*(A *)arguments[I]...);
}
template <class... A>
void call(void (*kernel)(A...), void **arguments) {
	call(kernel, arguments, std::make_index_sequence<sizeof...(A)>());
}

}  // namespace emulator

// A kernel is known to the emulator by its name.
#define KERNEL(name, threads, blocks, ...) \
	static void name(__VA_ARGS__); \
	static emulator::Kernel name##_kernel(#name, [](void **arguments) { emulator::call(name, arguments); }); \
	static void name(__VA_ARGS__)
#define SHARED(p) unsigned char *p = emulator_shared()
#define SHARED_AT(p, alignment) SHARED(p)

#define threadIdx (emulator_self->thread)
#define blockIdx (emulator_self->block)
#define blockDim (emulator_self->block_size)
#define gridDim (emulator_self->grid_size)
#define __syncthreads() emulator_barrier(__LINE__)
#define __syncwarp() emulator_syncwarp()

struct alignas(16) uint4 {
	uint32_t x, y, z, w;
};

struct alignas(8) uint2 {
	uint32_t x, y;
};

// 16 bytes are one access, which the host's compiler would take apart.
INLINE uint4 load_shared16(const void *p) {
	uint4 v;
	emulator_load16(&v, p);
	return v;
}
INLINE uint2 load_shared8(const void *p) {
	uint2 v;
	emulator_load8(&v, p);
	return v;
}
INLINE void store_shared16(void *p, uint4 v) { emulator_store16(p, &v); }
INLINE uint4 load_global16(const void *p) {
	uint4 v;
	emulator_load16(&v, p);
	return v;
}
INLINE void store_global16(void *p, uint4 v) { emulator_store16(p, &v); }
INLINE void copy_async16(void *shared, const void *global, bool read) { emulator_copy_async(shared, global, read ? 16 : 0); }
INLINE void copy_commit() { emulator_copy_commit(); }
template <int pending>
INLINE void copy_wait() {
	emulator_copy_wait(pending);
}
INLINE uint32_t shared_address(const void *p) { return SHARED_BASE + ((const unsigned char *)p - emulator_shared()); }
INLINE void fence_async() { emulator_fence_async(); }
INLINE void warpgroup_fence() { emulator_warpgroup_fence(); }
INLINE void warpgroup_commit() { emulator_warpgroup_commit(); }
template <int pending>
INLINE void warpgroup_wait() {
	emulator_warpgroup_wait(pending);
}
template <bool across>
INLINE void warpgroup_mma(float (&d)[128], uint64_t a, uint64_t b) {
	void *sums[128];
	for (int i = 0; i < 128; i++) sums[i] = &d[i];
	emulator_warpgroup_mma(sums, a, b, true, across);
}
INLINE float shuffle_xor(float v, int mask) { return emulator_shuffle_xor(v, mask); }
INLINE float shuffle(float v, int lane) { return emulator_shuffle(v, lane); }
INLINE float shuffle_in_four(float v, int i) { return emulator_shuffle(v, (threadIdx.x & 28) | (i & 3)); }
INLINE void mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
	uint32_t b[2] = {b0, b1};
	emulator_mma(d, a, b);
}
INLINE void mma_first(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
	for (float &v : d) v = 0.f;
	mma(d, a, b0, b1);
}
INLINE void ldmatrix(uint32_t (&r)[4], const void *row) { emulator_ldmatrix(r, row, 0); }
INLINE void ldmatrix_across(uint32_t (&r)[4], const void *row) { emulator_ldmatrix(r, row, 1); }
INLINE uint32_t pack_bf16(float low, float high) { return emulator_pack(low, high); }
INLINE uint32_t permute_bytes(uint32_t a, uint32_t b, uint32_t selector) {
	uint64_t bytes = a | (uint64_t)b << 32;
	uint32_t r = 0;
	for (int i = 0; i < 4; i++) {
		uint32_t n = selector >> 4 * i & 15, v = (uint32_t)(bytes >> 8 * (n & 7)) & 255;
		r |= (n & 8 ? (v & 128 ? 255u : 0u) : v) << 8 * i;
	}
	return r;
}
INLINE float half_to_float(uint16_t h) {
	uint32_t sign = (h & 0x8000u) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
	if (exponent == 0) return copysignf(ldexpf((float)fraction, -24), sign ? -1.f : 1.f);
	uint32_t bits = exponent == 31 ? 0x7f800000u : (exponent + 112) << 23;
	return __builtin_bit_cast(float, sign | bits | fraction << 13);
}
INLINE float multiply(float a, float b) {
	volatile float r = a * b;
	return r;
}
INLINE float add(float a, float b) {
	volatile float r = a + b;
	return r;
}
INLINE float exp2_near(float x) { return exp2f(x); }
INLINE float log2_near(float x) { return log2f(x); }
INLINE float square_root(float x) { return sqrtf(x); }
