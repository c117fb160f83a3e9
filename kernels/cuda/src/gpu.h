// The device runtime of our kernels: what a kernel may use beside C++. It has two
// implementations: instructions of the GPU, for clang and nvcc, and the emulator
// (EMULATED). No other header is included by a kernel.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef EMULATED
#include "emulated.h"
#else

#ifdef __NVCC__
#define INLINE __device__ __forceinline__
#define MEMBER INLINE
#define SHARED_ADDRESS(p) ((uint32_t)__cvta_generic_to_shared(p))
#else
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#include <__clang_cuda_builtin_vars.h>
#define INLINE __device__ inline __attribute__((always_inline))
#define MEMBER INLINE
#define SHARED_ADDRESS(p) ((uint32_t)(uintptr_t)(__attribute__((address_space(3))) const void *)(p))
struct alignas(16) uint4 {
	uint32_t x, y, z, w;
};
struct alignas(8) uint2 {
	uint32_t x, y;
};
INLINE void __syncwarp() { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }
INLINE int min(int a, int b) { return a < b ? a : b; }
INLINE int max(int a, int b) { return a > b ? a : b; }
#endif

// KERNEL(name, threads, blocks, parameters...) begins a kernel that is launched
// with so many threads a block, of which so many should fit a multiprocessor.
#define KERNEL(name, threads, blocks, ...) extern "C" __global__ __launch_bounds__(threads, blocks) void name(__VA_ARGS__)

// SHARED(p) is the block's shared memory; its size is chosen at launch.
#define SHARED(p) SHARED_AT(p, 128)
#define SHARED_AT(p, alignment) extern __shared__ __attribute__((aligned(alignment))) unsigned char p[]

INLINE uint32_t shared_address(const void *p) { return SHARED_ADDRESS(p); }

// 16 bytes, or 8, at once: compilers split plain assignments.
INLINE void store_shared16(void *p, uint4 v) {
	asm volatile("st.shared.v4.b32 [%0], {%1,%2,%3,%4};" ::"r"(shared_address(p)), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}
INLINE uint4 load_shared16(const void *p) {
	uint4 v;
	asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "r"(shared_address(p)) : "memory");
	return v;
}
INLINE uint2 load_shared8(const void *p) {
	uint2 v;
	asm volatile("ld.shared.v2.u32 {%0,%1}, [%2];" : "=r"(v.x), "=r"(v.y) : "r"(shared_address(p)) : "memory");
	return v;
}
INLINE uint4 load_global16(const void *p) {
	uint4 v;
	asm volatile("ld.global.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p) : "memory");
	return v;
}
INLINE void store_global16(void *p, uint4 v) {
	asm volatile("st.global.v4.b32 [%0], {%1,%2,%3,%4};" ::"l"(p), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}

// copy_async16 copies 16 bytes to shared memory, or fills them with 0 without
// reading; what was committed has landed, for this thread, after copy_wait with
// at most so many groups pending.
INLINE void copy_async16(void *shared, const void *global, bool read) {
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(read ? 16 : 0) : "memory");
}
INLINE void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int pending>
INLINE void copy_wait() {
	asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

INLINE float shuffle_xor(float v, int mask) {
	float r;
	asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 31, 0xffffffff;" : "=f"(r) : "f"(v), "r"(mask));
	return r;
}
INLINE float shuffle(float v, int lane) {
	float r;
	asm volatile("shfl.sync.idx.b32 %0, %1, %2, 31, 0xffffffff;" : "=f"(r) : "f"(v), "r"(lane));
	return r;
}
// shuffle_in_four takes the value of lane i of the four that a lane is among.
INLINE float shuffle_in_four(float v, int i) {
	float r;
	asm volatile("shfl.sync.idx.b32 %0, %1, %2, 0x1c1f, 0xffffffff;" : "=f"(r) : "f"(v), "r"(i));
	return r;
}

// mma: d += a·b, a 16×16, b 16×8, bfloat16 with float32 sums.
INLINE void mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
	asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
	             : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
	             : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// mma_first: d = a·b.
INLINE void mma_first(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
	asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%10,%10,%10};"
	             : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
	             : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "f"(0.f));
}

// ldmatrix loads four 8×8 matrices of 16 bits, lane l naming row l%8 of matrix
// l/8; ldmatrix_across loads their transposes.
INLINE void ldmatrix(uint32_t (&r)[4], const void *row) {
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
	             : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
	             : "r"(shared_address(row))
	             : "memory");
}
INLINE void ldmatrix_across(uint32_t (&r)[4], const void *row) {
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
	             : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
	             : "r"(shared_address(row))
	             : "memory");
}

// pack_bf16 rounds two floats to bfloat16, to nearest even.
INLINE uint32_t pack_bf16(float low, float high) {
	uint32_t r;
	asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
	return r;
}
INLINE uint32_t permute_bytes(uint32_t a, uint32_t b, uint32_t selector) {
	uint32_t r;
	asm("prmt.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(selector));
	return r;
}
INLINE float half_to_float(uint16_t h) {
	float r;
	asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(h));
	return r;
}

