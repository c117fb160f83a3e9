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
struct CUmod_st {
	std::map<string, CUfunc_st> functions;
};

static CUctx_st contexts[DEVICES];
static thread_local CUcontext bound;
static CUresult broken = CUDA_SUCCESS;
static size_t used;
static std::map<CUdeviceptr, size_t> held;

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

CUresult cuDeviceGetAttribute(int *v, CUdevice_attribute a, CUdevice) {
	switch (a) {
	case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *v = 8; break;
	case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *v = 0; break;
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
	return v > 163 << 10 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction f, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx, unsigned int by, unsigned int bz,
                        unsigned int shared, CUstream, void **parameters, void **) {
	READY();
	unsigned long long threads = 1ull * bx * by * bz;
	if (!threads || threads > f->threads || !gx || !gy || !gz || gx > 0x7fffffff || gy > 65535 || gz > 65535 || shared > f->shared)
		return CUDA_ERROR_INVALID_VALUE;
	std::vector<unsigned long long> cells(f->sizes.size(), 0xdeadbeefdeadbeefull);
	std::vector<void *> arguments;
	for (size_t i = 0; i < cells.size(); i++) {
		memcpy(&cells[i], parameters[i], f->sizes[i]);
		arguments.push_back(&cells[i]);
	}
	if (!emulator::launch(f->kernel, {gx, gy, gz}, {bx, by, bz}, shared, arguments.data())) broken = CUDA_ERROR_ILLEGAL_ADDRESS;
	return broken;
}

}  // extern "C"
