//go:build cuda

// Trampolines: every function of the CUDA driver that include/cuda.h declares,
// defined here. Each finds its symbol in the driver's library when it is first
// called, so that a program links without the library and starts without it.
#include <cuda.h>
#include <stdlib.h>

#ifdef _WIN32
#include <windows.h>
#define LIBRARY "nvcuda.dll"
static void *load(const char *path) { return (void *)LoadLibraryA(path); }
static void *symbol(void *library, const char *name) { return (void *)GetProcAddress((HMODULE)library, name); }
#define HIDDEN
#else
#include <dlfcn.h>
#define LIBRARY "libcuda.so.1"
static void *load(const char *path) { return dlopen(path, RTLD_NOW | RTLD_LOCAL); }
static void *symbol(void *library, const char *name) { return dlsym(library, name); }
#define HIDDEN __attribute__((visibility("hidden")))
#endif

// The library, and what its cuInit returned: published by the last store to
// state. Two threads that come first may both do the work, with one result.
static void *library;
static CUresult init_result = CUDA_ERROR_STUB_LIBRARY;
static int started;

HIDDEN int driver_start(void) {
	if (!__atomic_load_n(&started, __ATOMIC_ACQUIRE)) {
		const char *path = getenv("GRAFT_CUDA_DRIVER");
		void *found = load(path && *path ? path : LIBRARY);
		if (found) {
			CUresult(CUDAAPI *init)(unsigned int) = (CUresult(CUDAAPI *)(unsigned int))symbol(found, "cuInit");
			init_result = init ? init(0) : CUDA_ERROR_NOT_FOUND;
		}
		__atomic_store_n(&library, found, __ATOMIC_RELEASE);
		__atomic_store_n(&started, 1, __ATOMIC_RELEASE);
	}
	return (int)init_result;
}

HIDDEN int driver_loaded(void) {
	driver_start();
	return __atomic_load_n(&library, __ATOMIC_ACQUIRE) != NULL;
}

static void *find(const char *name, void **slot) {
	void *f = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
	if (!f && driver_loaded()) {
		f = symbol(library, name);
		__atomic_store_n(slot, f, __ATOMIC_RELEASE);
	}
	return f;
}

// gorgonia.org/cu calls cuInit as the program starts and ends the process if
// that fails. So it succeeds here, and driver_start has the real result.
HIDDEN CUresult CUDAAPI cuInit(unsigned int flags) {
	(void)flags;
	return CUDA_SUCCESS;
}

