// A stand-in for libcuda.so.1 whose devices are emulated: the functions of the
// driver that package cuda calls, as strict as the real ones where that can
// hide a bug: contexts are per thread, memory is not zero, parameters have the
// sizes that the PTX declares, and a fault stays until the process ends.
#include <cuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "machine.h"

using std::string;

static const int DEVICES = 2;
static const size_t MEMORY = 8ull << 30;

struct CUctx_st {};
struct CUstream_st {};
struct CUevent_st {
	double seconds;
};
struct CUfunc_st {
	const emulator::Kernel *kernel;
	std::vector<int> sizes;  // of the parameters
	unsigned threads = 1024, shared = 48 << 10;
};
// A CUgraphNode_st is a launch with a copy of its parameters.
struct CUgraphNode_st {
	CUfunction f;
	unsigned grid[3], block[3], shared;
	std::vector<unsigned long long> parameters;
	CUgraphNode after;
};
struct CUgraph_st {
	std::vector<CUgraphNode> nodes;
};
// A CUgraphExec_st has copies of a graph's nodes, in the order in which they run.
struct CUgraphExec_st {
	std::map<CUgraphNode, size_t> places;
	std::vector<CUgraphNode_st> nodes;
};
struct CUmod_st {
	std::map<string, CUfunc_st> functions;
};

static CUctx_st contexts[DEVICES];
static thread_local CUcontext bound;
static CUresult broken = CUDA_SUCCESS;
static size_t used;
static std::map<CUdeviceptr, size_t> held;

// compute_capability returns that of a device, ten times: the second is a Hopper.
static int compute_capability(CUdevice d) { return d == 1 ? 90 : 80; }

static CUresult ready() {
	if (!bound) return CUDA_ERROR_INVALID_CONTEXT;
	return broken;
}

#define READY() \
	if (CUresult r = ready()) return r
#define OWNED(p, n) \
	if (!emulator::owns((void *)(p), n)) return CUDA_ERROR_INVALID_VALUE

// parameter_size returns the bytes of what follows ".param ", as ".u64 name".
static int parameter_size(const string &declaration) {
	size_t digits = declaration.find_first_of("0123456789");
	return atoi(declaration.c_str() + digits) / 8;
}

// parse reads the entry that starts at its name and stores it in functions.
static bool parse(const string &ptx, size_t at, CUmod_st *module) {
	size_t open = ptx.find('(', at), close = ptx.find(')', open), body = ptx.find('{', close);
	string name = ptx.substr(at, open - at);
	CUfunc_st f;
	f.kernel = emulator::find(name.c_str());
	if (!f.kernel) {
		fprintf(stderr, "emulator: no kernel %s: the library and the PTX are not of one source\n", name.c_str());
		return false;
	}
	for (size_t p = open; (p = ptx.find(".param ", p)) < close; p++) f.sizes.push_back(parameter_size(ptx.substr(p + 7, 16)));
	size_t limit = ptx.find(".maxntid", close);
	if (limit < body) f.threads = atoi(ptx.c_str() + limit + 9);
	module->functions[name] = f;
	return true;
}

// prepare checks a launch and copies of its parameters the bytes that are declared.
static CUresult prepare(CUgraphNode_st &n, void **parameters) {
	CUfunction f = n.f;
	unsigned long long threads = 1ull * n.block[0] * n.block[1] * n.block[2];
	if (!threads || threads > f->threads || !n.grid[0] || !n.grid[1] || !n.grid[2] || n.grid[0] > 0x7fffffff || n.grid[1] > 65535 || n.grid[2] > 65535 || n.shared > f->shared)
		return CUDA_ERROR_INVALID_VALUE;
	n.parameters.assign(f->sizes.size(), 0xdeadbeefdeadbeefull);
	for (size_t i = 0; i < n.parameters.size(); i++) memcpy(&n.parameters[i], parameters[i], f->sizes[i]);
	return CUDA_SUCCESS;
}

// run runs a launch. Those of several devices take turns.
static CUresult run(CUgraphNode_st &n) {
	static std::mutex one;
	std::lock_guard<std::mutex> lock(one);
	std::vector<void *> arguments;
	for (unsigned long long &p : n.parameters) arguments.push_back(&p);
	if (!emulator::launch(n.f->kernel, {n.grid[0], n.grid[1], n.grid[2]}, {n.block[0], n.block[1], n.block[2]}, n.shared, arguments.data()))
		broken = CUDA_ERROR_ILLEGAL_ADDRESS;
	return broken;
}

