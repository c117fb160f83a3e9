package model

import (
	"encoding/json"
	"fmt"
	"math"
)

// Rope is the rotary position embedding's parameters.
type Rope struct {
	Theta  float64 // base of the frequencies
	Kind   string  // default, linear or llama3
	Factor float64 // how much longer than trained the positions reach (linear, llama3)
	// llama3 alone: below LowFreq turns within the original length a frequency
	// is divided by Factor, above HighFreq it stays, between it is mixed.
	LowFreq, HighFreq float64
	Original          int // positions the model was trained with at first
}

// ropeFields are config.json's spellings of the rotary parameters: rope_theta
// with rope_scaling, and the newer rope_parameters that holds both.
type ropeFields struct {
	Theta      *float64   `json:"rope_theta"`
	Scaling    *ropeTable `json:"rope_scaling"`
	Parameters *ropeTable `json:"rope_parameters"`
}

type ropeTable struct {
	Theta    *float64        `json:"rope_theta"`
	Type     string          `json:"rope_type"`
	OldType  string          `json:"type"`
	Factor   *float64        `json:"factor"`
	LowFreq  *float64        `json:"low_freq_factor"`
	HighFreq *float64        `json:"high_freq_factor"`
	Original *int            `json:"original_max_position_embeddings"`
	Partial  *float64        `json:"partial_rotary_factor"`
	Full     json.RawMessage `json:"full_attention"`
	Sliding  json.RawMessage `json:"sliding_attention"`
}

// table returns the parameters in force.
func (f *ropeFields) table() (t ropeTable, name string) {
	name = "rope_scaling"
	if f.Parameters != nil {
		t, name = *f.Parameters, "rope_parameters"
	} else if f.Scaling != nil {
		t = *f.Scaling
	}
	if t.Type == "" {
		t.Type = t.OldType
	}
	if t.Type == "" {
		t.Type = "default"
	}
	if t.Theta == nil {
		t.Theta = f.Theta
	}
	return t, name
}

func (f *ropeFields) rope() Rope {
	t, _ := f.table()
	return Rope{
		Theta: or(t.Theta, 10000), Kind: t.Type, Factor: or(t.Factor, 1),
		LowFreq: or(t.LowFreq, 1), HighFreq: or(t.HighFreq, 4), Original: or(t.Original, 0),
	}
}

func (f *ropeFields) refusals() (faults []error) {
	t, name := f.table()
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("model: config.json: "+name+": "+format, args...))
	}
	if t.Full != nil || t.Sliding != nil {
		fault("one set a layer type is not supported: graft knows one for all")
	}
	if p := or(t.Partial, 1); p != 1 {
		fault("partial_rotary_factor %v is not supported: graft knows 1", p)
	}
	if theta := or(t.Theta, 10000); !(theta > 0) {
		fault("rope_theta must be positive, not %v", theta)
	}
	switch t.Type {
	case "default":
		return faults
	case "linear", "llama3":
		if t.Factor == nil || !(*t.Factor >= 1) {
			fault("rope_type %q needs a factor of at least 1", t.Type)
		}
	default:
		fault("rope_type %q is not supported: graft knows default, linear and llama3", t.Type)
	}
	if t.Type == "llama3" {
		if t.LowFreq == nil || t.HighFreq == nil || !(*t.HighFreq > *t.LowFreq) || !(*t.LowFreq > 0) {
			fault("rope_type llama3 needs 0 < low_freq_factor < high_freq_factor")
		}
		if or(t.Original, 0) <= 0 {
			fault("rope_type llama3 needs original_max_position_embeddings")
		}
	}
	return faults
}

// frequencies returns the d/2 angular frequencies, in radians a position.
func (r Rope) frequencies(d int) []float32 {
	f := make([]float32, d/2)
	for i := range f {
		v := 1 / math.Pow(r.Theta, float64(2*i)/float64(d))
		switch r.Kind {
		case "linear":
			v /= r.Factor
		case "llama3":
			v = r.llama3(v)
		}
		f[i] = float32(v)
	}
	return f
}

// llama3 divides a frequency by Factor unless it turns often within the
// original length, with a smooth passage between.
func (r Rope) llama3(frequency float64) float64 {
	turns := float64(r.Original) * frequency / (2 * math.Pi)
	keep := (turns - r.LowFreq) / (r.HighFreq - r.LowFreq)
	keep = min(1, max(0, keep))
	return (1-keep)*frequency/r.Factor + keep*frequency
}

// angles returns the rotation table [positions, d]: d/2 cosines, d/2 sines. Like
// the models' makers it takes the angle in float32.
func (r Rope) angles(positions, d int) []float32 {
	table, f := make([]float32, positions*d), r.frequencies(d)
	for p := range positions {
		row := table[p*d:][:d]
		for i, v := range f {
			sin, cos := math.Sincos(float64(float32(p) * v))
			row[i], row[i+d/2] = float32(cos), float32(sin)
		}
	}
	return table
}
