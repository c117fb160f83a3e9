package main

import (
	"errors"
	"flag"
	"fmt"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/quant"
)

// source is the flags that say which model, and what on.
type source struct{ model, adapter, device, quantize string }

func (s *source) flags(f *flag.FlagSet, adapter string) {
	f.StringVar(&s.model, "model", "", "`DIR` of the base: config.json, safetensors, tokenizer.json")
	if adapter != "" {
		f.StringVar(&s.adapter, "adapter", "", adapter)
	}
	f.StringVar(&s.quantize, "quantize", s.quantize, "load the base in 4 or 8 bits: `TYPE` nf4, fp4 or int8")
	f.StringVar(&s.device, "device", "", "`NAME` of the device: cpu, or cpu:N for N workers; the best one if not given")
}

// opened is a model on its device, with an adapter if one was asked for.
type opened struct {
	device  kernels.Device
	model   *model.Model
	adapter *lora.Adapter
}

func (s *source) open() (o opened, err error) {
	if s.model == "" {
		return o, usagef("--model is missing")
	}
	options, err := s.options()
	if err != nil {
		return o, err
	}
	if o.device, err = kernels.Open(s.device); err != nil {
		return o, err
	}
	if o.model, err = model.OpenWith(o.device, s.model, options); err != nil {
		return o, errors.Join(err, o.close())
	}
	if s.adapter != "" {
		if o.adapter, err = lora.Load(o.model, s.adapter); err != nil {
			return o, errors.Join(err, o.close())
		}
	}
	return o, nil
}

// options says how to open the base.
func (s *source) options() (model.Options, error) {
	if s.quantize == "" {
		return model.Options{}, nil
	}
	t, err := quant.ParseType(s.quantize)
	if err != nil {
		return model.Options{}, usagef("--quantize %s: nf4, fp4 or int8", s.quantize)
	}
	return model.Options{Quantize: &quant.Config{Type: t}}, nil
}

func (o opened) close() error {
	var err error
	if o.model != nil {
		err = o.model.Close()
	}
	return errors.Join(err, o.device.Close())
}

// noArguments refuses what is left over on the command line.
func noArguments(args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q", args[0])
	}
	return nil
}

// count writes a number of things for people: 135M, 1.1B.
func count(n int) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "B"}, {1e6, "M"}, {1e3, "K"}} {
		if v := float64(n) / u.size; v >= 1 {
			return fmt.Sprintf("%.3g%s", v, u.name)
		}
	}
	return fmt.Sprint(n)
}
