// Package check looks for the faults of training data before anything is
// trained on it.
//
// A Checker looks at items as package data reads them, each by itself (what its
// texts and its tokens are like) and beside all others (duplicates,
// contradictions, what train and eval have in common). A Finding has a kind, a
// severity, the place and what to do about it; a Report sums them up with counts,
// lengths and languages. Clean writes the records that have no faults of some
// kinds, and Split parts records into train and eval so that nothing in one is
// nearly the same as something in the other.
//
// Records are looked at by all processors, and none is kept: a checker remembers
// some hashes of each. What looks like a secret or like personal data is named by its
// place and kind; nothing leaves the machine.
package check
