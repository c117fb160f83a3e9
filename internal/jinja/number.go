package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// integer returns n as int64 where that holds it.
func integer(n *big.Int) Value {
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

// asInt returns an integer, which True and False are too.
func asInt(v Value) (*big.Int, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return big.NewInt(1), true
		}
		return new(big.Int), true
	case int64:
		return big.NewInt(v), true
	case *big.Int:
		return v, true
	}
	return nil, false
}

// asFloat returns a number as a float.
func asFloat(v Value) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	n, ok := asInt(v)
	if !ok {
		return 0, false
	}
	f, _ := new(big.Float).SetInt(n).Float64()
	if math.IsInf(f, 0) {
		throw("int too large to convert to float")
	}
	return f, true
}

// isNumber tells whether v is an integer or a float.
func isNumber(v Value) bool {
	switch v.(type) {
	case bool, int64, *big.Int, float64:
		return true
	}
	return false
}

// smallInt returns v as an int for positions and counts; what does not fit becomes the nearest that does.
func smallInt(v Value) (int, bool) {
	n, ok := asInt(v)
	if !ok {
		return 0, false
	}
	if !n.IsInt64() {
		return math.MaxInt32 * n.Sign(), true
	}
	return int(max(min(n.Int64(), math.MaxInt32), math.MinInt32)), true
}

// mustInt is smallInt for the argument of a function.
func mustInt(v Value) int {
	n, ok := smallInt(v)
	if !ok {
		mustDefined(v)
		throw("'%s' object cannot be interpreted as an integer", typeName(v))
	}
	return n
}

// formatFloat is Python's repr of a float.
func formatFloat(f float64) string {
	switch {
	case math.IsInf(f, 0):
		return map[bool]string{true: "inf", false: "-inf"}[f > 0]
	case math.IsNaN(f):
		return "nan"
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	if exp, _ := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:]); f != 0 && (exp < -4 || exp >= 16) {
		return s
	}
	if s = strconv.FormatFloat(f, 'f', -1, 64); strings.Contains(s, ".") {
		return s
	}
	return s + ".0"
}

// parseInt is Python's int(s, base); false if s is not an integer.
func parseInt(s string, base int) (Value, bool) {
	s = strings.TrimFunc(s, IsSpace)
	sign := signOf(s)
	digits := strings.ToLower(s[len(sign):])
	if len(digits) > 1 && digits[0] == '0' {
		prefix := map[byte]int{'b': 2, 'o': 8, 'x': 16}[digits[1]]
		if prefix > 0 && (base == 0 || base == prefix) {
			base, digits = prefix, strings.TrimPrefix(digits[2:], "_")
		} else if base == 0 && strings.Trim(digits, "0_") != "" {
			return nil, false
		}
	}
	if base == 0 {
		base = 10
	}
	if !underscoresOK(digits) || len(digits) > 4300 { // Python's limit
		return nil, false
	}
	n, ok := new(big.Int).SetString(sign+strings.ReplaceAll(asciiDigits(digits), "_", ""), base)
	if !ok || strings.ContainsAny(digits, "+-") {
		return nil, false
	}
	return integer(n), true
}

// underscoresOK tells whether underscores stand only between other characters.
func underscoresOK(s string) bool {
	return s != "" && s[0] != '_' && s[len(s)-1] != '_' && !strings.Contains(s, "__")
}

// parseFloat is Python's float(s); false if s is not a number.
func parseFloat(s string) (float64, bool) {
	s = asciiDigits(strings.TrimFunc(s, IsSpace))
	lower := strings.ToLower(s)
	if !underscoresOK(s) || strings.ContainsAny(lower, "xp") || strings.Contains(s, "_.") || strings.Contains(s, "._") {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	return f, err == nil || math.IsInf(f, 0)
}

// toInt is Python's int(v) of a number; false for infinities and for what is not a number.
func toInt(v Value) (Value, bool) {
	if n, ok := asInt(v); ok {
		return integer(n), true
	}
	f, ok := v.(float64)
	if !ok || math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, false
	}
	n, _ := big.NewFloat(f).Int(nil)
	return integer(n), true
}
