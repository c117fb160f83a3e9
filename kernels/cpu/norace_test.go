//go:build !race

package cpu

// everySize is the step between the sizes that are tested.
const everySize = 1
