// One block of threads while it runs; internal to the emulator.
#pragma once
#include <array>
#include <deque>
#include <list>
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
	uint16_t fences, fences_at_barrier;  // for products in flight; how many there were at the last barrier
};

// Sums are a warp's registers that products in flight add to, and what is in them
// while they cannot be read.
struct Sums {
	std::array<uint32_t *, 128> registers[32];
	float value[32][128];
	int products;
};

// A Product is one that a warpgroup was asked for, a warp's 16 rows of it.
struct Product {
	uint64_t a, b;
	bool add, across;
	int group;
	Sums *sums;
};

struct Warp {
	uint32_t arrived, live;
	uint32_t syncs;  // __syncwarp passed
	int operation;
	void *argument[32];
	std::deque<Product> products;  // in flight
	std::list<Sums> sums;
	int groups;     // of products, committed
	bool fenced;    // since registers could be accessed
	size_t asked;   // for so many products
};

// Epochs count barriers over all blocks and launches: what happened in an
// earlier epoch of the same block happened before.
struct Block {
	std::vector<Fiber> fibers;
	std::vector<Warp> warps;
	std::vector<std::vector<Product>> asked;  // of each warpgroup
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

// meet waits until every lane of the warp is here; the last one to come does
// the work for all.
enum Operation { SYNC, SHUFFLE_XOR, SHUFFLE, MMA, LDMATRIX, WARPGROUP_FENCE, WARPGROUP_MMA, WARPGROUP_COMMIT, WARPGROUP_WAIT };
void meet(Operation operation, void *argument, void (*work)(Warp &));

// warpgroups_end checks, when a block has ended, that all warps took part.
void warpgroups_end(Block &b);

float bf16_to_float(uint32_t half);

// The shadow of memory. Each is a no-op unless built with SHADOW.
void shadow_access(const void *p, int n, bool write, const void *place);
void shadow_copy_issued(const void *p);
void shadow_copy_landed(const void *p);
void shadow_product_asked(const void *p, const void *place);
void shadow_product_done(const void *p);
void shadow_block_begins(Block &b);
uint32_t shadow_next_epoch();

bool in_shared(const void *p);

// Counters of how accesses fit memory; no-ops unless built with SHADOW.
void count_access(const void *p, int n, const void *place);
void count_block_ends();
void count_launch_ends(const Kernel *k);

}  // namespace emulator
