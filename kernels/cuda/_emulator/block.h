// One block of threads while it runs; internal to the emulator.
#pragma once
#include <vector>

#include "machine.h"

namespace emulator {

enum State { READY, AT_BARRIER, AT_COLLECTIVE, DONE };

// A Copy is 16 bytes on their way to shared memory.
struct Copy {
	unsigned char *to;
	const unsigned char *from;
	int bytes, group;
};

struct Fiber {
	Identity self;
	void *stack_pointer;
	unsigned char *stack;
	int index, lane, warp;
	State state;
	std::vector<Copy> copies;
	int groups;  // of copies, committed
};

struct Warp {
	uint32_t arrived, live;
	uint32_t syncs;  // __syncwarp passed
	int operation;
	void *argument[32];
};

// Epochs count barriers over all blocks and launches: what happened in an
// earlier epoch of the same block happened before.
struct Block {
	std::vector<Fiber> fibers;
	std::vector<Warp> warps;
	Fiber *running;
	void *scheduler;
	int live, at_barrier;
	long barrier_line;
	unsigned char *shared;
	size_t shared_size;
	uint32_t epoch, first_epoch, launch_epoch;
	uint64_t random;
	const Kernel *kernel;
	void **arguments;
};

extern thread_local Block *current;

// fault reports something that a kernel did wrong, each kind once a place, and
// makes its launch fail. other is a second thread, or -1.
void fault(const char *what, const void *place, const void *address, int other);

// yield lets other threads run until this one is ready again.
void yield();

// The shadow of memory. Each is a no-op unless built with SHADOW.
void shadow_access(const void *p, int n, bool write, const void *place);
void shadow_copy_issued(const void *p);
void shadow_copy_landed(const void *p);
void shadow_block_begins(Block &b);
uint32_t shadow_next_epoch();

bool in_shared(const void *p);

// Counters of how accesses fit memory; no-ops unless built with SHADOW.
void count_access(const void *p, int n, const void *place);
void count_block_ends();
void count_launch_ends(const Kernel *k);

}  // namespace emulator
