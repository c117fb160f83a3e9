//go:build race

package kerneltest

// stride: under the race detector, which slows loops tenfold and does not look
// at values, every third case will do.
const stride = 3
