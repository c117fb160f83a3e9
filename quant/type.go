package quant

import (
	"fmt"
	"slices"
	"strings"
)

// A Type says what the codes of a tensor are.
type Type uint8

// The types of bitsandbytes. A 4-bit one is a table of 16 values between -1 and 1.
const (
	// NF4 has the quantiles of a normal distribution (QLoRA, appendix E).
	NF4 Type = iota
	// FP4 is a float with a sign, two bits of exponent and one of fraction.
	FP4
	// Int8 has the integers from -127 to 127, over 127, and a scale a row (LLM.int8).
	Int8
)

var typeNames = [...]string{NF4: "nf4", FP4: "fp4", Int8: "int8"}

// fourBits has the names of the 4-bit types.
var fourBits = typeNames[:Int8]

var typeValues = [...][16]float32{
	NF4: {
		-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
		-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
		0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
		0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
	},
	FP4: {
		0, 0.0625 / 12, 8. / 12, 1, 4. / 12, 6. / 12, 2. / 12, 3. / 12,
		0, -0.0625 / 12, -8. / 12, -1, -4. / 12, -6. / 12, -2. / 12, -3. / 12,
	},
}

// typeOrders has the codes of each type by ascending value. Of FP4's two zeros
// the one with the sign comes second, as bitsandbytes sorts them.
var typeOrders = [...][16]uint8{
	NF4: {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	FP4: {11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3},
}

// ParseType returns the type of that name: "nf4", "fp4" or "int8".
func ParseType(name string) (Type, error) {
	i, err := lookup(typeNames[:], name)
	if err != nil {
		return 0, fmt.Errorf("quant: type %w", err)
	}
	return Type(i), nil
}

func lookup(names []string, name string) (int, error) {
	i := slices.Index(names, name)
	if i < 0 {
		return 0, fmt.Errorf("%q is unknown; known are %s", name, strings.Join(names, ", "))
	}
	return i, nil
}

// String returns the name of the type.
func (t Type) String() string {
	if !t.valid() {
		return fmt.Sprintf("Type(%d)", uint8(t))
	}
	return typeNames[t]
}

func (t Type) valid() bool { return int(t) < len(typeNames) }

// Values returns the value of each code of a 4-bit type.
func (t Type) Values() [16]float32 { return typeValues[t] }

// midpoints returns the bounds between neighbouring values, rounded to float32.
func (t Type) midpoints() (m [15]float32) {
	values, order := typeValues[t], typeOrders[t]
	for i := range m {
		m[i] = (values[order[i]] + values[order[i+1]]) / 2
	}
	return m
}
