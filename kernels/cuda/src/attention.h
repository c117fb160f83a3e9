// Who attends to whom, for the kernels of attention.
#pragma once
#include "gpu.h"

// SHAPE are the parameters that say who attends to whom; see Attention in
// package kernels.
#define SHAPE \
	const int *query_starts, const int *key_starts, const int *key_ends, int sequences, int heads, int kv_heads, int width, float scale, int window
#define SHAPE_ARGUMENTS query_starts, key_starts, key_ends, sequences, heads, kv_heads, width, scale, window

struct Shape {
	const int *query_starts, *key_starts, *key_ends;
	int sequences, heads, kv_heads, width;
	float scale;
	int window;

	// sequence_of returns the sequence of query row t: the last that starts at or before it
	// and is not empty.
	MEMBER int sequence_of(int t) const {
		int low = 0, high = sequences - 1;
		while (low < high) {
			int middle = (low + high + 1) / 2;
			if (query_starts[middle] <= t)
				low = middle;
			else
				high = middle - 1;
		}
		return low;
	}

	// keys_of sets the keys [from, to) that query t of sequence s sees.
	MEMBER void keys_of(int s, int t, int &from, int &to) const {
		to = key_ends[s] - (query_starts[s + 1] - 1 - t);
		from = window > 0 ? max(key_starts[s], to - window) : key_starts[s];
	}

	MEMBER size_t query(int t, int h) const { return ((size_t)t * heads + h) * width; }
	MEMBER size_t key(int j, int h) const { return ((size_t)j * kv_heads + h) * width; }
};
