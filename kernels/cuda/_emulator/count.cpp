// How well a warp's accesses fit memory. Shared memory has 32 banks of 4 bytes and
// serves a wavefront of one word a bank at a time; of global memory sectors of 32
// bytes are moved. Counted are wavefronts and sectors, and the fewest that would
// have moved the same bytes.
//
// Where GRAFT_EMULATOR_COUNT names a file, each launch adds a line to it: kernel,
// wavefronts, fewest, sectors, fewest. Needs the shadow, which sees every access.
#include <stdio.h>
#include <stdlib.h>

#include <array>
#include <map>
#include <set>
#include <tuple>

#include "block.h"

namespace emulator {

#ifndef SHADOW
void count_access(const void *, int, const void *) {}
void count_block_ends() {}
void count_launch_ends(const Kernel *) {}
#else

// A Site is one instruction of one warp, or the half of a copy in one memory: the
// addresses of each time that it ran, by lane. Lanes run apart here, so the n-th time of one goes with the n-th of the
// others.
struct Site {
	int bytes;
	std::array<uint32_t, 32> times;
	std::vector<std::array<uint64_t, 32>> addresses;  // 0: the lane was not there
};

struct Tally {
	long used, fewest;
};

static const char *file() {
	static const char *name = getenv("GRAFT_EMULATOR_COUNT");
	return name;
}

struct Key {
	int warp;
	bool shared;
	const void *place;
	bool operator<(const Key &k) const { return std::tie(warp, shared, place) < std::tie(k.warp, k.shared, k.place); }
};
static std::map<Key, Site> sites;
static Tally wavefronts, sectors;

void count_access(const void *p, int n, const void *place) {
	if (!file()) return;
	Fiber *f = current->running;
	Site &s = sites[{f->warp, in_shared(p), place}];
	s.bytes = n;
	uint32_t time = s.times[f->lane]++;
	if (time >= s.addresses.size()) s.addresses.push_back({});
	s.addresses[time][f->lane] = (uint64_t)p;
}

// Up to 128 bytes are asked for at once.
static void tally_shared(const Site &s, const std::array<uint64_t, 32> &lanes) {
	int together = s.bytes > 4 ? 128 / s.bytes : 32;
	for (int first = 0; first < 32; first += together) {
		std::set<uint64_t> words;
		for (int l = first; l < first + together; l++)
			for (int b = 0; lanes[l] && b < s.bytes; b += 4) words.insert((lanes[l] + b) / 4);
		if (words.empty()) continue;
		int in_bank[32] = {}, most = 0;
		for (uint64_t w : words) most = std::max(most, ++in_bank[w % 32]);
		wavefronts.used += most;
		wavefronts.fewest += (words.size() + 31) / 32;
	}
}

static void tally_global(const Site &s, const std::array<uint64_t, 32> &lanes) {
	std::set<uint64_t> touched, bytes;
	for (uint64_t a : lanes)
		for (int b = 0; a && b < s.bytes; b++) touched.insert((a + b) / 32), bytes.insert(a + b);
	sectors.used += touched.size();
	sectors.fewest += (bytes.size() + 31) / 32;
}

void count_block_ends() {
	for (auto &[key, site] : sites)
		for (auto &lanes : site.addresses) key.shared ? tally_shared(site, lanes) : tally_global(site, lanes);
	sites.clear();
}

void count_launch_ends(const Kernel *k) {
	if (!file()) return;
	if (FILE *f = fopen(file(), "a")) {
		fprintf(f, "%s %ld %ld %ld %ld\n", k->name, wavefronts.used, wavefronts.fewest, sectors.used, sectors.fewest);
		fclose(f);
	}
	wavefronts = sectors = Tally{};
}

#endif

}  // namespace emulator
