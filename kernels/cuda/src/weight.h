// Weights in any storage format. A kernel that takes one is compiled for each.
#pragma once
#include "gpu.h"

// The storage formats; QUANTISED is 4-bit codes of blocks with a scale each.
enum Format { WEIGHT_F32, WEIGHT_BF16, WEIGHT_F16, WEIGHT_QUANTISED };

// WEIGHT are a kernel's parameters for one weight. data holds the elements, or
// two codes a byte, the first in the high half. Of a quantised one scales are
// those of the blocks of 2^shift elements; or, where codes is not null, those of
// 256 blocks, and the scale of block b is map[codes[b]]·scales[b/256] + offset.
// table has the values of the 16 codes.
#define WEIGHT \
	const void *data, const uint8_t *codes, const float *scales, const float *map, const float *table, float offset, int shift
#define WEIGHT_ARGUMENTS data, codes, scales, map, table, offset, shift

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
		uint32_t pair = ((const uint8_t *)data)[i >> 1];
		return multiply(table[i & 1 ? pair & 15 : pair >> 4], scale(i >> shift));
	}

	// load writes the n ≤ 8 elements from i on to v, and 0 after them.
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
#pragma unroll
		for (int j = 0; j < 8; j++) v[j] = j < n ? at(i + j) : 0.f;
	}
};
