module github.com/seed-5afa5581/graft/kernels/cpu/_asm

go 1.26
