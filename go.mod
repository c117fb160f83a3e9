module github.com/seed-5afa5581/graft

go 1.26.0

require (
	github.com/dlclark/regexp2 v1.12.0
	github.com/rivo/uniseg v0.4.7
	golang.org/x/text v0.44.0
)

require golang.org/x/sys v0.50.0
