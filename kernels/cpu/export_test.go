package cpu

// InstructionSets lists the names of those that the processor has.
func InstructionSets() []string {
	names := []string{generic}
	for _, s := range instructionSets() {
		names = append(names, s.name)
	}
	return names
}
