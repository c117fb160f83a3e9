package cpu

// What operations borrow while they run, for plans of memory.
const (
	Panel       = panel              // vectors of a packed panel
	PackFloats  = packFloats         // most of the left operand that is packed at once
	BlockFloats = blockUnits * panel // longest packed block of a panel
	TaskCols    = bandCols           // most columns of the right operand that a task packs
	StripRows   = stripRows          // queries of a head that are computed at once
)
