//go:build cuda

package cuda

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A bug is a change to one file of the kernels, the test that must fail with it,
// and what must be said: by the emulator, or where only values show it by the
// test.
type bug struct {
	name, file, from, to string
	test, says           string
}

var bugs = []bug{
	{"copy not waited for", "matmul_wide.cu", "			copy_wait<0>();\n", "", "TestProductsAgree", "read of what is still being copied"},
	{"no barrier in the loop", "matmul_wide.cu", "			__syncthreads();  // the tiles are whole", "			//", "TestProductsAgree", "without a barrier between"},
	{"no barrier after the map", "matmul_wide.cu", "		__syncthreads();  // the map is there\n", "", "TestProductsAgree", "read of shared memory never written"},
	{"one row too many", "tiles.h", "r >= rows ||", "r > rows ||", "TestProductsAgree", "write outside memory"},
	{"codes in the wrong order", "nf4.h", "permute_bytes(l, h, 0x4051)", "permute_bytes(l, h, 0x5140)", "TestProductsAgree", "gives other bits"},
	{"operands not fenced", "matmul_warpgroup.cu", "			fence_async();\n", "", "TestWarpgroupsAgree/40", "product of what is not fenced for it"},
	{"operands fenced too early", "matmul_warpgroup.cu", "			copy_wait<0>();\n			fence_async();\n", "			fence_async();\n			copy_wait<0>();\n", "TestWarpgroupsAgree/40", "product of what is not fenced for it"},
	{"products not waited for", "matmul_warpgroup.cu", "			warpgroup_wait<1>();\n", "", "TestWarpgroupsAgree/40", "write of what a product may still read"},
	{"too many products in flight", "matmul_warpgroup.cu", "warpgroup_wait<1>", "warpgroup_wait<2>", "TestWarpgroupsAgree/40", "write of what a product may still read"},
	{"sums not waited for", "matmul_warpgroup.cu", "		warpgroup_wait<0>();\n", "", "TestWarpgroupsAgree/40", "product never waited for"},
	{"no barrier before products", "matmul_warpgroup.cu", "			__syncthreads();  // the tiles are whole", "			//", "TestWarpgroupsAgree/40", "without a barrier between"},
	{"registers not fenced", "matmul_warpgroup.cu", "		warpgroup_fence();\n", "", "TestWarpgroupsAgree/40", "without a fence before"},
	{"a wrong stride of lines", "matmul_warpgroup.cu", "block = 8 * 64 * 2", "block = 4 * 64 * 2", "TestWarpgroupsAgree/40", "gives other bits"},
	{"a wrong stride of columns", "matmul_warpgroup.cu", "panel = DEPTH * 64 * 2", "panel = DEPTH * 32 * 2", "TestWarpgroupsAgree/40", "gives other bits"},
	{"rows of the other warpgroup", "matmul_warpgroup.cu", "threadIdx.x >> 7", "threadIdx.x >> 6", "TestWarpgroupsAgree/40", "different operands in one warpgroup"},
	{"ring not waited for", "matmul_few.cu", "		copy_wait<STAGES - 1>();\n", "", "TestProductsOfFewRowsAgree", "read of what is still being copied"},
	{"ring filled too early", "matmul_few.cu", "		__syncwarp();  // and have been read\n", "", "TestProductsOfFewRowsAgree", "write after a read without a barrier between"},
	{"no barrier after the pairs", "matmul_few.cu", "		__syncthreads();  // the pairs and the map are there\n", "", "TestProductsOfFewRowsAgree", "read of shared memory never written"},
	{"scales of other features", "matmul_few.cu", "shuffle_in_four(mine, 2 * d), high", "shuffle_in_four(mine, 2 * d + 1), high", "TestProductsOfFewRowsAgree", "of the length"},
	{"products mixed up", "matmul_few.cu", "p = second;", "p = first;", "TestJoinedProductsAgree", "two writes without a barrier between"},
	{"sums not there", "matmul_few.cu", "	__syncthreads();  // all sums are there\n", "", "TestProductsOfFewRowsAgree", "without a barrier between"},
	{"tiles not whole", "matmul.cu", "		__syncthreads();  // the tiles are whole, and the others have been read\n", "", "TestSuite/MatMul$", "without a barrier between"},
	{"fragments swapped", "matmul.cu", "left[i], right[0], right[1]", "left[i], right[1], right[0]", "TestSuite/MatMul$", "elements are wrong"},
	{"one column too many", "matmul.cu", "c < cols) use", "c <= cols) use", "TestSuite/MatMul$", "memory outside an operand changed"},
	{"keys not waited for", "flash.cu", "		copy_wait<1>();\n", "", "TestSuiteAligned/Attention$", "read of what is still being copied"},
	{"values not there", "flash.cu", "		copy_wait<0>();\n		__syncthreads();  // values are there\n", "		copy_wait<0>();\n", "TestSuiteAligned/Attention$", "without a barrier between"},
	{"tiles read over", "flash.cu", "		__syncthreads();  // both have been read\n", "", "TestSuiteAligned/Attention$", "without a barrier between"},
	{"a key too far", "flash.cu", "j <= t + shift &&", "j <= t + shift + 1 &&", "TestSuiteAligned/Attention$", "elements are wrong"},
	{"no sum over the row", "flash.cu", "		total[i] = over_row(total[i], [](float a, float b) { return a + b; });\n", "", "TestSuiteAligned/Attention$", "elements are wrong"},
	{"gradients read over", "flash.cu", "			__syncthreads();  // queries and gradients have been read\n", "", "TestSuiteAligned/AttentionGrad$", "without a barrier between"},
	{"no barrier between halves", "norm.cu", "scratch[threadIdx.x + half];\n		__syncthreads();\n	}\n	if (threadIdx.x == 0) sums", "scratch[threadIdx.x + half];\n	}\n	if (threadIdx.x == 0) sums", "TestSuite/SumSquares$", "without a barrier between"},
	{"no barrier after the bounds", "quantise.cu", "	__syncthreads();  // the bounds are there\n", "", "TestQuantizeAgrees", "without a barrier between"},
	{"the upper code on a midpoint", "quantise.cu", "if (v > bounds", "if (v >= bounds", "TestQuantizeAgrees", "codes differ"},
	{"sums collected too late", "quantise.cu", "		__syncthreads();  // and been collected\n", "", "TestMeanOfScales", "without a barrier between"},
	{"divergent barrier", "entropy.cu", "	__syncthreads();  // at_target has been read\n", "	if (threadIdx.x < 40) __syncthreads();\n", "TestSuite/CrossEntropy$", "barrier after threads have left"},
}

