// What GPUs of compute capability 9.0 add to gpu.h: products by the four warps of
// a warpgroup, of operands in shared memory, that run beside what else they do.
#pragma once
#include "gpu.h"

#ifndef EMULATED
// fence_async makes what this thread wrote to shared memory, copies that have
// landed too, visible to products that come after a barrier.
INLINE void fence_async() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// warpgroup_fence comes between the last access to sums and the first product.
INLINE void warpgroup_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

// What was committed is done after warpgroup_wait with at most so many groups
// pending. Until then sums are undefined, and the operands may be read.
INLINE void warpgroup_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int pending>
INLINE void warpgroup_wait() {
	asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}

#define EIGHT(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])

// warpgroup_mma: d += a·b, a 64×16 with lines along k, b 16×256 with lines along k
// too or, across it, along the columns. Lane l of warp w has, with g = l/4 and t =
// 2·(l%4), of the sums at 4·j those at (16·w+g, 8·j+t), its neighbour, and both
// eight rows on.
template <bool across>
INLINE void warpgroup_mma(float (&d)[128], uint64_t a, uint64_t b) {
	asm volatile(
	    "{.reg .pred %%add;\n\tsetp.eq.u32 %%add, 0, 0;\n\t"
	    "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {"
	    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15,"
	    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31,"
	    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47,"
	    "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63,"
	    "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79,"
	    "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95,"
	    "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111,"
	    "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
	    "}, %128, %129, %%add, 1, 1, 0, %130;}"
	    : EIGHT(0), EIGHT(8), EIGHT(16), EIGHT(24), EIGHT(32), EIGHT(40), EIGHT(48), EIGHT(56), EIGHT(64), EIGHT(72), EIGHT(80), EIGHT(88), EIGHT(96), EIGHT(104), EIGHT(112), EIGHT(120)
	    : "l"(a), "l"(b), "n"((int)across));
}
#undef EIGHT
#endif

// A descriptor says where an operand lies in shared memory, in pieces of 16 bytes:
// 8 lines of 128 bytes, swizzled, at a multiple of 1024, then the next 8 lines so
// many bytes on, and lines' next 128 bytes. Adding to it moves the beginning.
INLINE uint64_t descriptor(const void *tile, int next_lines, int next_columns) {
	const uint64_t swizzle128 = 1;
	return (shared_address(tile) & 0x3ffff) >> 4 | (uint64_t)(next_columns >> 4) << 16 | (uint64_t)(next_lines >> 4) << 32 | swizzle128 << 62;
}
