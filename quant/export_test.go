package quant

// For the tests that compare with another program's values.
var (
	Mean           = mean
	QuantizeAround = quantizeAround
)
