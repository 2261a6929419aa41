# Restante. `make demo` shows what it does, `make test` shows that it works.

GO      ?= go
BIN     := bin/restante
FUZZ    ?= 10s
SYSTEMS ?= linux/arm64 darwin/arm64 windows/amd64
PKGS    := ./...

.PHONY: demo test check build race fuzz faults e2e thunderbird dovecot bench speed cross release package container preflight help

help:
	@echo "make demo    build, run a relay on loopback, send one encrypted message through it"
	@echo "make test    unit tests, protocol transcripts, store conformance, command line"
	@echo "make check   what to run before a commit: format, vet, staticcheck, test"
	@echo "make race    the tests under the race detector"
	@echo "make fuzz    every fuzz target for FUZZ=$(FUZZ) each"
	@echo "make faults  power cuts, kills, full disks, leaping clocks (as root, else some are skipped)"
	@echo "make e2e     real mail clients against the binary (says what it needs)"
	@echo "make thunderbird   of these, only Thunderbird on a virtual screen"
	@echo "make bench   the benchmarks of docs/performance.md"
	@echo "make speed   mail a second, and processor time each, from submission to 250, on all stores; logins"
	@echo "make release   programs and Debian packages for all systems, with their sums, in dist/"
	@echo "make package   try the Debian package in a fresh Debian (as root; apt: debootstrap)"
	@echo "make container  build the container and try it; IMAGE=restante keeps it (apt: buildah)"
	@echo "make cross   compile for other systems, without cgo"

demo: build
	@$(BIN) demo

build: preflight
	@mkdir -p bin
	@$(GO) build -o $(BIN) ./cmd/restante

test: preflight
	$(GO) test $(GOTESTFLAGS) $(PKGS)

race: preflight
	$(GO) test -race -shuffle=on $(PKGS)

check: preflight
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt: run gofmt -w on:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet $(PKGS)
	$(GO) vet -tags e2e ./test/e2e ./gateway
	$(GO) vet -tags 'e2e speed' ./test/e2e
	$(GO) vet -tags faults ./test/faults ./mailbox/sqlstore
	@if command -v staticcheck >/dev/null; then staticcheck $(PKGS); else echo "staticcheck is not installed: go install honnef.co/go/tools/cmd/staticcheck@latest"; fi
	$(MAKE) --no-print-directory test

fuzz: preflight
	@./test/fuzz.sh $(FUZZ)

faults: preflight
	$(GO) test -count=1 -v -run 'TestKill|TestFull' ./mailbox/sqlstore
	$(GO) test -tags faults -count=1 -v ./test/faults

e2e: build
	$(GO) test -tags e2e -count=1 -v ./test/e2e
	$(GO) test -tags e2e -count=1 -v -run Dovecot ./gateway

thunderbird: build
	$(GO) test -tags e2e -count=1 -v -run Thunderbird ./test/e2e

# Beside Debian's Dovecot on this machine, as root; N is the number of messages.
dovecot: build
	N=$(N) $(GO) test -tags e2e,dovecot -count=1 -timeout 1h -v -run BesideDovecot ./test/e2e

bench: preflight
	$(GO) test -run '^$$' -bench . -benchmem $(PKGS)

# The machine should have nothing else to do. ONLY='SQLite/^16$$' takes a part of the first.
speed: build
	$(GO) test -tags 'e2e speed' -count=1 -v -run 'SpeedSubmit/$(ONLY)' ./test/e2e
	$(GO) test -run '^$$' -bench BenchmarkLogin ./mailbox

cross: preflight
	@for s in $(SYSTEMS); do echo "compile for $$s"; CGO_ENABLED=0 GOOS=$${s%/*} GOARCH=$${s#*/} $(GO) build -o /dev/null ./cmd/restante || exit 1; done

package: preflight
	@./packaging/try.sh

container: preflight
	@./packaging/container.sh $(IMAGE)

release: preflight
	@./packaging/release.sh

preflight:
	@sh ./test/preflight.sh "$(GO)"
