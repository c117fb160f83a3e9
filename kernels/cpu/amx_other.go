//go:build amd64 && !linux && !purego

package cpu

// allowAMX reports that the matrix unit may not be used: how to ask for it is
// known for Linux only.
func allowAMX() bool { return false }
