package cpu

// InstructionSets lists the names of those that the processor has: plain Go, then
// the best first.
func InstructionSets() []string {
	names := []string{generic}
	for _, s := range instructionSets() {
		names = append(names, s.name)
	}
	return names
}

// OpenSet opens a device that uses one of them.
func OpenSet(name string, workers int) *Device {
	for _, s := range instructionSets() {
		if s.name == name {
			return newDevice(Config{Workers: workers}, s)
		}
	}
	return newDevice(Config{Workers: workers}, nil)
}
