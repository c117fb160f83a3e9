// What ptx_to_cpp's output is made of: registers are integers, shared memory has
// addresses of its own.
#pragma once
#include <string.h>

#include "emulated.h"

#undef SHARED

template <class F>
static inline F as_float(uint64_t bits) {
	F f;
	if (sizeof(F) == 4) {
		uint32_t low = (uint32_t)bits;
		memcpy(&f, &low, 4);
	} else {
		memcpy(&f, &bits, sizeof f);
	}
	return f;
}

static inline uint32_t as_bits(float f) {
	uint32_t u;
	memcpy(&u, &f, 4);
	return u;
}

static inline uint64_t as_bits(double f) {
	uint64_t u;
	memcpy(&u, &f, 8);
	return u;
}

#define SHARED(address) (shared + (uint32_t)(address) - SHARED_BASE)
#define GLOBAL(address) ((unsigned char *)(address))
