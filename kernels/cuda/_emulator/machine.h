// The emulated GPU: what kernels, the fake driver and tests see of it.
//
// A CUDA thread is a fiber, and a block of them runs on one thread of the host.
// Collectives of a warp wait for its lanes. Copies that are asynchronous on a
// GPU land at the last moment that is legal, and shared memory starts as NaN,
// so that what is read too early is wrong and not right by luck. Built with
// SHADOW defined, every access of a kernel is checked (shadow.cpp).
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace emulator {

struct Dim3 {
	unsigned x, y, z;
};

// Identity is what a thread knows of itself.
struct Identity {
	Dim3 thread, block, block_size, grid_size;
};

// An Entry runs one thread of a kernel. It takes arguments as the driver does: a
// pointer to each.
typedef void (*Entry)(void **arguments);

// A Kernel is made known by being constructed.
struct Kernel {
	const char *name;
	Entry entry;
	const Kernel *next;
	Kernel(const char *name, Entry entry);
};
const Kernel *find(const char *name);

// Options are read from the environment: GRAFT_EMULATOR_SEED chooses the order
// in which threads and blocks run (0: one after the other),
// GRAFT_EMULATOR_WORKERS on how many threads of the host.
struct Options {
	uint64_t seed;
	int workers;
};
const Options &options();

// launch runs a kernel and returns whether it ran without fault.
bool launch(const Kernel *kernel, Dim3 grid, Dim3 block, size_t shared, void **arguments);

// Memory of the device. owns tells whether n bytes from p lie in one piece of it.
void *allocate(size_t bytes);
bool release(void *p);
bool owns(const void *p, size_t n);

}  // namespace emulator

// SHARED_BASE is the address of shared memory; not 0, so that what is taken for an
// offset and is none is seen.
#define SHARED_BASE 0x400u

// What kernels are compiled against.
extern "C" {
extern __thread emulator::Identity *emulator_self;
unsigned char *emulator_shared();
void emulator_barrier(long line);
void emulator_syncwarp();
float emulator_shuffle_xor(float v, int mask);
float emulator_shuffle(float v, int lane);
void emulator_mma(float *d, const uint32_t *a, const uint32_t *b);
void emulator_ldmatrix(uint32_t *r, const void *row, int transposed);
void emulator_copy_async(void *shared, const void *global, int bytes);
void emulator_copy_commit();
void emulator_copy_wait(int pending);
void emulator_fence_async();
void emulator_warpgroup_fence();
void emulator_warpgroup_mma(void *const *d, uint64_t a, uint64_t b, int add, int across);
void emulator_warpgroup_commit();
void emulator_warpgroup_wait(int pending);
void emulator_check(const void *p, int n, int write);
void emulator_load8(void *to, const void *p);
void emulator_load16(void *to, const void *p);
void emulator_store16(void *p, const void *from);
uint32_t emulator_pack(float low, float high);
}
