//go:build cuda

package driver

// #include <cuda.h>
//
// enum { MOST = 32 };
//
// // node_params returns a launch as a graph takes it; slots is room for pointers to
// // the values.
// static CUDA_KERNEL_NODE_PARAMS node_params(CUfunction f, const unsigned *sizes, unsigned long long *values, int n, void **slots) {
// 	for (int i = 0; i < n; i++) slots[i] = &values[i];
// 	CUDA_KERNEL_NODE_PARAMS p = {.func = f, .gridDimX = sizes[0], .gridDimY = sizes[1], .gridDimZ = sizes[2],
// 		.blockDimX = sizes[3], .blockDimY = 1, .blockDimZ = 1, .sharedMemBytes = sizes[4], .kernelParams = slots};
// 	return p;
// }
//
// static CUresult add_node(CUgraphNode *node, CUgraph graph, CUgraphNode after, CUfunction f, const unsigned *sizes, unsigned long long *values, int n) {
// 	void *slots[MOST];
// 	CUDA_KERNEL_NODE_PARAMS p = node_params(f, sizes, values, n, slots);
// 	return cuGraphAddKernelNode(node, graph, &after, after ? 1 : 0, &p);
// }
//
// static CUresult set_node(CUgraphExec graph, CUgraphNode node, CUfunction f, const unsigned *sizes, unsigned long long *values, int n) {
// 	void *slots[MOST];
// 	CUDA_KERNEL_NODE_PARAMS p = node_params(f, sizes, values, n, slots);
// 	return cuGraphExecKernelNodeSetParams(graph, node, &p);
// }
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// A Launch is a kernel, its grid, the threads of a block, bytes of shared memory,
// and its arguments in eight bytes each, at most 32.
type Launch struct {
	Function        cu.Function
	Grid            [3]int
	Threads, Shared int
	Values          []uint64
}

// A Graph is launches that follow each other and that the driver has prepared.
type Graph struct {
	graph C.CUgraph
	nodes []C.CUgraphNode
	exec  C.CUgraphExec
}

// NewGraph prepares launches.
func NewGraph(launches []Launch) (*Graph, error) {
	g := &Graph{nodes: make([]C.CUgraphNode, len(launches))}
	if err := fault(C.cuGraphCreate(&g.graph, 0)); err != nil {
		return nil, err
	}
	var last C.CUgraphNode
	for i := range launches {
		f, sizes, values, n, err := launches[i].c()
		if err == nil {
			err = fault(C.add_node(&g.nodes[i], g.graph, last, f, &sizes[0], values, n))
		}
		if err != nil {
			return nil, errors.Join(err, g.Close())
		}
		last = g.nodes[i]
	}
	if err := fault(C.cuGraphInstantiateWithFlags(&g.exec, g.graph, 0)); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// Set gives the i-th launch other arguments from the next run on. Its kernel stays.
func (g *Graph) Set(i int, l Launch) error {
	f, sizes, values, n, err := l.c()
	if err != nil {
		return err
	}
	return fault(C.set_node(g.exec, g.nodes[i], f, &sizes[0], values, n))
}

// Run queues the launches on a stream.
func (g *Graph) Run(s cu.Stream) error {
	return fault(C.cuGraphLaunch(g.exec, *(*C.CUstream)(unsafe.Pointer(&s)))) // its only field
}

// Close gives the graph back. It must not be at work.
func (g *Graph) Close() error {
	var err error
	if g.exec != nil {
		err = fault(C.cuGraphExecDestroy(g.exec))
	}
	return errors.Join(err, fault(C.cuGraphDestroy(g.graph)))
}

// c returns what C takes of a launch.
func (l *Launch) c() (f C.CUfunction, sizes [5]C.uint, values *C.ulonglong, n C.int, err error) {
	if len(l.Values) > C.MOST {
		return nil, sizes, nil, 0, fmt.Errorf("driver: a launch with %d arguments", len(l.Values))
	}
	sizes = [5]C.uint{C.uint(l.Grid[0]), C.uint(l.Grid[1]), C.uint(l.Grid[2]), C.uint(l.Threads), C.uint(l.Shared)}
	return handle(l.Function), sizes, (*C.ulonglong)(unsafe.Pointer(unsafe.SliceData(l.Values))), C.int(len(l.Values)), nil
}
