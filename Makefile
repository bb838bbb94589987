# Aval: one flag set everywhere, so that the build cache is shared by programs,
# tests and demo. Works on a fresh Debian 12 or Ubuntu with Go, git and make:
# what else is missing is named and installed first (test/deps.sh).

FLAGS   := -trimpath -tags x11,migrated_fynedo,no_emoji
E2E     := -trimpath -tags x11,migrated_fynedo,no_emoji,e2e
TESTS   ?= ./...
OUT     := out

export GOFLAGS += -buildvcs=false -trimpath

.DEFAULT_GOAL := help
.PHONY: help build packages macos release release-check demo test unit e2e torture bench redaction lint screenshots third-party clean deps-build deps-release deps-test deps-e2e

help: ## show what there is to make
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps-build:
	@test/deps.sh build
deps-test: deps-build
	@test/deps.sh test
deps-release: deps-build
	@test/deps.sh release
deps-e2e: deps-test deps-release
	@test/deps.sh e2e

build: deps-build ## the four programs, into bin/
	@go run $(FLAGS) ./installer/build -out bin

packages: deps-build ## deb and rpm packages of the agent and of the server, into out/packages
	@go run $(FLAGS) ./installer/build -out bin -packages $(OUT)/packages

macos: ## the package for macOS, of what needs no Mac to be built, into out/macos
	@go run $(FLAGS) ./installer/build -macos $(OUT)/macos

release: deps-release ## the packages for Linux, Windows and macOS with sums, bill of materials and provenance, into out/release (KEY=FILE signs the sums, PGPKEY=FILE those for Linux, CERT=FILE with CERTKEY=FILE those for Windows; MESA=FOLDER goes with them)
	@rm -rf $(OUT)/release
	@go run $(FLAGS) ./installer/build -out bin -packages $(OUT)/release -release $(if $(KEY),-release-key $(KEY)) $(if $(PGPKEY),-pgp-key $(abspath $(PGPKEY))) $(if $(CERT),-cert $(CERT) -key $(CERTKEY)) $(if $(MESA),-mesa $(MESA))

release-check: deps-release ## the release of the last commit, made twice in two folders, compared byte by byte (COLD=1: with empty caches)
	@test/releasecheck.sh

demo: deps-test build ## a real session, from the connection to the summary (AUTO=1: answers by itself)
	@go run $(FLAGS) ./test/demo -bin bin -out $(OUT)/demo

test: deps-test build lint unit ## lint and every test but the end-to-end ones

unit: ## go test alone
	@go run $(FLAGS) ./test/tally -name test -- go test $(FLAGS) -timeout 15m $(TESTS)

e2e: deps-e2e build ## whole sessions from outside: real X servers, VNC, clicks, kill -9, systemd
	@go run $(FLAGS) ./test/tally -name e2e -- go test $(E2E) -p 1 -count 1 -timeout 50m ./test/e2e ./test/browser ./test/systemd ./test/wine ./test/macos

torture: deps-e2e build ## the long runs: kills, attacks on the question (N=500 of each, AVAL_SHARD=i/n for a part), ten scripted repairs, three servers with 2000 agents
	@go run $(FLAGS) ./test/tally -name torture -- env AVAL_TORTURE=$(or $(N),500) go test $(E2E) -p 1 -count 1 -parallel 4 -timeout 6h ./test/torture
	@go run $(FLAGS) ./test/torture/table $(OUT)/torture/*-of-*.json
	@go run $(FLAGS) ./test/tally -name repairs -- env AVAL_REPAIRS=10 go test $(E2E) -p 1 -count 1 -timeout 2h -v -run TestRepair ./test/e2e
	@go run $(FLAGS) ./test/tally -name scale -- env AVAL_SCALE=2000 go test $(FLAGS) -count 1 -timeout 1h -v ./test/scale

bench: deps-e2e build ## benchmarks of every package that has some, and what a person waits for, seen from outside (N=15)
	go test $(FLAGS) -run '^$$' -bench . -benchmem $(TESTS)
	@go run $(FLAGS) ./test/bench -bin bin -out $(OUT)/bench -n $(or $(N),15)
	AVAL_GOALS=1 go test $(E2E) -count 1 -run TestCaptureCost -v ./test/e2e
	cd test/bench/gitleaks && go test -count 1 -run '^$$' -bench Speed -benchtime 1x .

redaction: ## what redaction finds and leaves, into docs/redaction.md
	AVAL_UPDATE=1 go test $(FLAGS) -count 1 -v -run 'TestFrozen|TestAdversarial' ./test/redaction

# Fyne for other systems needs their C compilers; -tags ci type-checks without.
lint: ## gofmt, go vet (also for Windows and macOS), staticcheck
	@test -z "$$(gofmt -l agent assets cmd summarizer test ui installer 2>/dev/null | tee /dev/stderr)"
	go vet $(FLAGS) ./...
	go vet $(E2E) ./test/...
	CGO_ENABLED=0 GOOS=windows go vet -tags ci ./installer/... ./agent/... ./assets/... ./summarizer/... ./ui/... ./cmd/...
	CGO_ENABLED=0 GOOS=windows go vet -tags ci,wine ./agent/... ./cmd/aval
	CGO_ENABLED=0 GOOS=darwin go vet -tags ci ./installer/... ./agent/... ./assets/... ./summarizer/... ./ui/... ./cmd/aval ./cmd/aval-desktop ./cmd/aval-summarizer
	go tool staticcheck -tags x11,migrated_fynedo,no_emoji,e2e ./...

screenshots: deps-test build ## pictures: windows in pt-BR, en, de and ja into out/screens, those of the README into assets
	@go run $(FLAGS) ./test/screens -bin bin -out $(OUT)/screens
	@for lang in en pt-BR; do \
		AUTO=1 AVAL_DEMO_LANG=$$lang go run $(FLAGS) ./test/demo -bin bin -out $(OUT)/demo -pictures assets/screenshots || exit 1; \
	done

third-party: ## THIRD_PARTY.md, from the modules that the programs are linked with
	go run $(FLAGS) ./test/thirdparty -out THIRD_PARTY.md

clean: ## remove what was built and drawn
	rm -rf bin $(OUT)
