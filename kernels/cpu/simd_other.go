//go:build (!amd64 && !arm64) || purego

package cpu

// instructionSets returns none: plain Go it is.
func instructionSets() []*simd { return nil }
