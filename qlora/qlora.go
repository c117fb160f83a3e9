// Package qlora trains adapters on a base in 4 bits (Dettmers et al. 2023): NF4
// with doubly quantised scales, and LoRA on every linear layer but the head. FP4 and
// int8 are a matter of [Config.Quant].
//
// It is thin on purpose: how a weight is stored is the matter of
// kernels.Matrix, what is added to it that of package lora. Whatever works on a
// dense base works on this one.
package qlora

import (
	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/quant"
)

// Config says how to quantise and what to adapt. The zero value is the paper's
// way, with lora's rank and alpha.
type Config struct {
	lora.Config
	Quant quant.Config // of a checkpoint that is not quantised yet
}

// Open opens a checkpoint, quantises its linear layers while it is loaded, one
// tensor at a time, and attaches a fresh adapter. A checkpoint that bitsandbytes
// has quantised is taken as it is. Norms, embedding and head stay as stored.
func Open(dev kernels.Device, dir string, c Config) (*model.Model, *lora.Adapter, error) {
	m, err := model.OpenWith(dev, dir, model.Options{Quantize: &c.Quant})
	if err != nil {
		return nil, nil, err
	}
	adapter, err := lora.Attach(m, c.Config)
	if err != nil {
		m.Close()
		return nil, nil, err
	}
	return m, adapter, nil
}
