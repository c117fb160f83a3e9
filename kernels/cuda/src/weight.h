// Weights in any storage format. A kernel that takes one is compiled for each.
#pragma once
#include "gpu.h"

// The storage formats; QUANTISED is 4-bit codes of blocks with a scale each, INT8
// bytes in two's complement of rows with a scale each.
enum Format { WEIGHT_F32, WEIGHT_BF16, WEIGHT_F16, WEIGHT_QUANTISED, WEIGHT_INT8 };

// WEIGHT are a kernel's parameters for one weight. data holds the elements, or
// two codes a byte, the first in the high half. Of a quantised one scales are
// those of the blocks of 2^shift elements; or, where codes is not null, those of
// 256 blocks, and the scale of block b is map[codes[b]]·scales[b/256] + offset.
// table has the values of the 16 codes. Of int8 scales are those of the rows and
// shift is their length.
#define WEIGHT \
	const void *data, const uint8_t *codes, const float *scales, const float *map, const float *table, float offset, int shift
#define WEIGHT_ARGUMENTS data, codes, scales, map, table, offset, shift

// code_value is what a code of int8 stands for, rounded as package quant rounds.
INLINE float code_value(float code, float scale) { return multiply(multiply(code, scale), 1.f / 127.f); }

// code_floats turns four codes of int8, the first in the low byte, into floats: a
// byte above 2^23's, less what makes it signed.
INLINE void code_floats(float (&v)[4], uint32_t codes) {
	codes ^= 0x80808080u;
#pragma unroll
	for (int i = 0; i < 4; i++) v[i] = bits_float(permute_bytes(codes, 0x4b000000u, 0x7650 | i)) - 8388736.f;
}

// code_values is what eight codes of int8 stand for, in bfloat16.
INLINE uint4 code_values(uint32_t low, uint32_t high, float scale) {
	float v[8], f[4];
#pragma unroll
	for (int h = 0; h < 2; h++) {
		code_floats(f, h ? high : low);
#pragma unroll
		for (int j = 0; j < 4; j++) v[4 * h + j] = code_value(f[j], scale);
	}
	return pack8(v);
}

template <int format>
struct Weight {
	const void *data;
	const uint8_t *codes;
	const float *scales, *map, *table;
	float offset;
	int shift;

	MEMBER float scale(size_t block) const {
		if (!codes) return scales[block];
		return add(multiply(map[codes[block]], scales[block >> 8]), offset);
	}

	MEMBER float at(size_t i) const {
		if (format == WEIGHT_F32) return ((const float *)data)[i];
		if (format == WEIGHT_BF16) return bf16_to_float(((const uint16_t *)data)[i]);
		if (format == WEIGHT_F16) return half_to_float(((const uint16_t *)data)[i]);
		if (format == WEIGHT_INT8) return code_value((float)((const int8_t *)data)[i], scales[(uint32_t)i / (uint32_t)shift]);
		uint32_t pair = ((const uint8_t *)data)[i >> 1];
		return multiply(table[i & 1 ? pair & 15 : pair >> 4], scale(i >> shift));
	}

	// load writes the n ≤ 8 elements of a row from i on to v, and 0 after them.
	MEMBER void load(float (&v)[8], size_t i, int n) const {
		if (format == WEIGHT_F32) return load8(v, data, i, n, FLOAT32);
		if (format == WEIGHT_BF16) return load8(v, data, i, n, BFLOAT16);
		if (format == WEIGHT_QUANTISED && n == 8 && i % 8 == 0) {
			uint32_t four = *(const uint32_t *)((const uint8_t *)data + (i >> 1));
			float s = scale(i >> shift);
#pragma unroll
			for (int j = 0; j < 8; j++) v[j] = multiply(table[four >> (j / 2 * 8 + (j & 1 ? 0 : 4)) & 15], s);
			return;
		}
		if (format == WEIGHT_INT8 && n == 8 && i % 8 == 0 && ((uintptr_t)data & 7) == 0) {
			uint2 codes = *(const uint2 *)((const uint8_t *)data + i);
			float s = scales[(uint32_t)i / (uint32_t)shift], f[4];
#pragma unroll
			for (int h = 0; h < 2; h++) {
				code_floats(f, h ? codes.y : codes.x);
#pragma unroll
				for (int j = 0; j < 4; j++) v[4 * h + j] = code_value(f[j], s);
			}
			return;
		}
#pragma unroll
		for (int j = 0; j < 8; j++) v[j] = j < n ? at(i + j) : 0.f;
	}
};
