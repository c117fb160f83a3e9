package jinja

import (
	"math"
	"math/big"
)

// maxBits limits the integers that a template can make.
const maxBits = 1 << 16

// binary is Python's a op b for an arithmetic operator.
func binary(op string, a, b Value) Value {
	mustDefined(a)
	if s, ok := text(a); ok && op == "%" {
		return likeText(a, percent(a, s, b))
	}
	mustDefined(b)
	if isNumber(a) && isNumber(b) {
		return numeric(op, a, b)
	}
	switch op {
	case "+":
		if v, ok := join(a, b); ok {
			return v
		}
	case "*":
		if v, ok := times(a, b); ok {
			return v
		}
		if v, ok := times(b, a); ok {
			return v
		}
	}
	throw("unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(a), typeName(b))
	return nil
}

// join is + of text, lists or tuples.
func join(a, b Value) (Value, bool) {
	if x, ok := text(a); ok {
		y, ok := text(b)
		if !ok {
			return nil, false
		}
		return joinText(a, b, x, y), true
	}
	switch x := a.(type) {
	case *List:
		if y, ok := b.(*List); ok {
			return list(joinItems(x.Items, y.Items)...), true
		}
	case *Tuple:
		if y, ok := b.(*Tuple); ok {
			return tuple(joinItems(x.Items, y.Items)...), true
		}
	}
	return nil, false
}

// joinText is + of text; where one is markup the other is escaped.
func joinText(a, b Value, x, y string) Value {
	checkText(len(x) + len(y))
	_, am := a.(markup)
	_, bm := b.(markup)
	if !am && !bm {
		return x + y
	}
	return markup(escape(a) + escape(b))
}

func joinItems(a, b []Value) []Value {
	checkText(16 * (len(a) + len(b)))
	return append(append(make([]Value, 0, len(a)+len(b)), a...), b...)
}

// times is text, a list or a tuple count times.
func times(v, count Value) (Value, bool) {
	small, ok := smallInt(count)
	if !ok {
		return nil, false
	}
	n := int64(small)
	switch v := v.(type) {
	case string:
		return repeat(v, n), true
	case markup:
		return markup(repeat(string(v), n)), true
	case *List:
		return list(repeatItems(v.Items, n)...), true
	case *Tuple:
		return tuple(repeatItems(v.Items, n)...), true
	}
	return nil, false
}

func repeatItems(items []Value, n int64) (out []Value) {
	if len(items) == 0 {
		return nil
	}
	if n > int64(maxText/16/len(items)) {
		checkText(maxText + 1)
	}
	for range n {
		out = append(out, items...)
	}
	return out
}

// numeric is a op b for numbers.
func numeric(op string, a, b Value) Value {
	x, xInt := asInt(a)
	y, yInt := asInt(b)
	if xInt && yInt && op != "/" {
		return integral(op, x, y)
	}
	f, _ := asFloat(a)
	g, _ := asFloat(b)
	switch op {
	case "+":
		return f + g
	case "-":
		return f - g
	case "*":
		return f * g
	case "**":
		return power(f, g)
	}
	if g == 0 {
		throw("division by zero")
	}
	switch op {
	case "/":
		return f / g
	case "%":
		_, mod := floatDivMod(f, g)
		return mod
	}
	div, _ := floatDivMod(f, g)
	return div
}

// floatDivMod is Python's divmod: the quotient is rounded down, the remainder has the divisor's sign.
func floatDivMod(f, g float64) (div, mod float64) {
	mod = math.Mod(f, g)
	div = (f - mod) / g
	if mod != 0 {
		if (g < 0) != (mod < 0) {
			mod += g
			div--
		}
	} else {
		mod = math.Copysign(0, g)
	}
	if div == 0 {
		return math.Copysign(0, f/g), mod
	}
	floor := math.Floor(div)
	if div-floor > 0.5 {
		floor++
	}
	return floor, mod
}

// integral is a op b for integers, save for /.
func integral(op string, x, y *big.Int) Value {
	z := new(big.Int)
	switch op {
	case "+":
		z.Add(x, y)
	case "-":
		z.Sub(x, y)
	case "*":
		z.Mul(x, y)
	case "**":
		return integerPower(x, y)
	default:
		if y.Sign() == 0 {
			throw("integer division or modulo by zero")
		}
		m := new(big.Int)
		z.QuoRem(x, y, m)
		if m.Sign() != 0 && m.Sign() != y.Sign() {
			z.Sub(z, big.NewInt(1))
			m.Add(m, y)
		}
		if op == "%" {
			z = m
		}
	}
	checkBits(z.BitLen())
	return integer(z)
}

func checkBits(n int) {
	if n > maxBits {
		throw("an integer of more than %d bits", maxBits)
	}
}

func integerPower(x, y *big.Int) Value {
	if y.Sign() < 0 {
		f, _ := asFloat(x)
		g, _ := asFloat(y)
		return power(f, g)
	}
	if x.BitLen() > 1 {
		if !y.IsInt64() || y.Int64() > maxBits {
			checkBits(maxBits + 1)
		}
		checkBits((x.BitLen() - 1) * int(y.Int64()))
	}
	return integer(new(big.Int).Exp(x, y, nil))
}

func power(f, g float64) Value {
	if f == 0 && g < 0 {
		throw("0.0 cannot be raised to a negative power")
	}
	if f < 0 && g != math.Trunc(g) {
		throw("complex numbers are not supported")
	}
	p := math.Pow(f, g)
	if math.IsInf(p, 0) && !math.IsInf(f, 0) && !math.IsInf(g, 0) {
		throw("result too large")
	}
	return p
}

// unary is +v or -v.
func unary(op string, v Value) Value {
	mustDefined(v)
	if f, ok := v.(float64); ok {
		if op == "-" {
			return -f
		}
		return f
	}
	n, ok := asInt(v)
	if !ok {
		throw("bad operand type for unary %s: '%s'", op, typeName(v))
	}
	if op == "-" {
		n = new(big.Int).Neg(n)
	}
	return integer(n)
}
