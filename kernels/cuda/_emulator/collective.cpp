// What the threads of a warp do together, and copies to shared memory. Layouts of
// fragments are those of the PTX manual: mma.m16n8k16, ldmatrix.
#include <immintrin.h>
#include <string.h>

#include "block.h"

namespace emulator {

void meet(Operation operation, void *argument, void (*work)(Warp &)) {
	Fiber *me = current->running;
	Warp &w = current->warps[me->warp];
	if (!w.arrived)
		w.operation = operation;
	else if (w.operation != operation)
		fault("warp divergence at a collective", __builtin_return_address(0), nullptr, -1);
	w.argument[me->lane] = argument;
	w.arrived |= 1u << me->lane;
	me->state = AT_COLLECTIVE;
	if (w.arrived == w.live) {
		if (w.live != 0xffffffffu) fault("collective of a warp with missing lanes", __builtin_return_address(0), nullptr, -1);
		work(w);
		w.arrived = 0;
		for (int i = 0; i < 32; i++) {
			Fiber &f = current->fibers[me->warp * 32 + i];
			if (f.state == AT_COLLECTIVE) f.state = READY;
		}
		if (!options().seed) return;
	}
	yield();
}

struct Shuffle {
	float value, result;
	int argument;
};

float bf16_to_float(uint32_t half) {
	half <<= 16;
	float f;
	memcpy(&f, &half, 4);
	return f;
}

struct Mma {
	float *d;
	const uint32_t *a, *b;
};

// mma: D += A·B, A 16×16 row by row, B 16×8 column by column. Lane l has g = l/4
// and t = 2·(l%4): of A the pairs (g,t), (g+8,t), (g,t+8), (g+8,t+8), of B (t,g)
// and (t+8,g), of D (g,t) and (g+8,t).
static void mma(Warp &w) {
	alignas(32) float a[16][16], b[16][8], d[16][8];
	for (int l = 0; l < 32; l++) {
		Mma *m = (Mma *)w.argument[l];
		int g = l / 4, t = l % 4 * 2;
		for (int q = 0; q < 4; q++)
			for (int h = 0; h < 2; h++) a[g + q % 2 * 8][t + q / 2 * 8 + h] = bf16_to_float(m->a[q] >> 16 * h & 0xffff);
		for (int q = 0; q < 2; q++)
			for (int h = 0; h < 2; h++) b[t + q * 8 + h][g] = bf16_to_float(m->b[q] >> 16 * h & 0xffff);
		for (int q = 0; q < 4; q++) d[g + q / 2 * 8][t + q % 2] = m->d[q];
	}
	for (int i = 0; i < 16; i++) {
		__m256 sum = _mm256_load_ps(d[i]);
		for (int k = 0; k < 16; k++) sum = _mm256_fmadd_ps(_mm256_broadcast_ss(&a[i][k]), _mm256_load_ps(b[k]), sum);
		_mm256_store_ps(d[i], sum);
	}
	for (int l = 0; l < 32; l++)
		for (int q = 0; q < 4; q++) ((Mma *)w.argument[l])->d[q] = d[l / 4 + q / 2 * 8][l % 4 * 2 + q % 2];
}

struct LdMatrix {
	uint32_t *r;
	const unsigned char *row;
	int transposed;
};

// ldmatrix: lane l names row l%8 of matrix l/8, 8 elements of 16 bits. Lane l gets
// of each matrix the pair at column 2·(l%4) of row l/4, or of its transpose.
static void ldmatrix(Warp &w) {
	for (int l = 0; l < 32; l++) {
		LdMatrix *m = (LdMatrix *)w.argument[l];
		for (int q = 0; q < 4; q++) {
			auto element = [&](int row, int column) {
				uint16_t v;
				memcpy(&v, ((LdMatrix *)w.argument[q * 8 + row])->row + 2 * column, 2);
				return (uint32_t)v;
			};
			int i = l / 4, j = l % 4 * 2;
			m->r[q] = m->transposed ? element(j, i) | element(j + 1, i) << 16 : element(i, j) | element(i, j + 1) << 16;
		}
	}
}

// round_bf16 rounds to nearest even; a NaN becomes the canonical one.
static uint32_t round_bf16(float f) {
	uint32_t u;
	memcpy(&u, &f, 4);
	if ((u & 0x7fffffff) > 0x7f800000) return 0x7fff;
	return (u + 0x7fff + (u >> 16 & 1)) >> 16;
}

}  // namespace emulator

using namespace emulator;

void emulator_syncwarp() {
	meet(SYNC, nullptr, [](Warp &w) { w.syncs++; });
}

float emulator_shuffle_xor(float v, int mask) {
	Shuffle s{v, 0, mask};
	meet(SHUFFLE_XOR, &s, [](Warp &w) {
		for (int l = 0; l < 32; l++) {
			Shuffle *me = (Shuffle *)w.argument[l];
			me->result = ((Shuffle *)w.argument[(l ^ me->argument) & 31])->value;
		}
	});
	return s.result;
}

float emulator_shuffle(float v, int lane) {
	Shuffle s{v, 0, lane};
	meet(SHUFFLE, &s, [](Warp &w) {
		for (int l = 0; l < 32; l++) {
			Shuffle *me = (Shuffle *)w.argument[l];
			me->result = ((Shuffle *)w.argument[me->argument & 31])->value;
		}
	});
	return s.result;
}

void emulator_mma(float *d, const uint32_t *a, const uint32_t *b) {
	Mma m{d, a, b};
	meet(MMA, &m, mma);
}

void emulator_ldmatrix(uint32_t *r, const void *row, int transposed) {
	if ((uintptr_t)row & 15) fault("misaligned row of ldmatrix", __builtin_return_address(0), row, -1);
	shadow_access(row, 16, false, __builtin_return_address(0));
	LdMatrix m{r, (const unsigned char *)row, transposed};
	meet(LDMATRIX, &m, ldmatrix);
}

// A copy fills its destination with NaN until it is waited for, and reads its
// source only then.
void emulator_copy_async(void *shared, const void *global, int bytes) {
	const void *place = __builtin_return_address(0);
	Fiber *f = current->running;
	if (((uintptr_t)shared | (bytes ? (uintptr_t)global : 0)) & 15) fault("misaligned asynchronous copy", place, shared, -1);
	if (bytes) shadow_access(global, bytes, false, place);
	shadow_access(shared, 16, true, place);
	shadow_copy_issued(shared);
	memset(shared, 0xff, 16);
	f->copies.push_back({(unsigned char *)shared, (const unsigned char *)global, bytes, f->groups});
}

void emulator_copy_commit() { current->running->groups++; }

void emulator_copy_wait(int pending) {
	Fiber *f = current->running;
	size_t left = 0;
	for (Copy &c : f->copies) {
		if (c.group >= f->groups - pending) {
			f->copies[left++] = c;
			continue;
		}
		memset(c.to, 0, 16);
		memcpy(c.to, c.from, c.bytes);
		shadow_copy_landed(c.to);
	}
	f->copies.resize(left);
}

uint32_t emulator_pack(float low, float high) { return round_bf16(low) | round_bf16(high) << 16; }
