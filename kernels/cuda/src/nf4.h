// NF4's values, looked up in registers.
#pragma once
#include "weight.h"

// Products are the sixteen values of NF4 times one scale, in bfloat16, as bytes in
// eight registers: the low halves of four codes a register, then the high ones.
// permute_bytes looks codes up without a table in shared memory, whose pipe is
// the kernel's bottleneck.
struct Products {
	uint32_t low[4], high[4];

	MEMBER void set(float scale) {
		constexpr float value[16] = {-1.0f,
		                             -0.6961928009986877f,
		                             -0.5250730514526367f,
		                             -0.39491748809814453f,
		                             -0.28444138169288635f,
		                             -0.18477343022823334f,
		                             -0.09105003625154495f,
		                             0.0f,
		                             0.07958029955625534f,
		                             0.16093020141124725f,
		                             0.24611230194568634f,
		                             0.33791524171829224f,
		                             0.44070982933044434f,
		                             0.5626170039176941f,
		                             0.7229568362236023f,
		                             1.0f};
#pragma unroll
		for (int i = 0; i < 4; i++) {
			uint32_t a = pack_bf16(value[4 * i] * scale, value[4 * i + 1] * scale), b = pack_bf16(value[4 * i + 2] * scale, value[4 * i + 3] * scale);
			low[i] = permute_bytes(a, b, 0x6420);
			high[i] = permute_bytes(a, b, 0x7531);
		}
	}

	// look turns four codes, in the low 16 bits and the high half of each byte
	// first, into four bfloat16.
	MEMBER void look(uint32_t codes, uint32_t &first, uint32_t &second) const {
		uint32_t within = codes & 0x7777u, half = (codes >> 1 & 0x4444u) | 0x3210u;
		uint32_t l = permute_bytes(permute_bytes(low[0], low[1], within), permute_bytes(low[2], low[3], within), half);
		uint32_t h = permute_bytes(permute_bytes(high[0], high[1], within), permute_bytes(high[2], high[3], within), half);
		first = permute_bytes(l, h, 0x4051);
		second = permute_bytes(l, h, 0x6273);
	}

	// look32 turns 32 codes into 4 pieces of eight.
	MEMBER void look32(uint4 (&v)[4], uint4 codes) const {
		uint32_t words[4] = {codes.x, codes.y, codes.z, codes.w};
#pragma unroll
		for (int i = 0; i < 4; i++) look(words[i], v[i].x, v[i].y), look(words[i] >> 16, v[i].z, v[i].w);
	}
};
