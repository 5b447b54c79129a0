# Everything is built without cgo: one static binary.
export CGO_ENABLED = 0

GO      ?= go
# How long `make fuzz` spends on each fuzz target: there are some 50, so that it
# takes about ten minutes in all.
FUZZTIME ?= 10s

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -buildid= -X starling/cmd/internal/buildinfo.version=$(VERSION)
# One machine of each system: a second of the same one costs minutes and finds
# nothing more. `make cross PLATFORMS="linux/arm64 …"` builds others.
PLATFORMS ?= linux/amd64 darwin/arm64 windows/amd64

.DEFAULT_GOAL := build
.PHONY: help build soak demo run man record check test lint cross steps race vuln bench fuzz anonymity mutants vectors interop interop-bench clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name what; do \
		printf '  make %-14s %s\n' "$$name" "$$what"; \
	done

build: ## the static binary, bin/starling
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/starling ./cmd/starling

demo: build ## a mesh on this machine, an echo contact and the app
	bin/starling demo

run: build ## the app on your own profile
	bin/starling

man: build ## man pages of all commands, bin/man
	bin/starling man bin/man

record: build ## docs/screens anew: the demo, played in tmux
	docs/record.sh

# Packages whose tests run whole meshes, processes or databases that are killed.
SLOW = cmd/starling|cmd/internal/cli|node|node/store|node/testnet/.*|p2p|p2p/client|p2p/mesh|p2p/relay|p2p/watch|p2p/mailbox|p2p/discovery.*|p2p/p2ptest.*|p2p/virtualtime|session/internal/interop

check: ## format, vet and the quick tests, for while you work
	@unformatted=$$(gofmt -l cmd docs node p2p session tui); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	@$(GO) vet ./...
	@$(GO) test $$($(GO) list ./... | grep -v -E '^starling/($(SLOW))$$')

test: ## every test, and that THREATMODEL and ATTACKS promise no more than they hold
	@$(GO) build -o bin/promises ./cmd/internal/promises
	@$(GO) test -timeout 15m -json ./... | bin/promises

lint: ## formatting, vet, staticcheck, and builds for every platform
	@unformatted=$$(gofmt -l cmd docs node p2p session tui); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@$(MAKE) --no-print-directory cross

cross: ## static builds for Linux, macOS and Windows
	@for platform in $(PLATFORMS); do \
		echo "build $$platform"; \
		GOOS=$${platform%/*} GOARCH=$${platform#*/} $(GO) build -o /dev/null ./cmd/starling || exit 1; \
	done

steps: ## how many functions one key press enters, with its bar
	@$(GO) run -cover -covermode atomic -coverpkg ./tui/... ./tui/tuitest/cmd/steps 2>/dev/null

race: ## the packages with goroutines of their own under the race detector; needs gcc
	CGO_ENABLED=1 $(GO) test -race -timeout 30m ./session/... ./p2p/... ./node/...

vuln: ## known vulnerabilities of what is linked in; needs the vulnerability database
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.1.4 ./...

bench: build ## what it costs, as JSON lines, each with its bar
	@$(GO) run ./cmd/internal/bench -binary bin/starling

# The long scenarios: three quarters of an hour or so.
SOAK = day lossy blocked thousand hundred idle idle-day
# Those in which strangers attack: an hour or so, most of it packets.
HOSTILE = $(wildcard cmd/internal/lab/scenarios/*.toml)

anonymity: ## what adversaries learn, by simulation: docs/anonymity anew, some minutes
	@$(GO) run ./cmd/internal/anonymity

soak: build ## the long testnets and the attacks, each with its bar; reports in bin/soak; 200 outages
	@$(GO) build -o bin/lab ./cmd/internal/lab
	@failed=; $(GO) test ./p2p -run TestTaintOverOutages -outages 200 || failed=" outages"; for s in $(SOAK); do \
		bin/starling testnet run node/testnet/scenarios/$$s.toml --report bin/soak/$$s || failed="$$failed $$s"; \
	done; \
	for s in $(HOSTILE); do \
		bin/lab --report bin/soak/hostile $$s || failed="$$failed $$s"; \
	done; if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

fuzz: ## every fuzz target for FUZZTIME each
	@set -e; for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' cmd node p2p session tui | xargs -n1 dirname | sort -u); do \
		for target in $$(cat $$dir/*_test.go | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' | sort -u); do \
			echo "fuzz ./$$dir $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) ./$$dir; \
		done; \
	done

# What make mutants breaks: minutes a package, most of them for session, p2p/mix and p2p/guard.
# Of node/outbox the files without a disk.
MUTANTS ?= p2p/outfox p2p/mix p2p/guard session session/envelope session/handshake session/identity \
	session/invite session/prekey session/ratchet $(addprefix session/ratchet/spqr,/ /braid /chain /erasure /incremental) \
	node/inbox/order node/inbox/watch

mutants: ## break these packages in small places, and see that their tests notice
	$(GO) run ./cmd/internal/mutants $(addprefix ./,$(MUTANTS))
	$(GO) run ./cmd/internal/mutants -run 'outbox/(policy|schedule|timeout)\.go' ./node/outbox
	@for p in $(MUTANTS); do \
		$(GO) run github.com/go-gremlins/gremlins/cmd/gremlins@v0.6.0 unleash --threshold-efficacy 85 ./$$p || exit 1; \
	done

# The packages that make docs/vectors.
VECTORS = $(shell grep -rl --include='*_test.go' '"starling/docs/vectors"' node p2p session | xargs -n1 dirname | sort -u | sed 's,^,./,')

vectors: ## docs/vectors anew, Go and Python each checking the other
	$(GO) test -count=1 $(VECTORS) -run 'Vectors|SecondImplementation|Talk' -update
	$(GO) test -count=1 -v ./docs/vectors

# The oracle of session/internal/interop: AGPL, so never linked or shipped.
LIBSIGNAL := session/internal/interop/testdata/libsignal

$(LIBSIGNAL)/node_modules: $(LIBSIGNAL)/package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || \
		{ echo "interop needs Node 20 or later with npm; the recorded transcripts are part of make test" >&2; exit 1; }
	@cd $(LIBSIGNAL) && npm ci --ignore-scripts --no-audit --no-fund || \
		{ echo "interop needs the npm registry once, for the packages in $(LIBSIGNAL)/package-lock.json" >&2; exit 1; }
	@touch $@

interop: $(LIBSIGNAL)/node_modules ## the session's parts against libsignal, live
	$(GO) test -count=1 -v ./session/internal/interop -live

interop-bench: $(LIBSIGNAL)/node_modules ## sessions beside libsignal, as JSON lines
	@$(GO) build -o bin/bench ./cmd/internal/bench
	@$$(command -v taskset >/dev/null && echo taskset -c 0) bin/bench -libsignal $(LIBSIGNAL)

clean: ## what the other targets made
	rm -rf bin $(LIBSIGNAL)/node_modules
