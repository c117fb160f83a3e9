module github.com/seed-5afa5581/graft

go 1.26.0

require (
	github.com/dlclark/regexp2 v1.12.0
	github.com/edsrzf/mmap-go v1.2.0
	github.com/rivo/uniseg v0.4.7
	golang.org/x/text v0.44.0
)

require golang.org/x/sys v0.0.0-20211216021012-1d35b9e2eb4e