static CUgraphNode_st of(const CUDA_KERNEL_NODE_PARAMS &p) {
	return {p.func, {p.gridDimX, p.gridDimY, p.gridDimZ}, {p.blockDimX, p.blockDimY, p.blockDimZ}, p.sharedMemBytes, {}, nullptr};
}

static double now() {
	return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

extern "C" {

CUresult cuInit(unsigned int) { return CUDA_SUCCESS; }

CUresult cuDriverGetVersion(int *v) {
	*v = CUDA_VERSION;
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *n) {
	*n = DEVICES;
	return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *d, int i) {
	if (i < 0 || i >= DEVICES) return CUDA_ERROR_INVALID_DEVICE;
	*d = i;
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int n, CUdevice) {
#ifdef SHADOW
	snprintf(name, n, "emulated GPU, checked");
#else
	snprintf(name, n, "emulated GPU");
#endif
	return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice) {
	*bytes = MEMORY;
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *v, CUdevice_attribute a, CUdevice d) {
	switch (a) {
	case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *v = compute_capability(d) / 10; break;
	case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *v = compute_capability(d) % 10; break;
	case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *v = 2; break;
	default: *v = 0;
	}
	return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult code, const char **name) {
	*name = code == CUDA_ERROR_ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR";
	return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult code, const char **text) {
	*text = code == CUDA_ERROR_ILLEGAL_ADDRESS ? "an illegal memory access was encountered" : "an error";
	return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *c, CUdevice d) {
	*c = &contexts[d];
	return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) { return CUDA_SUCCESS; }

CUresult cuCtxSetCurrent(CUcontext c) {
	bound = c;
	return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext *c) {
	*c = bound;
	return CUDA_SUCCESS;
}

CUresult cuCtxSynchronize() { return ready(); }

CUresult cuMemGetInfo_v2(size_t *available, size_t *total) {
	READY();
	*available = MEMORY - used, *total = MEMORY;
	return CUDA_SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr *p, size_t n) {
	READY();
	if (!n) return CUDA_ERROR_INVALID_VALUE;
	if (n > MEMORY - used) return CUDA_ERROR_OUT_OF_MEMORY;
	void *memory = emulator::allocate(n);
	if (!memory) return CUDA_ERROR_OUT_OF_MEMORY;
	*p = (CUdeviceptr)memory;
	used += held[*p] = n;
	return CUDA_SUCCESS;
}

CUresult cuMemFree_v2(CUdeviceptr p) {
	READY();
	if (!emulator::release((void *)p)) return CUDA_ERROR_INVALID_VALUE;
	used -= held[p];
	held.erase(p);
	return CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void **p, size_t n, unsigned int) {
	READY();
	*p = malloc(n);
	return CUDA_SUCCESS;
}

CUresult cuMemFreeHost(void *p) {
	READY();
	free(p);
	return CUDA_SUCCESS;
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t n, CUstream) {
	READY();
	OWNED(to, n);
	memcpy((void *)to, from, n);
	return CUDA_SUCCESS;
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t n, CUstream) {
	READY();
	OWNED(from, n);
	memcpy(to, (void *)from, n);
	return CUDA_SUCCESS;
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t n) { return cuMemcpyHtoDAsync_v2(to, from, n, nullptr); }
CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t n) { return cuMemcpyDtoHAsync_v2(to, from, n, nullptr); }

CUresult cuMemsetD8Async(CUdeviceptr p, unsigned char v, size_t n, CUstream) {
	READY();
	OWNED(p, n);
	memset((void *)p, v, n);
	return CUDA_SUCCESS;
}

CUresult cuStreamCreate(CUstream *s, unsigned int) {
	READY();
	*s = new CUstream_st;
	return CUDA_SUCCESS;
}

CUresult cuStreamDestroy_v2(CUstream s) {
	delete s;
	return CUDA_SUCCESS;
}

CUresult cuStreamSynchronize(CUstream) { return ready(); }

CUresult cuEventCreate(CUevent *e, unsigned int) {
	*e = new CUevent_st{0};
	return CUDA_SUCCESS;
}

CUresult cuEventDestroy_v2(CUevent e) {
	delete e;
	return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent e, CUstream) {
	e->seconds = now();
	return CUDA_SUCCESS;
}

CUresult cuEventSynchronize(CUevent) { return ready(); }

CUresult cuEventElapsedTime(float *milliseconds, CUevent from, CUevent to) {
	*milliseconds = (to->seconds - from->seconds) * 1e3;
	return CUDA_SUCCESS;
}

CUresult cuModuleLoadData(CUmodule *m, const void *image) {
	READY();
	string ptx((const char *)image);
	if (ptx.find(".version") == string::npos) return CUDA_ERROR_INVALID_PTX;
	if (ptx.find(".target sm_90a") != string::npos && compute_capability(bound - contexts) != 90) return CUDA_ERROR_NO_BINARY_FOR_GPU;
	CUmodule module = new CUmod_st;
	for (size_t at = 0; (at = ptx.find(".entry ", at)) != string::npos;) {
		at += 7;
		if (!parse(ptx, at, module)) {
			delete module;
			return CUDA_ERROR_INVALID_PTX;
		}
	}
	*m = module;
	return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule m) {
	delete m;
	return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction *f, CUmodule m, const char *name) {
	auto found = m->functions.find(name);
	if (found == m->functions.end()) return CUDA_ERROR_NOT_FOUND;
	*f = &found->second;
	return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction f, CUfunction_attribute a, int v) {
	if (a == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) f->shared = v;
	return v > (compute_capability(bound - contexts) == 90 ? 227 : 163) << 10 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction f, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx, unsigned int by, unsigned int bz,
                        unsigned int shared, CUstream, void **parameters, void **) {
	READY();
	CUgraphNode_st node{f, {gx, gy, gz}, {bx, by, bz}, shared, {}, nullptr};
	if (CUresult r = prepare(node, parameters)) return r;
	return run(node);
}

CUresult cuGraphCreate(CUgraph *g, unsigned int) {
	READY();
	*g = new CUgraph_st;
	return CUDA_SUCCESS;
}

CUresult cuGraphDestroy(CUgraph g) {
	for (CUgraphNode n : g->nodes) delete n;
	delete g;
	return CUDA_SUCCESS;
}

CUresult cuGraphAddKernelNode_v2(CUgraphNode *node, CUgraph g, const CUgraphNode *after, size_t n, const CUDA_KERNEL_NODE_PARAMS *p) {
	READY();
	CUgraphNode_st made = of(*p);
	if (n > 1) return CUDA_ERROR_NOT_SUPPORTED;
	made.after = n ? *after : nullptr;
	if (CUresult r = prepare(made, p->kernelParams)) return r;
	g->nodes.push_back(*node = new CUgraphNode_st(made));
	return CUDA_SUCCESS;
}

// The nodes must be one chain: any other graph could run in several orders.
CUresult cuGraphInstantiateWithFlags(CUgraphExec *e, CUgraph g, unsigned long long) {
	READY();
	CUgraphExec made = new CUgraphExec_st;
	for (CUgraphNode last = nullptr; made->nodes.size() < g->nodes.size();) {
		CUgraphNode next = nullptr;
		int followers = 0;
		for (CUgraphNode n : g->nodes)
			if (n->after == last) next = n, followers++;
		if (followers != 1) return CUDA_ERROR_NOT_SUPPORTED;
		made->places[next] = made->nodes.size();
		made->nodes.push_back(*next);
		last = next;
	}
	*e = made;
	return CUDA_SUCCESS;
}

CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec e, CUgraphNode n, const CUDA_KERNEL_NODE_PARAMS *p) {
	READY();
	auto place = e->places.find(n);
	CUgraphNode_st changed = of(*p);
	if (place == e->places.end() || changed.f != n->f) return CUDA_ERROR_INVALID_VALUE;
	if (CUresult r = prepare(changed, p->kernelParams)) return r;
	e->nodes[place->second] = changed;
	return CUDA_SUCCESS;
}

CUresult cuGraphLaunch(CUgraphExec e, CUstream) {
	READY();
	for (CUgraphNode_st &n : e->nodes)
		if (CUresult r = run(n)) return r;
	return CUDA_SUCCESS;
}

CUresult cuGraphExecDestroy(CUgraphExec e) {
	delete e;
	return CUDA_SUCCESS;
}

}  // extern "C"
