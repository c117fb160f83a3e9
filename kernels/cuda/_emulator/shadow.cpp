// The shadow of memory: for each byte who wrote and read it last, and when.
//
// Kernels are compiled with -fsanitize=thread but linked with the functions below
// in place of the sanitizer's: so each access is seen, whatever order threads
// happen to run in. Reported are accesses outside memory, misaligned ones,
// reads of shared memory never written or still being copied to, products of what
// is not fenced for them, writes of what they may still read, and two accesses, one of them a write, that no barrier and no end of a launch separates.
#include <string.h>
#include <sys/mman.h>

#include <atomic>

#include "block.h"

namespace emulator {

static std::atomic<uint32_t> epochs{0};
uint32_t shadow_next_epoch() { return ++epochs; }

#ifndef SHADOW
void shadow_access(const void *, int, bool, const void *) {}
void shadow_copy_issued(const void *) {}
void shadow_copy_landed(const void *) {}
void shadow_product_asked(const void *, const void *) {}
void shadow_product_done(const void *) {}
void shadow_block_begins(Block &b) { b.first_epoch = b.epoch = shadow_next_epoch(); }
#else

enum Content : uint8_t { NOTHING, WRITTEN, COPYING };

// A Cell is the shadow of one byte. An epoch of 0 is never; syncs count a warp's.
struct Cell {
	uint32_t write_epoch, read_epoch;
	uint16_t writer, writer_syncs, reader, reader_syncs;  // the last reader
	bool several_lanes, several_warps;                    // read since that warp's last sync; in the epoch
	Content content;
	uint8_t products;        // in flight that read it
	uint16_t writer_fences;  // of the writer before
};

unsigned char *heap();

static Cell *reserve(size_t bytes) {
	return (Cell *)mmap(nullptr, bytes * sizeof(Cell), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static const size_t SHARED = 1 << 18, GLOBAL = 1ull << 38;
static Cell *shared_cells() {
	static Cell *cells = reserve(SHARED);
	return cells;
}
static Cell *global_cells() {
	static Cell *cells = reserve(GLOBAL);
	return cells;
}

void shadow_block_begins(Block &b) {
	b.first_epoch = b.epoch = shadow_next_epoch();
	memset(shared_cells(), 0, b.shared_size * sizeof(Cell));
}

// ordered tells whether an access of another time and thread happened before
// what the running thread does now.
static bool ordered(bool shared, uint32_t epoch, uint16_t thread, uint16_t syncs) {
	Fiber *me = current->running;
	if (epoch < current->launch_epoch) return true;       // an earlier launch, or never
	if (epoch < current->first_epoch) return shared;      // another block of this launch
	if (epoch != current->epoch || thread == me->index) return true;  // a barrier lies between
	return thread / 32 == me->warp && syncs != (uint16_t)current->warps[me->warp].syncs;
}

// cells_of returns the shadow of n bytes at p, or null after reporting that
// the kernel may not touch them. What is not the device's, as a thread's
// stack, has no shadow.
static Cell *cells_of(const void *p, int n, bool write, const void *place, bool &shared) {
	shared = in_shared(p);
	if (shared) {
		size_t offset = (const unsigned char *)p - current->shared;
		if (offset + n <= current->shared_size) return shared_cells() + offset;
		fault(write ? "write outside shared memory" : "read outside shared memory", place, p, -1);
		return nullptr;
	}
	size_t offset = (const unsigned char *)p - heap();
	if (offset >= GLOBAL) return nullptr;
	if (owns(p, n)) return global_cells() + offset;
	fault(write ? "write outside memory" : "read outside memory", place, p, -1);
	return nullptr;
}

static const char *wrong_write(Cell &c, bool shared, int &other) {
	Fiber *me = current->running;
	if (c.products) return "write of what a product may still read";
	if (c.read_epoch && c.read_epoch >= current->launch_epoch) {
		bool earlier_block = c.read_epoch < current->first_epoch && !shared;
		bool at_once = c.reader_syncs == (uint16_t)current->warps[me->warp].syncs && (c.several_lanes || c.reader != me->index);
		bool same_epoch = c.read_epoch == current->epoch;
		if (earlier_block || (same_epoch && (c.several_warps || c.reader / 32 != me->warp || at_once))) {
			other = c.reader;
			return "write after a read without a barrier between";
		}
	}
	return nullptr;
}

static const char *wrong_read(const Cell &c, bool shared) {
	if (c.content == COPYING) return "read of what is still being copied";
	return shared && c.content == NOTHING ? "read of shared memory never written" : nullptr;
}

static void note(Cell &c, bool write) {
	Fiber *me = current->running;
	uint16_t syncs = current->warps[me->warp].syncs;
	if (write) {
		c.write_epoch = current->epoch, c.writer = me->index, c.writer_syncs = syncs, c.content = WRITTEN, c.writer_fences = me->fences;
		return;
	}
	bool before = c.read_epoch == current->epoch, others = before && c.reader != me->index;
	c.several_warps = before && (c.several_warps || c.reader / 32 != me->warp);
	c.several_lanes = before && c.reader_syncs == syncs && (c.several_lanes || others);
	c.read_epoch = current->epoch, c.reader = me->index, c.reader_syncs = syncs;
}

void shadow_access(const void *p, int n, bool write, const void *place) {
	if (!current || !current->running) return;
	bool shared;
	Cell *c = cells_of(p, n, write, place, shared);
	if (!c) return;
	if ((uintptr_t)p & (n - 1)) fault("misaligned access", place, p, -1);
	count_access(p, n, place);
	for (int i = 0; i < n; i++, c++) {
		int other = -1;
		const char *wrong = nullptr;
		if (!ordered(shared, c->write_epoch, c->writer, c->writer_syncs)) {
			wrong = write ? "two writes without a barrier between" : "read after a write without a barrier between";
			other = c->writer;
		} else {
			wrong = write ? wrong_write(*c, shared, other) : wrong_read(*c, shared);
		}
		if (wrong) {
			fault(wrong, place, p, other);
			*c = Cell{0, 0, 0, 0, 0, 0, false, false, WRITTEN, c->products, 0};
			return;
		}
		note(*c, write);
	}
}

void shadow_copy_issued(const void *p) {
	Cell *c = shared_cells() + ((const unsigned char *)p - current->shared);
	for (int i = 0; i < 16; i++) c[i].content = COPYING;
}

void shadow_copy_landed(const void *p) {
	Cell *c = shared_cells() + ((const unsigned char *)p - current->shared);
	for (int i = 0; i < 16; i++) note(c[i], true);
}

// fenced tells whether the writer of a byte has fenced it for products: before the
// last barrier, where one lies between.
static bool fenced(const Cell &c) {
	const Fiber &writer = current->fibers[c.writer];
	return (c.write_epoch == current->epoch ? writer.fences : writer.fences_at_barrier) != c.writer_fences;
}

// A product reads pieces of 16 bytes from when it is asked for until it is waited for.
void shadow_product_asked(const void *p, const void *place) {
	Cell *c = shared_cells() + ((const unsigned char *)p - current->shared);
	for (int i = 0; i < 16; i++, c++) {
		const char *wrong = wrong_read(*c, true);
		if (!ordered(true, c->write_epoch, c->writer, c->writer_syncs)) wrong = "read after a write without a barrier between";
		if (!wrong && !fenced(*c)) wrong = "product of what is not fenced for it";
		if (wrong) fault(wrong, place, p, c->writer);
		c->products++;
	}
}

void shadow_product_done(const void *p) {
	Cell *c = shared_cells() + ((const unsigned char *)p - current->shared);
	for (int i = 0; i < 16; i++, c++) note(*c, false), c->products--;
}

#endif

}  // namespace emulator

using namespace emulator;

void emulator_check(const void *p, int n, int write) { shadow_access(p, n, write, __builtin_return_address(0)); }

void emulator_load8(void *to, const void *p) {
	shadow_access(p, 8, false, __builtin_return_address(0));
	memcpy(to, p, 8);
}

void emulator_load16(void *to, const void *p) {
	shadow_access(p, 16, false, __builtin_return_address(0));
	memcpy(to, p, 16);
}

void emulator_store16(void *p, const void *from) {
	shadow_access(p, 16, true, __builtin_return_address(0));
	memcpy(p, from, 16);
}

#ifdef SHADOW
#define HOOKS(n) \
	extern "C" void __tsan_read##n(void *p) { shadow_access(p, n, false, __builtin_return_address(0)); } \
	extern "C" void __tsan_write##n(void *p) { shadow_access(p, n, true, __builtin_return_address(0)); } \
	extern "C" void __tsan_unaligned_read##n(void *p) { shadow_access(p, n, false, __builtin_return_address(0)); } \
	extern "C" void __tsan_unaligned_write##n(void *p) { shadow_access(p, n, true, __builtin_return_address(0)); }
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
extern "C" void __tsan_init() {}
extern "C" void __tsan_func_entry(void *) {}
extern "C" void __tsan_func_exit() {}
extern "C" void *__tsan_memcpy(void *d, const void *s, size_t n) { return memcpy(d, s, n); }
extern "C" void *__tsan_memset(void *d, int c, size_t n) { return memset(d, c, n); }
#endif
