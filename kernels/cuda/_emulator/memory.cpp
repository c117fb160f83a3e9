// Memory of the emulated device: one large reservation. Each piece ends at a page
// that may not be touched, and addresses are not used again, so that a stray
// access is a fault in any build.
#include <string.h>
#include <sys/mman.h>

#include <map>
#include <mutex>

#include "block.h"

namespace emulator {

static const uint64_t HEAP_SIZE = 1ull << 38, PAGE = 4096;
static std::map<uint64_t, uint64_t> pieces;  // size by offset
static std::mutex guard;

unsigned char *heap() {
	static unsigned char *base = (unsigned char *)mmap((void *)0x700000000000, HEAP_SIZE, PROT_NONE,
	                                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return base;
}

static uint64_t up(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }

// allocate aligns as cuMemAlloc does, to 256 bytes, and as far to the end of a
// page as that allows.
void *allocate(size_t bytes) {
	static uint64_t top = PAGE;
	std::lock_guard<std::mutex> lock(guard);
	uint64_t pages = up(bytes, PAGE), begin = top;
	if (begin + pages + PAGE > HEAP_SIZE) return nullptr;
	top += pages + PAGE;
	mprotect(heap() + begin, pages, PROT_READ | PROT_WRITE);
	memset(heap() + begin, 0xff, pages);
	uint64_t offset = begin + (pages - bytes) / 256 * 256;
	pieces[offset] = bytes;
	return heap() + offset;
}

bool release(void *p) {
	std::lock_guard<std::mutex> lock(guard);
	uint64_t offset = (unsigned char *)p - heap();
	auto piece = pieces.find(offset);
	if (piece == pieces.end()) return false;
	uint64_t begin = offset / PAGE * PAGE, size = up(offset + piece->second, PAGE) - begin;
	madvise(heap() + begin, size, MADV_DONTNEED);
	mprotect(heap() + begin, size, PROT_NONE);
	pieces.erase(piece);
	return true;
}

bool owns(const void *p, size_t n) {
	static thread_local uint64_t begin, end;  // the piece found last
	static thread_local uint64_t generation;
	uint64_t offset = (const unsigned char *)p - heap();
	if (offset >= HEAP_SIZE) return false;
	if (current && generation == current->launch_epoch && offset >= begin && offset + n <= end) return true;
	std::lock_guard<std::mutex> lock(guard);
	auto piece = pieces.upper_bound(offset);
	if (piece == pieces.begin()) return false;
	--piece;
	begin = piece->first, end = begin + piece->second;
	generation = current ? current->launch_epoch : 0;
	return offset + n <= end;
}

}  // namespace emulator
