// Package golden compares graft with reference values of tiny random models
// that PyTorch, transformers and PEFT computed. Its tests read every folder of
//
//	GRAFT_GOLDEN=DIR go test ./internal/golden -run Golden
//
// or, without the variable, the few in testdata. A folder holds a base model
// (model), an adapter before and after 20 optimiser steps (adapter_init,
// adapter_final), and the values (out.safetensors, meta.json).
package golden
