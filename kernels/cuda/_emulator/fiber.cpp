// Fibers: blocks and their threads, barriers and launches.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "block.h"

extern "C" {
__thread emulator::Identity *emulator_self;

// emulator_switch saves the registers that a call must keep, stores the stack
// pointer in *save and goes on where another fiber did so.
void emulator_switch(void **save, void *to);
}
asm(".text\n.globl emulator_switch\nemulator_switch:\n"
    "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n");

namespace emulator {

thread_local Block *current;

static const int MAX_THREADS = 1024, MAX_WORKERS = 64;
static const size_t WINDOW = 1 << 18;  // of shared memory, one a worker
// A stack's size is no power of two, or equal depths of all stacks would share
// the same few lines of the cache.
static const size_t STACK = (64 << 10) + 4096 + 1344;

static const Kernel *kernels;

Kernel::Kernel(const char *name, Entry entry) : name(name), entry(entry), next(kernels) { kernels = this; }

const Kernel *find(const char *name) {
	for (const Kernel *k = kernels; k; k = k->next)
		if (!strcmp(k->name, name)) return k;
	return nullptr;
}

static uint64_t number(const char *variable, uint64_t otherwise) {
	const char *text = getenv(variable);
	return text && *text ? strtoull(text, nullptr, 10) : otherwise;
}

const Options &options() {
	static const Options o = {number("GRAFT_EMULATOR_SEED", 0), (int)number("GRAFT_EMULATOR_WORKERS", 2)};
	return o;
}

static unsigned char *windows() {
	static unsigned char *base = (unsigned char *)mmap(nullptr, MAX_WORKERS * WINDOW, PROT_READ | PROT_WRITE,
	                                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return base;
}

bool in_shared(const void *p) { return (size_t)((const unsigned char *)p - windows()) < MAX_WORKERS * WINDOW; }

static std::atomic<long> faults;

void fault(const char *what, const void *place, const void *address, int other) {
	static std::mutex guard;
	static std::map<std::pair<const char *, const void *>, int> seen;
	std::lock_guard<std::mutex> lock(guard);
	faults++;
	if (seen[{what, place}]++) return;
	Dl_info symbol{};
	dladdr(place, &symbol);
	Dim3 b = current->fibers[0].self.block;
	fprintf(stderr, "emulator: %s: %s: block %u,%u, thread %d", current->kernel->name, what, b.x, b.y,
	        current->running ? current->running->index : -1);
	if (other >= 0) fprintf(stderr, " and thread %d", other);
	fprintf(stderr, ", address %p, at +0x%lx\n", address, (long)((const char *)place - (const char *)symbol.dli_fbase));
}

static uint64_t next_random(uint64_t &s) {
	s ^= s << 13;
	s ^= s >> 7;
	return s ^= s << 17;
}

static void resume(void **save, Fiber *f) {
	current->running = f;
	emulator_self = &f->self;
	emulator_switch(save, f->stack_pointer);
}

// yield goes to the next lane of the warp that is ready, or to the scheduler,
// which with a seed chooses among all threads.
void yield() {
	Fiber *me = current->running;
	int first = me->warp * 32, lanes = std::min<int>(32, current->fibers.size() - first);
	if (!options().seed)
		for (int i = 1; i < lanes; i++) {
			Fiber *f = &current->fibers[first + (me->lane + i) % lanes];
			if (f->state == READY) return resume(&me->stack_pointer, f);
		}
	emulator_switch(&me->stack_pointer, current->scheduler);
}

// run_thread is where a fiber begins. It never returns: its fiber ends.
static void run_thread() {
	Block *b = current;
	b->kernel->entry(b->arguments);
	Fiber *f = b->running;
	f->state = DONE;
	b->live--;
	b->warps[f->warp].live &= ~(1u << f->lane);
	if (!b->warps[f->warp].products.empty()) fault("product never waited for", (void *)b->kernel->entry, nullptr, -1);
	if (!f->copies.empty()) fault("asynchronous copy never waited for", (void *)b->kernel->entry, f->copies[0].to, -1);
	void *ended;
	emulator_switch(&ended, b->scheduler);
}

static void prepare(Block &b, Dim3 block, Dim3 size, Dim3 grid) {
	for (Warp &w : b.warps) w = Warp{};
	b.asked.assign((b.warps.size() + 3) / 4, {});
	for (size_t i = 0; i < b.fibers.size(); i++) {
		Fiber &f = b.fibers[i];
		unsigned t = i;
		f.index = i, f.lane = i % 32, f.warp = i / 32, f.state = READY, f.groups = f.fences = f.fences_at_barrier = 0;
		f.copies.clear();
		f.self = {{t % size.x, t / size.x % size.y, t / (size.x * size.y)}, block, size, grid};
		b.warps[f.warp].live |= 1u << f.lane;
		void **stack = (void **)((uintptr_t)(f.stack + STACK) & ~(uintptr_t)63);
		*--stack = nullptr;
		*--stack = (void *)run_thread;
		for (int r = 0; r < 6; r++) *--stack = nullptr;
		f.stack_pointer = stack;
	}
}

// release_barrier lets all threads go on once every live one waits.
static bool release_barrier(Block &b) {
	if (!b.live || b.at_barrier != b.live) return false;
	if (b.live != (int)b.fibers.size()) fault("barrier after threads have left", (void *)b.kernel->entry, nullptr, -1);
	b.at_barrier = 0;
	b.epoch = shadow_next_epoch();
	for (Fiber &f : b.fibers) {
		if (f.state == AT_BARRIER) f.state = READY;
		f.fences_at_barrier = f.fences;
	}
	return true;
}

static void run_block(Block &b, Dim3 block, Dim3 size, Dim3 grid) {
	current = &b;
	b.live = b.fibers.size(), b.at_barrier = 0;
	memset(b.shared, 0xff, b.shared_size);
	prepare(b, block, size, grid);
	shadow_block_begins(b);
	std::vector<int> order(b.fibers.size());
	for (size_t i = 0; i < order.size(); i++) order[i] = i;
	while (b.live) {
		bool progress = false;
		if (options().seed)
			for (size_t i = order.size() - 1; i > 0; i--) std::swap(order[i], order[next_random(b.random) % (i + 1)]);
		for (int i : order)
			while (b.fibers[i].state == READY) {
				progress = true;
				resume(&b.scheduler, &b.fibers[i]);
				if (options().seed) break;
			}
		b.running = nullptr;
		if (!release_barrier(b) && !progress) {
			fault("deadlock: divergent barrier or collective", (void *)b.kernel->entry, nullptr, -1);
			break;
		}
	}
	warpgroups_end(b);
	count_block_ends();
	current = nullptr;
}

// Stacks are kept from launch to launch.
static std::mutex stacks_guard;
static std::vector<unsigned char *> stacks;

static unsigned char *take_stacks() {
	std::lock_guard<std::mutex> lock(stacks_guard);
	if (stacks.empty())
		return (unsigned char *)mmap(nullptr, STACK * MAX_THREADS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned char *s = stacks.back();
	stacks.pop_back();
	return s;
}

bool launch(const Kernel *kernel, Dim3 grid, Dim3 size, size_t shared, void **arguments) {
	long before = faults;
	uint32_t epoch = shadow_next_epoch();
	std::atomic<uint64_t> next{0};
	uint64_t count = (uint64_t)grid.x * grid.y * grid.z;
	auto work = [&](int worker) {
		Block b{};
		b.fibers.resize(size.x * size.y * size.z);
		b.warps.resize((b.fibers.size() + 31) / 32);
		b.shared = windows() + worker * WINDOW, b.shared_size = shared;
		b.kernel = kernel, b.arguments = arguments, b.launch_epoch = epoch;
		b.random = options().seed * 0x9e3779b97f4a7c15ull + 88172645463325252ull;
		unsigned char *stack = take_stacks();
		for (size_t i = 0; i < b.fibers.size(); i++) b.fibers[i].stack = stack + i * STACK;
		for (uint64_t k; (k = next++) < count;) {
			uint64_t i = options().seed ? count - 1 - k : k;
			run_block(b, {(unsigned)(i % grid.x), (unsigned)(i / grid.x % grid.y), (unsigned)(i / grid.x / grid.y)}, size, grid);
		}
		std::lock_guard<std::mutex> lock(stacks_guard);
		stacks.push_back(stack);
	};
#ifdef SHADOW
	work(0);
	count_launch_ends(kernel);
#else
	std::vector<std::thread> workers;
	for (int i = 1; i < std::min<uint64_t>(options().workers, count); i++) workers.emplace_back(work, i);
	work(0);
	for (std::thread &t : workers) t.join();
#endif
	return faults == before;
}

}  // namespace emulator

using namespace emulator;

unsigned char *emulator_shared() { return current->shared; }

// A barrier is known by its line and not by its address: the compiler of the
// host may have made two of one.
void emulator_barrier(long line) {
	if (current->at_barrier == 0)
		current->barrier_line = line;
	else if (current->barrier_line != line)
		fault("barrier divergence", __builtin_return_address(0), nullptr, -1);
	current->at_barrier++;
	current->running->state = AT_BARRIER;
	yield();
}
