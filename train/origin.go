package train

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/model"
)

// An Origin is what decides the bytes that a run ends in, beside its Config.
type Origin struct {
	Base   string            `json:"base_sha256"` // model.Hash
	Data   string            `json:"data_sha256"` // Source.Hash
	Layers map[string]string `json:"layers"`      // the adapted and the quantised ones: how they compute
	Device string            `json:"device"`      // a run gives the same bytes on devices of one kind only
}

// Origin returns the run's. It reads the whole checkpoint, the first time.
func (r *Run) Origin() (Origin, error) {
	if r.origin.Base != "" {
		return r.origin, nil
	}
	base, err := r.model.Hash()
	if err != nil {
		return Origin{}, fmt.Errorf("train: %w", err)
	}
	r.origin = Origin{Base: base, Data: r.source.Hash(), Layers: layers(r.model), Device: kind(r.model.Device.Info())}
	return r.origin, nil
}

// kind describes a device without its number of workers, which changes no bit.
func kind(i kernels.Info) string {
	return strings.TrimSuffix(i.Detail, fmt.Sprintf(", %d workers", i.Workers))
}

// layers describes the layers that are not as the checkpoint has them.
func layers(m *model.Model) map[string]string {
	all := map[string]string{}
	for l := range m.Linears() {
		var parts []string
		if l.W.Format.Quantized() {
			parts = append(parts, l.W.Format.String())
		}
		if d, ok := l.Delta.(fmt.Stringer); ok {
			parts = append(parts, d.String())
		}
		if len(parts) > 0 {
			all[l.Name] = strings.Join(parts, " + ")
		}
	}
	return all
}

// free returns the fields of Config that change no bit of what the run ends in.
// How a step is split changes the order in which the two gradients of a trained
// embedding that is the head as well are added.
func (r *Run) free() []string {
	if r.model.Config.Tied && r.model.Embedding.Param != nil {
		return []string{"NoRecompute"}
	}
	return []string{"NoRecompute", "MicroTokens"}
}

// mismatch says in what a snapshot's origin and configuration differ from the
// run's; nil if in nothing but the free fields.
func (m *manifest) mismatch(o Origin, c Config, free []string) error {
	var faults []error
	differ := func(what string, snapshot, run any) {
		if !reflect.DeepEqual(snapshot, run) {
			faults = append(faults, fmt.Errorf("%s: %v in the snapshot, %v now", what, snapshot, run))
		}
	}
	differ("the base model's hash", m.Origin.Base, o.Base)
	differ("the data's hash", m.Origin.Data, o.Data)
	if name := firstDifference(m.Origin.Layers, o.Layers); name != "" { // the others say the same
		differ("layer "+name, plain(m.Origin.Layers[name]), plain(o.Layers[name]))
	}
	was, is := reflect.ValueOf(m.Config), reflect.ValueOf(c)
	for i := range was.NumField() {
		if name := was.Type().Field(i).Name; !slices.Contains(free, name) {
			differ("Config."+name, was.Field(i).Interface(), is.Field(i).Interface())
		}
	}
	return errors.Join(faults...)
}

// firstDifference returns the first key whose values differ, or none.
func firstDifference(a, b map[string]string) string {
	keys := maps.Clone(b)
	if keys == nil {
		keys = map[string]string{}
	}
	maps.Copy(keys, a)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if a[key] != b[key] {
			return key
		}
	}
	return ""
}

// plain says in words that a layer is not described.
func plain(layer string) string {
	if layer == "" {
		return "as the checkpoint has it"
	}
	return layer
}
