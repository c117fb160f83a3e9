// Products by warpgroups, wgmma.mma_async.m64n256k16 of the PTX manual with both
// operands in shared memory, as strict as a GPU may be: operands are read when the
// product is waited for, until then the sums are NaN.
#include <immintrin.h>
#include <string.h>

#include "block.h"

namespace emulator {

static const int ROWS = 16, COLUMNS = 256, DEPTH = 16;  // of a warp's part
static const uint32_t UNDEFINED = 0xffffffff;

// An Operand is what a descriptor describes: lines of at most 128 bytes, swizzled
// by the bits of their addresses, eight to a kilobyte; further lines and further
// columns so many bytes on.
struct Operand {
	uint32_t start, next_columns, next_lines;

	explicit Operand(uint64_t d) : start((d & 0x3fff) << 4), next_columns((d >> 16 & 0x3fff) << 4), next_lines((d >> 32 & 0x3fff) << 4) {}

	unsigned char *piece(int line, int column) const {
		uint32_t at = start + line % 8 * 128 + line / 8 * next_lines + column % 64 * 2 + column / 64 * next_columns;
		at ^= at >> 3 & 0x70;
		return current->shared + at - SHARED_BASE;
	}

	// each calls f for every eight elements of so many lines and columns.
	template <class F>
	void each(int first, int lines, int columns, F f) const {
		for (int i = first; i < first + lines; i++)
			for (int j = 0; j < columns; j += 8) f(piece(i, j), i - first, j);
	}
};

static const char *wrong(uint64_t descriptor, int columns) {
	const uint64_t known = 0x3fffull | 0x3fffull << 16 | 0x3fffull << 32 | 1ull << 62;
	uint32_t start = (descriptor & 0x3fff) << 4;
	if (descriptor & ~known || !(descriptor >> 62)) return "descriptor of another kind than swizzled by 128 bytes";
	if (start & 0x380 || start % 128 + 2 * columns > 128) return "descriptor that does not begin in the first line of a kilobyte";
	return nullptr;
}

static int first_row() { return current->running->warp % 4 * ROWS; }

// each_piece calls f for all 16 bytes that a product of the running warp reads.
template <class F>
static void each_piece(const Product &p, F f) {
	auto whole = [&](unsigned char *at, int, int) { f(at); };
	Operand(p.a).each(first_row(), ROWS, DEPTH, whole);
	Operand(p.b).each(0, p.across ? DEPTH : COLUMNS, p.across ? COLUMNS : DEPTH, whole);
}

static bool inside(const unsigned char *piece) { return piece >= current->shared && piece + 16 <= current->shared + current->shared_size; }

static int row(int lane, int i) { return lane / 4 + i % 4 / 2 * 8; }
static int column(int lane, int i) { return i / 4 * 8 + lane % 4 * 2 + i % 2; }

static float element(const unsigned char *piece, int i) {
	uint16_t v;
	memcpy(&v, piece + 2 * i, 2);
	return bf16_to_float(v);
}

static void compute(const Product &p) {
	static thread_local float a[ROWS][DEPTH], d[ROWS][COLUMNS];
	alignas(32) static thread_local float b[DEPTH][COLUMNS];
	Operand(p.a).each(first_row(), ROWS, DEPTH, [&](unsigned char *at, int i, int j) {
		for (int e = 0; e < 8; e++) a[i][j + e] = element(at, e);
	});
	Operand(p.b).each(0, p.across ? DEPTH : COLUMNS, p.across ? COLUMNS : DEPTH, [&](unsigned char *at, int i, int j) {
		for (int e = 0; e < 8; e++) (p.across ? b[i][j + e] : b[j + e][i]) = element(at, e);
	});
	auto each_sum = [&](auto f) {
		for (int l = 0; l < 32; l++)
			for (int i = 0; i < 128; i++) f(p.sums->value[l][i], d[row(l, i)][column(l, i)]);
	};
	each_sum([&](float &sum, float &mine) { mine = p.add ? sum : 0.f; });
	for (int i = 0; i < ROWS; i++)
		for (int j = 0; j < COLUMNS; j += 8) {
			__m256 sum = _mm256_loadu_ps(&d[i][j]);
			for (int k = 0; k < DEPTH; k++) sum = _mm256_fmadd_ps(_mm256_broadcast_ss(&a[i][k]), _mm256_load_ps(&b[k][j]), sum);
			_mm256_storeu_ps(&d[i][j], sum);
		}
	each_sum([](float &sum, float &mine) { sum = mine; });
}

struct Request {
	void *const *d;
	uint64_t a, b;
	int add, across;
	const void *place;
};

// sums_of returns the sums in flight in the registers of a request, or moves them
// there: nothing may touch the registers until they are waited for.
static Sums *sums_of(Warp &w) {
	Request &first = *(Request *)w.argument[0];
	for (Sums &s : w.sums)
		if (!memcmp(s.registers[0].data(), first.d, sizeof s.registers[0])) {
			for (auto &lane : s.registers)
				for (uint32_t *r : lane)
					if (*r != UNDEFINED) return fault("sums written while a product is in flight", first.place, nullptr, -1), &s;
			return &s;
		}
	if (!w.fenced) fault("product of registers without a fence before", first.place, nullptr, -1);
	Sums &s = w.sums.emplace_back();
	s.products = 0;
	for (int l = 0; l < 32; l++)
		for (int i = 0; i < 128; i++) {
			s.registers[l][i] = (uint32_t *)((Request *)w.argument[l])->d[i];
			memcpy(&s.value[l][i], s.registers[l][i], 4);
			*s.registers[l][i] = UNDEFINED;
		}
	return &s;
}

// together checks that the lanes and the warps of a warpgroup ask for the same.
static void together(Warp &w, const Product &p) {
	const void *place = ((Request *)w.argument[0])->place;
	for (void *argument : w.argument) {
		Request &r = *(Request *)argument;
		if (r.a != p.a || r.b != p.b) fault("product of different operands in one warp", place, nullptr, -1);
	}
	std::vector<Product> &asked = current->asked[current->running->warp / 4];
	if (w.asked == asked.size()) asked.push_back(p);
	const Product &others = asked[w.asked++];
	if (others.a != p.a || others.b != p.b || others.across != p.across) fault("product of different operands in one warpgroup", place, nullptr, -1);
}

static void ask(Warp &w) {
	Request &r = *(Request *)w.argument[0];
	Product p{r.a, r.b, r.add != 0, r.across != 0, w.groups, nullptr};
	together(w, p);
	const char *what = wrong(p.a, DEPTH);
	if (!what) what = wrong(p.b, p.across ? 64 : DEPTH);
	each_piece(p, [&](unsigned char *at) {
		if (!inside(at)) what = "product of what is outside shared memory";
	});
	if (what) return fault(what, r.place, nullptr, -1);
	p.sums = sums_of(w);
	p.sums->products++;
	each_piece(p, [&](unsigned char *at) { shadow_product_asked(at, r.place); });
	w.products.push_back(p);
}

static void finish(Warp &w, int pending) {
	while (!w.products.empty() && w.products.front().group < w.groups - pending) {
		Product &p = w.products.front();
		compute(p);
		each_piece(p, shadow_product_done);
		p.sums->products--;
		w.products.pop_front();
	}
	w.sums.remove_if([](Sums &s) {
		for (int l = 0; l < 32 && !s.products; l++)
			for (int i = 0; i < 128; i++) memcpy(s.registers[l][i], &s.value[l][i], 4);
		return !s.products;
	});
	w.fenced = false;
	w.syncs++;
}

void warpgroups_end(Block &b) {
	for (size_t i = 0; i < b.warps.size(); i++)
		if (b.warps[i].asked != b.asked[i / 4].size()) return fault("product that not all warps of a warpgroup ask for", (void *)b.kernel->entry, nullptr, -1);
}

}  // namespace emulator

using namespace emulator;

void emulator_fence_async() { current->running->fences++; }

void emulator_warpgroup_fence() {
	meet(WARPGROUP_FENCE, nullptr, [](Warp &w) { w.fenced = true; });
}

void emulator_warpgroup_mma(void *const *d, uint64_t a, uint64_t b, int add, int across) {
	Request r{d, a, b, add, across, __builtin_return_address(0)};
	meet(WARPGROUP_MMA, &r, ask);
}

void emulator_warpgroup_commit() {
	meet(WARPGROUP_COMMIT, nullptr, [](Warp &w) { w.groups++; });
}

void emulator_warpgroup_wait(int pending) {
	meet(WARPGROUP_WAIT, &pending, [](Warp &w) { finish(w, *(int *)w.argument[0]); });
}