// Each bug, planted alone, is found.
func TestPlantedBugs(t *testing.T) {
	base := emulator(t)
	for _, b := range bugs {
		t.Run(b.name, func(t *testing.T) {
			sources := filepath.Join(t.TempDir(), "src")
			copied(t, "src", sources)
			edit(t, filepath.Join(sources, b.file), b.from, b.to)
			b.mustFail(t, base, "SRC="+sources)
		})
	}
}

// In the PTX, two registers of one operand are exchanged: nothing that looks at
// the sources can see that.
func TestPlantedInPTX(t *testing.T) {
	base := emulator(t)
	b := bug{test: "TestSuiteAligned/Attention$", says: "elements are wrong"}
	folder := filepath.Join(t.TempDir(), "ptx")
	copied(t, "ptx", folder)
	text, err := os.ReadFile("ptx/flash.ptx")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(text), "mma.sync") // the first
	line, _, _ = strings.Cut(line, "\n")
	operands := strings.Split(line, "{")
	a := strings.Split(operands[2], ",")
	a[0], a[1] = a[1], a[0]
	operands[2] = strings.Join(a, ",")
	edit(t, filepath.Join(folder, "flash.ptx"), line, strings.Join(operands, "{"))
	b.mustFail(t, filepath.Join(filepath.Dir(base), "ptx"), "PTX="+folder)
}

// emulator returns the folder where the checked emulator was built; its
// neighbour ptx has one of the PTX.
func emulator(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("GRAFT_EMULATOR_BUILT")
	if folder == "" {
		t.Skip("GRAFT_EMULATOR_BUILT names no folder with a built emulator: .ci/cuda does")
	}
	return folder
}

// mustFail builds an emulator from what was built in base and a folder with a
// bug, and runs the bug's test on it.
func (b bug) mustFail(t *testing.T, base, sources string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "built")
	copied(t, base, out)
	if text, err := exec.Command("make", "-s", "-C", "_emulator", "OUT="+out, sources).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	run := exec.Command(os.Args[0], "-test.run=^"+strings.ReplaceAll(b.test, "/", "$/^"))
	run.Env = append(os.Environ(), "GRAFT_CUDA_DRIVER="+filepath.Join(out, "libcuda.so.1"))
	text, err := run.CombinedOutput()
	if err == nil || !strings.Contains(string(text), b.says) {
		t.Errorf("%s, %v, without saying %q:\n%.2000s", b.test, err, b.says, text)
	}
}

// copied copies a folder, with times, so that make builds what differs.
func copied(t *testing.T, from, to string) {
	t.Helper()
	if text, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

// edit replaces text that a file has exactly once, or at its first place.
func edit(t *testing.T, file, from, to string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), from, to, 1)
	if changed == string(text) {
		t.Fatalf("%s has no %q", file, from)
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}
