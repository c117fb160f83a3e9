package kernels

// A Holder is a device that gains from knowing that a tensor stays as it is
// while several products take it: it keeps what it makes of it to multiply.
type Holder interface {
	// Hold begins such a time for x, Release ends it. As often as x is held it has
	// to be released.
	Hold(x Tensor)
	Release(x Tensor)
}

// Hold tells dev, if it is a Holder, that nothing is written to x until Release.
func Hold(dev Device, x Tensor) {
	if h, ok := dev.(Holder); ok {
		h.Hold(x)
	}
}

// Release ends what Hold began.
func Release(dev Device, x Tensor) {
	if h, ok := dev.(Holder); ok {
		h.Release(x)
	}
}

func (d checked) Hold(x Tensor)    { Hold(d.Device, x) }
func (d checked) Release(x Tensor) { Release(d.Device, x) }
