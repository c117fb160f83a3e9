module github.com/seed-5afa5581/graft

go 1.26