#define TRAMPOLINE(name, parameters, arguments) \
	HIDDEN CUresult CUDAAPI name parameters { \
		static void *slot; \
		CUresult(CUDAAPI *call) parameters = (CUresult(CUDAAPI *) parameters)find(#name, &slot); \
		return call ? call arguments : library ? CUDA_ERROR_NOT_FOUND : CUDA_ERROR_STUB_LIBRARY; \
	}

TRAMPOLINE(cuArray3DCreate_v2, (CUarray *a, const CUDA_ARRAY3D_DESCRIPTOR *b), (a, b))
TRAMPOLINE(cuArray3DGetDescriptor_v2, (CUDA_ARRAY3D_DESCRIPTOR *a, CUarray b), (a, b))
TRAMPOLINE(cuArrayCreate_v2, (CUarray *a, const CUDA_ARRAY_DESCRIPTOR *b), (a, b))
TRAMPOLINE(cuArrayDestroy, (CUarray a), (a))
TRAMPOLINE(cuArrayGetDescriptor_v2, (CUDA_ARRAY_DESCRIPTOR *a, CUarray b), (a, b))
TRAMPOLINE(cuCtxCreate_v2, (CUcontext *a, unsigned int b, CUdevice c), (a, b, c))
TRAMPOLINE(cuCtxDestroy_v2, (CUcontext a), (a))
TRAMPOLINE(cuCtxDisablePeerAccess, (CUcontext a), (a))
TRAMPOLINE(cuCtxEnablePeerAccess, (CUcontext a, unsigned int b), (a, b))
TRAMPOLINE(cuCtxGetApiVersion, (CUcontext a, unsigned int *b), (a, b))
TRAMPOLINE(cuCtxGetCacheConfig, (CUfunc_cache *a), (a))
TRAMPOLINE(cuCtxGetCurrent, (CUcontext *a), (a))
TRAMPOLINE(cuCtxGetDevice, (CUdevice *a), (a))
TRAMPOLINE(cuCtxGetFlags, (unsigned int *a), (a))
TRAMPOLINE(cuCtxGetLimit, (size_t *a, CUlimit b), (a, b))
TRAMPOLINE(cuCtxGetSharedMemConfig, (CUsharedconfig *a), (a))
TRAMPOLINE(cuCtxGetStreamPriorityRange, (int *a, int *b), (a, b))
TRAMPOLINE(cuCtxPopCurrent_v2, (CUcontext *a), (a))
TRAMPOLINE(cuCtxPushCurrent_v2, (CUcontext a), (a))
TRAMPOLINE(cuCtxResetPersistingL2Cache, (void), ())
TRAMPOLINE(cuCtxSetCacheConfig, (CUfunc_cache a), (a))
TRAMPOLINE(cuCtxSetCurrent, (CUcontext a), (a))
TRAMPOLINE(cuCtxSetLimit, (CUlimit a, size_t b), (a, b))
TRAMPOLINE(cuCtxSetSharedMemConfig, (CUsharedconfig a), (a))
TRAMPOLINE(cuCtxSynchronize, (void), ())
TRAMPOLINE(cuDeviceCanAccessPeer, (int *a, CUdevice b, CUdevice c), (a, b, c))
TRAMPOLINE(cuDeviceGet, (CUdevice *a, int b), (a, b))
TRAMPOLINE(cuDeviceGetAttribute, (int *a, CUdevice_attribute b, CUdevice c), (a, b, c))
TRAMPOLINE(cuDeviceGetCount, (int *a), (a))
TRAMPOLINE(cuDeviceGetDefaultMemPool, (CUmemoryPool *a, CUdevice b), (a, b))
TRAMPOLINE(cuDeviceGetName, (char *a, int b, CUdevice c), (a, b, c))
TRAMPOLINE(cuDeviceGetP2PAttribute, (int *a, CUdevice_P2PAttribute b, CUdevice c, CUdevice d), (a, b, c, d))
TRAMPOLINE(cuDeviceGetUuid, (CUuuid *a, CUdevice b), (a, b))
TRAMPOLINE(cuDevicePrimaryCtxGetState, (CUdevice a, unsigned int *b, int *c), (a, b, c))
TRAMPOLINE(cuDevicePrimaryCtxRelease_v2, (CUdevice a), (a))
TRAMPOLINE(cuDevicePrimaryCtxReset_v2, (CUdevice a), (a))
TRAMPOLINE(cuDevicePrimaryCtxRetain, (CUcontext *a, CUdevice b), (a, b))
TRAMPOLINE(cuDevicePrimaryCtxSetFlags_v2, (CUdevice a, unsigned int b), (a, b))
TRAMPOLINE(cuDeviceTotalMem_v2, (size_t *a, CUdevice b), (a, b))
TRAMPOLINE(cuDriverGetVersion, (int *a), (a))
TRAMPOLINE(cuEventCreate, (CUevent *a, unsigned int b), (a, b))
TRAMPOLINE(cuEventDestroy_v2, (CUevent a), (a))
TRAMPOLINE(cuEventElapsedTime, (float *a, CUevent b, CUevent c), (a, b, c))
TRAMPOLINE(cuEventQuery, (CUevent a), (a))
TRAMPOLINE(cuEventRecord, (CUevent a, CUstream b), (a, b))
TRAMPOLINE(cuEventSynchronize, (CUevent a), (a))
TRAMPOLINE(cuFuncGetAttribute, (int *a, CUfunction_attribute b, CUfunction c), (a, b, c))
TRAMPOLINE(cuFuncSetAttribute, (CUfunction a, CUfunction_attribute b, int c), (a, b, c))
TRAMPOLINE(cuFuncSetCacheConfig, (CUfunction a, CUfunc_cache b), (a, b))
TRAMPOLINE(cuFuncSetSharedMemConfig, (CUfunction a, CUsharedconfig b), (a, b))
TRAMPOLINE(cuGetErrorName, (CUresult a, const char **b), (a, b))
TRAMPOLINE(cuGetErrorString, (CUresult a, const char **b), (a, b))
TRAMPOLINE(cuGraphAddChildGraphNode, (CUgraphNode *a, CUgraph b, const CUgraphNode *c, size_t d, CUgraph e), (a, b, c, d, e))
TRAMPOLINE(cuGraphAddDependencies, (CUgraph a, const CUgraphNode *b, const CUgraphNode *c, size_t d), (a, b, c, d))
TRAMPOLINE(cuGraphAddEmptyNode, (CUgraphNode *a, CUgraph b, const CUgraphNode *c, size_t d), (a, b, c, d))
TRAMPOLINE(cuGraphAddHostNode, (CUgraphNode *a, CUgraph b, const CUgraphNode *c, size_t d, const CUDA_HOST_NODE_PARAMS *e), (a, b, c, d, e))
TRAMPOLINE(cuGraphAddKernelNode_v2, (CUgraphNode *a, CUgraph b, const CUgraphNode *c, size_t d, const CUDA_KERNEL_NODE_PARAMS *e), (a, b, c, d, e))
TRAMPOLINE(cuGraphAddMemcpyNode, (CUgraphNode *a, CUgraph b, const CUgraphNode *c, size_t d, const CUDA_MEMCPY3D *e, CUcontext f), (a, b, c, d, e, f))
TRAMPOLINE(cuGraphAddMemsetNode, (CUgraphNode *a, CUgraph b, const CUgraphNode *c, size_t d, const CUDA_MEMSET_NODE_PARAMS *e, CUcontext f), (a, b, c, d, e, f))
TRAMPOLINE(cuGraphClone, (CUgraph *a, CUgraph b), (a, b))
TRAMPOLINE(cuGraphCreate, (CUgraph *a, unsigned int b), (a, b))
TRAMPOLINE(cuGraphDestroy, (CUgraph a), (a))
TRAMPOLINE(cuGraphDestroyNode, (CUgraphNode a), (a))
TRAMPOLINE(cuGraphExecDestroy, (CUgraphExec a), (a))
TRAMPOLINE(cuGraphExecKernelNodeSetParams_v2, (CUgraphExec a, CUgraphNode b, const CUDA_KERNEL_NODE_PARAMS *c), (a, b, c))
TRAMPOLINE(cuGraphGetEdges, (CUgraph a, CUgraphNode *b, CUgraphNode *c, size_t *d), (a, b, c, d))
TRAMPOLINE(cuGraphInstantiateWithFlags, (CUgraphExec *a, CUgraph b, unsigned long long c), (a, b, c))
TRAMPOLINE(cuGraphLaunch, (CUgraphExec a, CUstream b), (a, b))
TRAMPOLINE(cuLaunchKernel, (CUfunction a, unsigned int b, unsigned int c, unsigned int d, unsigned int e, unsigned int f, unsigned int g, unsigned int h, CUstream i, void **j, void **k), (a, b, c, d, e, f, g, h, i, j, k))
TRAMPOLINE(cuLinkAddData_v2, (CUlinkState a, CUjitInputType b, void *c, size_t d, const char *e, unsigned int f, CUjit_option *g, void **h), (a, b, c, d, e, f, g, h))
TRAMPOLINE(cuLinkAddFile_v2, (CUlinkState a, CUjitInputType b, const char *c, unsigned int d, CUjit_option *e, void **f), (a, b, c, d, e, f))
TRAMPOLINE(cuLinkComplete, (CUlinkState a, void **b, size_t *c), (a, b, c))
TRAMPOLINE(cuLinkCreate_v2, (unsigned int a, CUjit_option *b, void **c, CUlinkState *d), (a, b, c, d))
TRAMPOLINE(cuLinkDestroy, (CUlinkState a), (a))
TRAMPOLINE(cuMemAdvise, (CUdeviceptr a, size_t b, CUmem_advise c, CUdevice d), (a, b, c, d))
TRAMPOLINE(cuMemAllocAsync, (CUdeviceptr *a, size_t b, CUstream c), (a, b, c))
TRAMPOLINE(cuMemAllocManaged, (CUdeviceptr *a, size_t b, unsigned int c), (a, b, c))
TRAMPOLINE(cuMemAllocPitch_v2, (CUdeviceptr *a, size_t *b, size_t c, size_t d, unsigned int e), (a, b, c, d, e))
TRAMPOLINE(cuMemAlloc_v2, (CUdeviceptr *a, size_t b), (a, b))
TRAMPOLINE(cuMemFreeAsync, (CUdeviceptr a, CUstream b), (a, b))
TRAMPOLINE(cuMemFreeHost, (void *a), (a))
TRAMPOLINE(cuMemFree_v2, (CUdeviceptr a), (a))
TRAMPOLINE(cuMemGetAddressRange_v2, (CUdeviceptr *a, size_t *b, CUdeviceptr c), (a, b, c))
TRAMPOLINE(cuMemGetInfo_v2, (size_t *a, size_t *b), (a, b))
TRAMPOLINE(cuMemHostAlloc, (void **a, size_t b, unsigned int c), (a, b, c))
TRAMPOLINE(cuMemHostGetDevicePointer_v2, (CUdeviceptr *a, void *b, unsigned int c), (a, b, c))
TRAMPOLINE(cuMemPoolSetAttribute, (CUmemoryPool a, CUmemPool_attribute b, void *c), (a, b, c))
TRAMPOLINE(cuMemPrefetchAsync, (CUdeviceptr a, size_t b, CUdevice c, CUstream d), (a, b, c, d))
TRAMPOLINE(cuMemcpy, (CUdeviceptr a, CUdeviceptr b, size_t c), (a, b, c))
TRAMPOLINE(cuMemcpy2DAsync_v2, (const CUDA_MEMCPY2D *a, CUstream b), (a, b))
TRAMPOLINE(cuMemcpy2DUnaligned_v2, (const CUDA_MEMCPY2D *a), (a))
TRAMPOLINE(cuMemcpy2D_v2, (const CUDA_MEMCPY2D *a), (a))
TRAMPOLINE(cuMemcpy3DAsync_v2, (const CUDA_MEMCPY3D *a, CUstream b), (a, b))
TRAMPOLINE(cuMemcpy3DPeer, (const CUDA_MEMCPY3D_PEER *a), (a))
TRAMPOLINE(cuMemcpy3DPeerAsync, (const CUDA_MEMCPY3D_PEER *a, CUstream b), (a, b))
TRAMPOLINE(cuMemcpy3D_v2, (const CUDA_MEMCPY3D *a), (a))
TRAMPOLINE(cuMemcpyAsync, (CUdeviceptr a, CUdeviceptr b, size_t c, CUstream d), (a, b, c, d))
TRAMPOLINE(cuMemcpyAtoA_v2, (CUarray a, size_t b, CUarray c, size_t d, size_t e), (a, b, c, d, e))
TRAMPOLINE(cuMemcpyAtoD_v2, (CUdeviceptr a, CUarray b, size_t c, size_t d), (a, b, c, d))
TRAMPOLINE(cuMemcpyAtoHAsync_v2, (void *a, CUarray b, size_t c, size_t d, CUstream e), (a, b, c, d, e))
TRAMPOLINE(cuMemcpyAtoH_v2, (void *a, CUarray b, size_t c, size_t d), (a, b, c, d))
TRAMPOLINE(cuMemcpyDtoA_v2, (CUarray a, size_t b, CUdeviceptr c, size_t d), (a, b, c, d))
TRAMPOLINE(cuMemcpyDtoDAsync_v2, (CUdeviceptr a, CUdeviceptr b, size_t c, CUstream d), (a, b, c, d))
TRAMPOLINE(cuMemcpyDtoD_v2, (CUdeviceptr a, CUdeviceptr b, size_t c), (a, b, c))
TRAMPOLINE(cuMemcpyDtoHAsync_v2, (void *a, CUdeviceptr b, size_t c, CUstream d), (a, b, c, d))
TRAMPOLINE(cuMemcpyDtoH_v2, (void *a, CUdeviceptr b, size_t c), (a, b, c))
TRAMPOLINE(cuMemcpyHtoAAsync_v2, (CUarray a, size_t b, const void *c, size_t d, CUstream e), (a, b, c, d, e))
TRAMPOLINE(cuMemcpyHtoA_v2, (CUarray a, size_t b, const void *c, size_t d), (a, b, c, d))
TRAMPOLINE(cuMemcpyHtoDAsync_v2, (CUdeviceptr a, const void *b, size_t c, CUstream d), (a, b, c, d))
TRAMPOLINE(cuMemcpyHtoD_v2, (CUdeviceptr a, const void *b, size_t c), (a, b, c))
TRAMPOLINE(cuMemcpyPeer, (CUdeviceptr a, CUcontext b, CUdeviceptr c, CUcontext d, size_t e), (a, b, c, d, e))
TRAMPOLINE(cuMemcpyPeerAsync, (CUdeviceptr a, CUcontext b, CUdeviceptr c, CUcontext d, size_t e, CUstream f), (a, b, c, d, e, f))
TRAMPOLINE(cuMemsetD16Async, (CUdeviceptr a, unsigned short b, size_t c, CUstream d), (a, b, c, d))
TRAMPOLINE(cuMemsetD16_v2, (CUdeviceptr a, unsigned short b, size_t c), (a, b, c))
TRAMPOLINE(cuMemsetD2D16Async, (CUdeviceptr a, size_t b, unsigned short c, size_t d, size_t e, CUstream f), (a, b, c, d, e, f))
TRAMPOLINE(cuMemsetD2D16_v2, (CUdeviceptr a, size_t b, unsigned short c, size_t d, size_t e), (a, b, c, d, e))
TRAMPOLINE(cuMemsetD2D32Async, (CUdeviceptr a, size_t b, unsigned int c, size_t d, size_t e, CUstream f), (a, b, c, d, e, f))
TRAMPOLINE(cuMemsetD2D32_v2, (CUdeviceptr a, size_t b, unsigned int c, size_t d, size_t e), (a, b, c, d, e))
TRAMPOLINE(cuMemsetD2D8Async, (CUdeviceptr a, size_t b, unsigned char c, size_t d, size_t e, CUstream f), (a, b, c, d, e, f))
TRAMPOLINE(cuMemsetD2D8_v2, (CUdeviceptr a, size_t b, unsigned char c, size_t d, size_t e), (a, b, c, d, e))
TRAMPOLINE(cuMemsetD32Async, (CUdeviceptr a, unsigned int b, size_t c, CUstream d), (a, b, c, d))
TRAMPOLINE(cuMemsetD32_v2, (CUdeviceptr a, unsigned int b, size_t c), (a, b, c))
TRAMPOLINE(cuMemsetD8Async, (CUdeviceptr a, unsigned char b, size_t c, CUstream d), (a, b, c, d))
TRAMPOLINE(cuMemsetD8_v2, (CUdeviceptr a, unsigned char b, size_t c), (a, b, c))
TRAMPOLINE(cuModuleGetFunction, (CUfunction *a, CUmodule b, const char *c), (a, b, c))
TRAMPOLINE(cuModuleGetGlobal_v2, (CUdeviceptr *a, size_t *b, CUmodule c, const char *d), (a, b, c, d))
TRAMPOLINE(cuModuleGetSurfRef, (CUsurfref *a, CUmodule b, const char *c), (a, b, c))
TRAMPOLINE(cuModuleGetTexRef, (CUtexref *a, CUmodule b, const char *c), (a, b, c))
TRAMPOLINE(cuModuleLoad, (CUmodule *a, const char *b), (a, b))
TRAMPOLINE(cuModuleLoadData, (CUmodule *a, const void *b), (a, b))
TRAMPOLINE(cuModuleLoadDataEx, (CUmodule *a, const void *b, unsigned int c, CUjit_option *d, void **e), (a, b, c, d, e))
TRAMPOLINE(cuModuleLoadFatBinary, (CUmodule *a, const void *b), (a, b))
TRAMPOLINE(cuModuleUnload, (CUmodule a), (a))
TRAMPOLINE(cuOccupancyMaxActiveBlocksPerMultiprocessor, (int *a, CUfunction b, int c, size_t d), (a, b, c, d))
TRAMPOLINE(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags, (int *a, CUfunction b, int c, size_t d, unsigned int e), (a, b, c, d, e))
TRAMPOLINE(cuPointerGetAttribute, (void *a, CUpointer_attribute b, CUdeviceptr c), (a, b, c))
TRAMPOLINE(cuPointerSetAttribute, (const void *a, CUpointer_attribute b, CUdeviceptr c), (a, b, c))
TRAMPOLINE(cuStreamAttachMemAsync, (CUstream a, CUdeviceptr b, size_t c, unsigned int d), (a, b, c, d))
TRAMPOLINE(cuStreamBeginCapture_v2, (CUstream a, CUstreamCaptureMode b), (a, b))
TRAMPOLINE(cuStreamCreate, (CUstream *a, unsigned int b), (a, b))
TRAMPOLINE(cuStreamCreateWithPriority, (CUstream *a, unsigned int b, int c), (a, b, c))
TRAMPOLINE(cuStreamDestroy_v2, (CUstream a), (a))
TRAMPOLINE(cuStreamEndCapture, (CUstream a, CUgraph *b), (a, b))
TRAMPOLINE(cuStreamGetFlags, (CUstream a, unsigned int *b), (a, b))
TRAMPOLINE(cuStreamGetPriority, (CUstream a, int *b), (a, b))
TRAMPOLINE(cuStreamIsCapturing, (CUstream a, CUstreamCaptureStatus *b), (a, b))
TRAMPOLINE(cuStreamQuery, (CUstream a), (a))
TRAMPOLINE(cuStreamSynchronize, (CUstream a), (a))
TRAMPOLINE(cuStreamWaitEvent, (CUstream a, CUevent b, unsigned int c), (a, b, c))
TRAMPOLINE(cuStreamWaitValue32_v2, (CUstream a, CUdeviceptr b, uint32_t c, unsigned int d), (a, b, c, d))
TRAMPOLINE(cuStreamWriteValue32_v2, (CUstream a, CUdeviceptr b, uint32_t c, unsigned int d), (a, b, c, d))
TRAMPOLINE(cuSurfRefGetArray, (CUarray *a, CUsurfref b), (a, b))
TRAMPOLINE(cuSurfRefSetArray, (CUsurfref a, CUarray b, unsigned int c), (a, b, c))
TRAMPOLINE(cuTexRefGetAddressMode, (CUaddress_mode *a, CUtexref b, int c), (a, b, c))
TRAMPOLINE(cuTexRefGetAddress_v2, (CUdeviceptr *a, CUtexref b), (a, b))
TRAMPOLINE(cuTexRefGetArray, (CUarray *a, CUtexref b), (a, b))
TRAMPOLINE(cuTexRefGetBorderColor, (float *a, CUtexref b), (a, b))
TRAMPOLINE(cuTexRefGetFilterMode, (CUfilter_mode *a, CUtexref b), (a, b))
TRAMPOLINE(cuTexRefGetFlags, (unsigned int *a, CUtexref b), (a, b))
TRAMPOLINE(cuTexRefGetFormat, (CUarray_format *a, int *b, CUtexref c), (a, b, c))
TRAMPOLINE(cuTexRefGetMaxAnisotropy, (int *a, CUtexref b), (a, b))
TRAMPOLINE(cuTexRefSetAddress2D_v3, (CUtexref a, const CUDA_ARRAY_DESCRIPTOR *b, CUdeviceptr c, size_t d), (a, b, c, d))
TRAMPOLINE(cuTexRefSetAddressMode, (CUtexref a, int b, CUaddress_mode c), (a, b, c))
TRAMPOLINE(cuTexRefSetAddress_v2, (size_t *a, CUtexref b, CUdeviceptr c, size_t d), (a, b, c, d))
TRAMPOLINE(cuTexRefSetArray, (CUtexref a, CUarray b, unsigned int c), (a, b, c))
TRAMPOLINE(cuTexRefSetBorderColor, (CUtexref a, float *b), (a, b))
TRAMPOLINE(cuTexRefSetFilterMode, (CUtexref a, CUfilter_mode b), (a, b))
TRAMPOLINE(cuTexRefSetFlags, (CUtexref a, unsigned int b), (a, b))
TRAMPOLINE(cuTexRefSetFormat, (CUtexref a, CUarray_format b, int c), (a, b, c))
TRAMPOLINE(cuTexRefSetMaxAnisotropy, (CUtexref a, unsigned int b), (a, b))
TRAMPOLINE(cuTexRefSetMipmapFilterMode, (CUtexref a, CUfilter_mode b), (a, b))
TRAMPOLINE(cuTexRefSetMipmapLevelBias, (CUtexref a, float b), (a, b))
TRAMPOLINE(cuTexRefSetMipmapLevelClamp, (CUtexref a, float b, float c), (a, b, c))
