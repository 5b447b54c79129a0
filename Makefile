# Everything is built without cgo: one static binary.
export CGO_ENABLED = 0

GO      ?= go
# How long `make fuzz` spends on each fuzz target: there are some 50, so that it
# takes about ten minutes in all.
FUZZTIME ?= 10s

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -buildid= -X starling/cmd/internal/buildinfo.version=$(VERSION)
# One machine of each system, and one of 32 bits: a second of the same one costs minutes
# and finds nothing more. `make cross PLATFORMS="linux/arm64 …"` builds others.
PLATFORMS ?= linux/amd64 linux/arm darwin/arm64 windows/amd64 freebsd/amd64

.DEFAULT_GOAL := build
.PHONY: help build soak drill demo run man record check test lint cross test32 steps packages release release-check race vuln bench fuzz anonymity mutants vectors interop interop-bench clean

help: ## what can be made
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name what; do \
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
SLOW = cmd/starling|cmd/internal/(cli|anonymity|lab)|node|node/store|node/relay|node/testnet/.*|p2p|p2p/client|p2p/mesh|p2p/relay|p2p/watch|p2p/mailbox|p2p/discovery.*|p2p/transport/web.*|p2p/bridge/server|p2p/p2ptest.*|p2p/virtualtime|session/group|session/internal/interop

check: ## format, vet and the quick tests, for while you work
	@unformatted=$$(gofmt -l cmd docs node p2p session tui); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	@$(GO) vet ./...
	@$(GO) test $$($(GO) list ./... | grep -v -E '^starling/($(SLOW))$$')

test: ## every test, and that THREATMODEL and ATTACKS promise no more than they hold
	@$(GO) build -o bin/promises ./cmd/internal/promises
	@$(GO) test -timeout 30m -json ./... | bin/promises

lint: ## formatting, vet, staticcheck, and the types on every platform
	@unformatted=$$(gofmt -l cmd docs node p2p session tui); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@$(GO) run ./cmd/internal/platforms linux/386 $(PLATFORMS)

cross: ## static builds for Linux, also of 32 bits, macOS, Windows and FreeBSD
	@for platform in $(PLATFORMS); do \
		echo "build $$platform"; \
		GOOS=$${platform%/*} GOARCH=$${platform#*/} $(GO) build -trimpath -o /dev/null ./cmd/starling || exit 1; \
	done

# What `make release` makes, and of what; TARGETS leaves some out.
OUT     ?= bin/release
TARGETS ?=

packages: ## Debian and RPM packages and an archive of the tree as it is, for this machine
	@$(GO) run ./cmd/internal/release -version '$(VERSION)' -out bin/packages -targets "$$($(GO) env GOOS)/$$($(GO) env GOARCH)"

release: ## make release VERSION=1.2.0: packages, archives, bills of materials and checksums for all
	@if [ '$(origin VERSION)' = file ]; then echo "for example: make release VERSION=1.2.0" >&2; exit 2; fi
	@$(GO) run ./cmd/internal/release -version '$(VERSION)' -out '$(OUT)' -targets '$(TARGETS)'

# The second one is made of a copy of the tree, elsewhere, with an empty cache.
release-check: ## a release made twice and compared, its packages installed, upgraded and removed
	@rm -rf bin/check && mkdir -p bin/check/elsewhere
	@$(MAKE) --no-print-directory release VERSION=0.0.1 OUT=bin/check/made TARGETS='$(CHECKED)'
	@$(GIT) ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t bin/check/elsewhere
	@cd bin/check/elsewhere && SOURCE_DATE_EPOCH=$$($(GIT) log -1 --format=%ct) GOCACHE=$(CURDIR)/bin/check/cache \
		$(GO) run ./cmd/internal/release -version 0.0.1 -commit $$($(GIT) rev-parse HEAD) -out ../again -targets "$$($(GO) env GOOS)/$$($(GO) env GOARCH)"
	@$(GO) test -count=1 -v ./cmd/internal/release -made $(CURDIR)/bin/check/made -again $(CURDIR)/bin/check/again
	@rm -rf bin/check/cache bin/check/elsewhere

GIT = git -c safe.directory=*
CHECKED ?= linux/amd64 linux/arm windows/amd64

test32: ## what strangers' bytes are read by, as programs of 32 bits, where the kernel runs them
	GOARCH=386 $(GO) test -short ./session ./session/envelope ./session/handshake ./session/invite ./session/ratchet/... ./p2p/wire ./p2p/directory ./node/store

steps: ## how many functions one key press enters, with its bar
	@$(GO) run -cover -covermode atomic -coverpkg ./tui/... ./tui/tuitest/cmd/steps 2>/dev/null

# The race detector does not watch SQLite, a translated program, nor the arithmetic of ciphers: there is no goroutine of
# theirs, and most of the time would go into them. With -short tests try less of what one goroutine computes alone.
UNWATCHED = github.com/ncruces/go-sqlite3-wasm/... lukechampine.com/adiantum/... golang.org/x/crypto/... crypto/internal/fips140/...

race: ## session, p2p and node under the race detector; needs gcc
	CGO_ENABLED=1 $(GO) test -race -short -timeout 60m $(patsubst %,-gcflags=%=-race=false,$(UNWATCHED)) ./session/... ./p2p/... ./node/...

vuln: ## known vulnerabilities of what is linked in; needs the vulnerability database
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.1.4 ./...

bench: build ## what it costs, as JSON lines, each with its bar
	@$(GO) run ./cmd/internal/bench -binary bin/starling

# The long scenarios: three quarters of an hour or so.
SOAK = day lossy blocked thousand hundred idle idle-day rooms-hour
# Those in which strangers attack: an hour or so, most of it packets.
HOSTILE = $(wildcard cmd/internal/lab/scenarios/*.toml)

anonymity: ## what adversaries learn, by simulation: docs/anonymity anew, some minutes
	@$(GO) run ./cmd/internal/anonymity

soak: build ## the long testnets and the attacks, each with its bar; reports in bin/soak; 200 outages; 3,000 histories of loss, 100,000 of rooms
	@$(GO) build -o bin/lab ./cmd/internal/lab
	@failed=; $(GO) test ./p2p -run TestTaintOverOutages -outages 200 || failed=" outages"; \
	$(GO) test ./session -run 'TestLoss$$' -timeout 2h -histories 3000 || failed="$$failed loss"; \
	$(GO) test ./session/group/members -run TestHistories -timeout 2h -histories 100000 || failed="$$failed rooms"; \
	$(GO) test ./session/group/keys -run TestModel -timeout 2h -histories 50000 || failed="$$failed rooms"; \
	$(GO) test ./session/group -run TestHistories -timeout 2h -histories 3000 || failed="$$failed rooms"; for s in $(SOAK); do \
		bin/starling testnet run node/testnet/scenarios/$$s.toml --report bin/soak/$$s || failed="$$failed $$s"; \
	done; \
	for s in $(HOSTILE); do \
		bin/lab --report bin/soak/hostile $$s || failed="$$failed $$s"; \
	done; if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

# Censors that read need namespaces, and so root. DRILL leaves some out.
DRILL ?= harvest curtain police strings entropy probe island island-wan all wan

drill: build ## the censors of today, with 60 relays and 30 people: docs/drill anew, two hours or so; needs root
	@failed=; for s in $(DRILL); do \
		bin/starling testnet run node/testnet/scenarios/drill-$$s.toml --report bin/drill/$$s || failed="$$failed $$s"; \
	done; $(GO) run ./cmd/internal/drill -reports bin/drill; if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

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
