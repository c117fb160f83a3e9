package tokenizer

import (
	"bytes"
	"slices"
)

// A trie finds the keys that a text begins with. The children of a node lie side by side, sorted by their byte.
type trie struct {
	root  [256]int32 // node of each first byte, 0 where there is none
	nodes []trieNode
}

type trieNode struct {
	value int32 // of the key that ends here, or none
	child int32
	count int16
	label byte
}

// newTrie builds a trie of keys; the value of a key is its index, of equal keys the last one's.
func newTrie(keys [][]byte) *trie {
	order := make([]int32, 0, len(keys))
	for i := range keys {
		if len(keys[i]) > 0 {
			order = append(order, int32(i))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return bytes.Compare(keys[a], keys[b]) })
	t := &trie{nodes: make([]trieNode, 1, len(keys)*4+1)}
	type job struct {
		node  int32
		keys  []int32 // sorted, all beginning with the node's path
		depth int
	}
	jobs := []job{{0, order, 0}}
	for len(jobs) > 0 {
		j := jobs[0]
		jobs = jobs[1:]
		t.nodes[j.node].child = int32(len(t.nodes))
		for len(j.keys) > 0 {
			label, n := keys[j.keys[0]][j.depth], 1
			for n < len(j.keys) && keys[j.keys[n]][j.depth] == label {
				n++
			}
			node := trieNode{value: none, label: label}
			group := j.keys[:n]
			for len(group) > 0 && len(keys[group[0]]) == j.depth+1 {
				node.value = group[0]
				group = group[1:]
			}
			if len(group) > 0 {
				jobs = append(jobs, job{int32(len(t.nodes)), group, j.depth + 1})
			}
			t.nodes = append(t.nodes, node)
			t.nodes[j.node].count++
			j.keys = j.keys[n:]
		}
	}
	for i := range t.nodes[0].count {
		child := t.nodes[0].child + int32(i)
		t.root[t.nodes[child].label] = child
	}
	return t
}

// step goes from a node to its child for c; 0 if there is none.
func (t *trie) step(node int32, c byte) int32 {
	n := &t.nodes[node]
	lo, hi := n.child, n.child+int32(n.count)
	for lo < hi {
		mid := (lo + hi) / 2
		if t.nodes[mid].label < c {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < n.child+int32(n.count) && t.nodes[lo].label == c {
		return lo
	}
	return 0
}

// longest returns the value and the length of the longest key that b begins with; length 0 if none does.
func (t *trie) longest(b []byte) (value int32, n int) {
	if len(b) == 0 {
		return none, 0
	}
	value = none
	for node, i := t.root[b[0]], 1; node != 0; i++ {
		if v := t.nodes[node].value; v >= 0 {
			value, n = v, i
		}
		if i == len(b) {
			break
		}
		node = t.step(node, b[i])
	}
	return value, n
}