// A product and a sum that no compiler may fuse.
INLINE float multiply(float a, float b) {
	float r;
	asm("mul.rn.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
	return r;
}
INLINE float add(float a, float b) {
	float r;
	asm("add.rn.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
	return r;
}

// Within about 2 units in the last place.
INLINE float exp2_near(float x) {
	float r;
	asm("ex2.approx.f32 %0, %1;" : "=f"(r) : "f"(x));
	return r;
}
INLINE float log2_near(float x) {
	float r;
	asm("lg2.approx.f32 %0, %1;" : "=f"(r) : "f"(x));
	return r;
}
INLINE float square_root(float x) {
	float r;
	asm("sqrt.rn.f32 %0, %1;" : "=f"(r) : "f"(x));
	return r;
}
#endif

// exp_near: x is split so that its product with log2 e loses nothing.
INLINE float exp_near(float x) {
	float high = multiply(x, 1.44269504f);
	float low = __builtin_fmaf(x, 1.44269504f, -high) + x * 1.92596299e-8f;
	float e = exp2_near(high);
	return high > -126.f && high < 128.f ? __builtin_fmaf(e, low * 0.69314718f, e) : e;
}

INLINE float bits_float(uint32_t u) { return __builtin_bit_cast(float, u); }
INLINE float bf16_to_float(uint32_t low16) { return bits_float(low16 << 16); }
INLINE uint16_t float_to_bf16(float v) { return (uint16_t)pack_bf16(v, 0.f); }

// How a tensor's elements are kept: package cuda's kinds.
enum Kind { BFLOAT16, FLOAT32 };

INLINE float load(const void *p, size_t i, int kind) {
	return kind == FLOAT32 ? ((const float *)p)[i] : bf16_to_float(((const uint16_t *)p)[i]);
}
INLINE void store(void *p, size_t i, int kind, float v) {
	if (kind == FLOAT32)
		((float *)p)[i] = v;
	else
		((uint16_t *)p)[i] = float_to_bf16(v);
}

INLINE bool aligned16(const void *p) { return ((uintptr_t)p & 15) == 0; }

INLINE void unpack8(float (&v)[8], uint4 u) {
	uint32_t w[4] = {u.x, u.y, u.z, u.w};
#pragma unroll
	for (int i = 0; i < 4; i++) v[2 * i] = bf16_to_float(w[i] & 0xffff), v[2 * i + 1] = bits_float(w[i] & 0xffff0000u);
}
INLINE uint4 pack8(const float (&v)[8]) {
	return uint4{pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7])};
}

// load8 loads n ≤ 8 elements from i on, 0 for the others; in pieces of 16 bytes
// where they lie so.
INLINE void load8(float (&v)[8], const void *p, size_t i, int n, int kind) {
	const void *at = kind == FLOAT32 ? (const void *)((const float *)p + i) : (const void *)((const uint16_t *)p + i);
	if (n == 8 && aligned16(at)) {
		uint4 a = load_global16(at);
		if (kind == FLOAT32) {
			uint4 b = load_global16((const float *)at + 4);
			v[0] = bits_float(a.x), v[1] = bits_float(a.y), v[2] = bits_float(a.z), v[3] = bits_float(a.w);
			v[4] = bits_float(b.x), v[5] = bits_float(b.y), v[6] = bits_float(b.z), v[7] = bits_float(b.w);
		} else {
			unpack8(v, a);
		}
		return;
	}
#pragma unroll
	for (int j = 0; j < 8; j++) v[j] = j < n ? load(p, i + j, kind) : 0.f;
}

// store8 stores the first n ≤ 8 of v from i on.
INLINE void store8(const float (&v)[8], void *p, size_t i, int n, int kind) {
	void *at = kind == FLOAT32 ? (void *)((float *)p + i) : (void *)((uint16_t *)p + i);
	if (n == 8 && aligned16(at)) {
		if (kind == FLOAT32) {
			uint32_t u[8];
#pragma unroll
			for (int j = 0; j < 8; j++) u[j] = __builtin_bit_cast(uint32_t, v[j]);
			store_global16(at, uint4{u[0], u[1], u[2], u[3]});
			store_global16((float *)at + 4, uint4{u[4], u[5], u[6], u[7]});
		} else {
			store_global16(at, pack8(v));
		}
		return;
	}
#pragma unroll
	for (int j = 0; j < 8; j++)
		if (j < n) store(p, i + j, kind, v[j]);
}

// Sums and the like over a warp or a block, in an order that depends on nothing
// but the number of threads. Every thread gets the result.
template <class Combine>
INLINE float over_warp(float v, Combine combine) {
#pragma unroll
	for (int mask = 16; mask > 0; mask /= 2) v = combine(v, shuffle_xor(v, mask));
	return v;
}
INLINE float warp_sum(float v) {
	return over_warp(v, [](float a, float b) { return a + b; });
}
INLINE float warp_max(float v) {
	return over_warp(v, [](float a, float b) { return __builtin_fmaxf(a, b); });
}

// over_block needs shared memory of one float a warp.
template <class Combine>
INLINE float over_block(float v, float *scratch, Combine combine) {
	v = over_warp(v, combine);
	int warp = threadIdx.x / 32, warps = blockDim.x / 32;
	if (threadIdx.x % 32 == 0) scratch[warp] = v;
	__syncthreads();
	v = scratch[0];
	for (int i = 1; i < warps; i++) v = combine(v, scratch[i]);
	__syncthreads();
	return v;
}
INLINE float block_sum(float v, float *scratch) {
	return over_block(v, scratch, [](float a, float b) { return a + b; });
}
INLINE float block_max(float v, float *scratch) {
	return over_block(v, scratch, [](float a, float b) { return __builtin_fmaxf(a, b); });
}
