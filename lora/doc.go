// Package lora adapts a frozen model with low-rank branches (Hu et al. 2021):
//
//	y = x·Wᵀ + s·(x·Aᵀ)·Bᵀ
//
// with A [R, in] and B [out, R] trained and W left alone. [Attach] puts fresh
// branches on a model's linear layers, [Load] those of a file; an [Adapter]
// saves itself as PEFT does, so that PEFT, vLLM and others open it, and merges
// itself into the weights for good.
package lora
