//go:build !race

package kerneltest

// stride: every case runs.
const stride = 1
