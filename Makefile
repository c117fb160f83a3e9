test:
	go test ./...
race:
	go test -race ./...
purego:
	go test -tags purego ./...
golden:
	GRAFT_GOLDEN=$(or $(GOLDEN),../shared/golden/tiny) go test ./... -run Golden -count=1
fuzz:
	go test ./model -fuzz FuzzParseConfig -fuzztime 30s
	go test ./lora -fuzz FuzzParseConfig -fuzztime 30s
	go test ./data -fuzz FuzzParse -fuzztime 30s
	go test ./model/safetensors -fuzz FuzzParse -fuzztime 30s
bench:
	go test ./kernels/... -run '^$$' -bench .
lint:
	test -z "$$(gofmt -l .)" && go vet ./...
cuda:
	CGO_CFLAGS=-I$(CURDIR)/kernels/cuda/include go build -tags cuda ./cmd/graft
cuda-test:
	.ci/cuda $(or $(OUT),$(CURDIR)/bin/cuda)
ci:
	.ci/run
.PHONY: test race purego golden fuzz bench lint cuda cuda-test ci
