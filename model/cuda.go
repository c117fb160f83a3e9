//go:build cuda

package model

import _ "github.com/seed-5afa5581/graft/kernels/cuda" // a GPU, where there is one
