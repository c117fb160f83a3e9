package kerneltest

// unit is the largest relative error of rounding to float32.
const unit = 0x1p-24

// tiny is the smallest normal float32: a device may take what is smaller for 0.
const tiny = 0x1p-126

// A bound says how far from the reference a sound device may be. A result is a
// sum; its size is the same sum of absolute values. To first order
//
//	|got - want| ≤ storing·|want| + (terms·2^-24 + casts·Epsilon)·size
//
// where storing is the rounding of the element when it is kept, terms counts
// the float32 roundings that any one summand can pass through, in whatever order
// it is summed (so about the length of the sum), and casts how many of its
// factors the device may round as activations, as matrix units do.
type bound struct{ terms, casts float64 }

func (r bound) tolerance(storing, epsilon, want, size float64) float64 {
	if want < 0 {
		want = -want
	}
	return storing*want + (r.terms*unit+r.casts*epsilon)*size + tiny
}

// sum is the bound of a float32 sum of n products.
func sum(n int) bound { return bound{terms: float64(n) + 4} }

// product is the bound of a product of matrices: both operands may be cast.
func product(n int) bound { return bound{terms: float64(n) + 4, casts: 2} }
