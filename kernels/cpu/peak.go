package cpu

import "time"

// Peak measures the float32 operations a second that one core does at most with
// the device's instruction set: multiply-adds between registers, the best of some
// tens of microseconds. It is 0 in plain Go.
func (d *Device) Peak() float64 {
	if d.simd == nil {
		return 0
	}
	const turns = 5000
	best := 0.0
	for range 10 {
		start := time.Now()
		operations := d.simd.peak(turns)
		best = max(best, float64(turns*operations)/time.Since(start).Seconds())
	}
	return best
}
