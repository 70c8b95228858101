# Weir: how it is built, tested and installed. `make help` lists the targets.
#
# Everything made goes under $(BUILD), one folder for each way of compiling: build/ is the program;
# build/must is the same with its invariants live (base/must.h), which is what tests run; build/asan,
# build/tsan, build/cov and build/fuzz have their instruments as well.

BUILD    ?= build
PREFIX   ?= /usr/local
OPTIMIZE ?= -O2 -g
# Flags of an instrument (-fsanitize=..., --coverage), for compiling and linking alike.
INSTRUMENT ?=
JOBS     ?= $(shell nproc)
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
Q := $(if $(V),,@)

# ---- what it stands on -------------------------------------------------------------------------

NEEDS   := luajit libuv sqlite3 gnutls jansson zlib libpcre2-8
HAVE    := $(shell pkg-config --exists $(NEEDS) 2>/dev/null && echo yes)
VERSION := $(shell v=$$(test -e .git && git describe --tags 2>/dev/null); echo "$${v:-0.1.0}" | sed 's/^v//')

# Debian 12 ships llhttp as C sources, Debian 13 as a library.
LLHTTP_DIR := $(patsubst %/,%,$(dir $(wildcard /usr/share/llhttp/llhttp.c)))
ifneq ($(LLHTTP_DIR),)
LLHTTP_CFLAGS := -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp
LLHTTP_OBJS   := $(addprefix $(BUILD)/llhttp/,llhttp.o api.o http.o)
else
LLHTTP_CFLAGS := $(shell pkg-config --cflags libllhttp 2>/dev/null)
LLHTTP_LIBS   := $(shell pkg-config --libs libllhttp 2>/dev/null || echo -lllhttp)
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes $(if $(filter true,$(CI)),-Werror)
COMPILE   = $(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) -Icore $(OPTIMIZE) $(INSTRUMENT) \
            $(shell pkg-config --cflags $(NEEDS) 2>/dev/null) $(LLHTTP_CFLAGS) $(CFLAGS)
LINK      = $(CC) $(OPTIMIZE) $(INSTRUMENT) $(LDFLAGS)
# Lua modules written in C find lua_* in the program (-E) as well as in the shared library.
LIBS      = -Wl,-E $(shell pkg-config --libs $(NEEDS) 2>/dev/null) $(LLHTTP_LIBS) -lpthread -lm

# ---- the program -------------------------------------------------------------------------------

SOURCES := $(wildcard core/*.c core/*/*.c)
PROGRAM_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(filter core/main.c core/cli.c,$(SOURCES)))
CORE_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out core/main.c core/cli.c,$(SOURCES))) \
             $(LLHTTP_OBJS) $(BUILD)/embedded.o
EMBEDDED := $(shell find lua \( -name _meta -o -path lua/js \) -prune -o -type f ! -path lua/README.md ! -path lua/REFERENCE.md ! -name '.*' -print | LC_ALL=C sort) \
            $(BUILD)/weir.js $(BUILD)/weir.js.gz
# The parts of weir.js, each behind those that it stands on.
PAGE_PARTS := $(patsubst %,lua/js/%.js,events token watchdog connection history tabs queue stream streams)

.PHONY: all run test stories lint format check coverage bench fuzz soak fresh install clean help \
        deps deps-test deps-lint deps-bench deps-soak deps-fuzz deps-coverage test-programs replays \
        fuzzers syntax each-source FORCE

all: $(BUILD)/weir ## build the program, build/weir (the default)

$(BUILD)/weir: $(PROGRAM_OBJS) $(CORE_OBJS)
	@echo "  LINK  $@"
	$(Q)$(LINK) -o $@ $^ $(LIBS)

# What the unit tests and fuzzers link: all of the core but its command line.
$(BUILD)/libweir.a: $(CORE_OBJS)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D); echo "  CC    $@"
	$(Q)$(COMPILE) $(DEFINE) -MMD -MP -c -o $@ $<

$(BUILD)/llhttp/%.o: $(LLHTTP_DIR)/%.c $(BUILD)/flags
	@mkdir -p $(@D); echo "  CC    $@"
	$(Q)$(COMPILE) -w -c -o $@ $<

$(BUILD)/core/base/version.o: DEFINE = -DWEIR_VERSION='"$(VERSION)"'
$(BUILD)/core/base/version.o: $(BUILD)/version

# The modules of lua/js as one, so that a page asks once: what the parts import from each other is there,
# and only what weir.js exports is seen from outside.
$(BUILD)/weir.js: lua/js/weir.js $(PAGE_PARTS)
	@mkdir -p $(@D); echo "  JOIN  $@"
	$(Q){ sed -n '/^\/\//p' $<; \
	  sed -E -e '/^import /d' -e '\|^/\*\* @import |d' -e 's/^export (async |class |const |function )/\1/' $(PAGE_PARTS); \
	  sed -n -E 's/^(export \{.*\}) from .*/\1;/p' $<; } >$@

$(BUILD)/weir.js.gz: $(BUILD)/weir.js
	$(Q)gzip -9nc $< >$@

# The files of lua/ and weir.js as a table in C; core/base/embedded.h says what it looks like.
$(BUILD)/embedded.o: $(BUILD)/embedded.c $(BUILD)/flags
	$(Q)$(COMPILE) -c -o $@ $<

$(BUILD)/embedded.c: $(EMBEDDED) $(BUILD)/embedded-names
	@echo "  EMBED $@"
	$(Q){ echo '#include "base/embedded.h"'; n=0; table=; \
	  for file in $(EMBEDDED); do n=$$((n + 1)); \
	    echo "extern const char file_$$n[];"; \
	    echo "__asm__(\".section .rodata\nfile_$$n:\n.incbin \\\"$$file\\\"\n.byte 0\n.text\n\");" \
	      | awk '{ printf "%s%s", sep, $$0; sep = "\\n" } END { print "" }'; \
	    name=$${file#lua/}; \
	    table="$$table{\"$${name#$(BUILD)/}\", file_$$n, $$(wc -c <$$file)},"; \
	  done; \
	  echo "const struct embedded embedded_files[] = {$$table{0, 0, 0}};"; } >$@

# Each of these files changes only when its text does, and what depends on it is then made anew.
$(BUILD)/flags: TEXT = $(COMPILE) $(LINK)
$(BUILD)/version: TEXT = $(VERSION)
$(BUILD)/embedded-names: TEXT = $(EMBEDDED)
$(BUILD)/flags $(BUILD)/version $(BUILD)/embedded-names: FORCE
	@$(if $(HAVE),,echo "make: $(NEEDS) not found: run 'make deps' first" >&2; exit 1)
	@mkdir -p $(@D); echo '$(TEXT)' | cmp -s - $@ || echo '$(TEXT)' >$@

# ---- tests -------------------------------------------------------------------------------------
#
# tests/unit/X_test.c is a program of its own; other files there are linked into each.
# tests/fuzz/X_fuzz.c is one under libFuzzer, and with replay.c one that passes over its corpus.

UNIT_HELPERS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out %_test.c,$(wildcard tests/unit/*.c)))
UNIT_TESTS   := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*_test.c))
FUZZERS      := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/*_fuzz.c))
REPLAYS      := $(FUZZERS:_fuzz=_replay)
EXACT        := $(BUILD)/tests/exact/exact
EXACT_OBJS   := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/exact/*.c))
SEEDS        := $(BUILD)/tests/seeds/seeds
SEEDS_OBJS   := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/seeds/*.c)) $(BUILD)/tests/unit/disk_rig.o
RELOAD       := $(BUILD)/tests/soak/reload
RELOAD_OBJS  := $(patsubst %,$(BUILD)/tests/%.o,soak/reload exact/reader bench/rig)

$(UNIT_TESTS): %: %.o $(UNIT_HELPERS) $(BUILD)/libweir.a
	$(Q)$(LINK) -o $@ $^ -lcmocka $(LIBS)

$(FUZZERS): %: %.o $(BUILD)/libweir.a
	$(Q)$(LINK) -fsanitize=fuzzer -o $@ $^ $(LIBS)

$(REPLAYS): %_replay: %_fuzz.o $(BUILD)/tests/fuzz/replay.o $(BUILD)/libweir.a
	$(Q)$(LINK) -o $@ $^ $(LIBS)

$(EXACT): $(EXACT_OBJS)
	$(Q)$(LINK) -o $@ $^

$(SEEDS): $(SEEDS_OBJS) $(BUILD)/libweir.a
	$(Q)$(LINK) -o $@ $^ -lcmocka $(LIBS)

$(RELOAD): $(RELOAD_OBJS)
	$(Q)$(LINK) -o $@ $^

# One make inside another, as parallel as the machine allows unless told otherwise.
MAKE_IN = @+$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS)) BUILD=
MUST  = $(BUILD)/must INSTRUMENT="-DWEIR_MUST"
ASAN  = $(BUILD)/asan OPTIMIZE="-O1 -g -fno-omit-frame-pointer" \
        INSTRUMENT="-DWEIR_MUST -fsanitize=address,undefined -fno-sanitize-recover=undefined"
TSAN  = $(BUILD)/tsan OPTIMIZE="-O1 -g" INSTRUMENT="-DWEIR_MUST -fsanitize=thread"
COV   = $(BUILD)/cov OPTIMIZE="-O0 -g" INSTRUMENT="-DWEIR_MUST --coverage -fprofile-update=atomic"
FUZZ  = $(BUILD)/fuzz CC=clang OPTIMIZE="-O1 -g -fno-omit-frame-pointer" INSTRUMENT="-DWEIR_MUST \
        -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined"

# What npm installed for the tests, a current Node (.bin/node) among it: Debian 12 has Node 18.
export NODE_MODULES := $(abspath $(BUILD)/node/node_modules)

test-programs: $(if $(wildcard core/main.c),$(BUILD)/weir) $(UNIT_TESTS) $(EXACT) $(SEEDS) $(RELOAD)

replays: $(REPLAYS)

fuzzers: $(FUZZERS)

test: deps-test ## run all tests; T=name runs one unit program, fuzz corpus, spec file or description
	$(MAKE_IN)$(MUST) test-programs
	$(MAKE_IN)$(ASAN) replays
	@BUILD=$(BUILD)/must REPLAYS=$(BUILD)/asan tests/run $(if $(T),'$(T)')

stories: deps-test ## clients of others, in Node and Chromium, through a proxy that cuts; T=name runs one of them
	$(MAKE_IN)$(MUST) all
	@BUILD=$(BUILD)/must tests/run --stories $(if $(T),'$(T)')

check: deps-test ## everything again under ASan and UBSan, what has threads under TSan
	$(MAKE_IN)$(ASAN) test-programs replays
	$(MAKE_IN)$(TSAN) test-programs
	@BUILD=$(BUILD)/asan REPLAYS=$(BUILD)/asan tests/run $(if $(T),'$(T)') || failed=1; \
	BUILD=$(BUILD)/tsan tests/run --threads && [ -z "$$failed" ]

coverage: deps-coverage ## lines that the tests pass; fails below 90 % in base, proto, http or wire, 95 % in auth
	$(MAKE_IN)$(COV) test-programs replays
	@BUILD=$(BUILD)/cov tests/coverage

fuzz: deps-fuzz ## each fuzzer for FUZZ_SECONDS=60; what it finds joins the corpus
	$(MAKE_IN)$(FUZZ) fuzzers
	@for path in $(patsubst $(BUILD)/%_fuzz,$(BUILD)/fuzz/%,$(FUZZERS)); do \
	  name=$$(basename $$path); corpus=tests/fuzz/corpus/$$name; new=$(BUILD)/fuzz/new/$$name; \
	  mkdir -p $$corpus $$new; echo "fuzzing $$name for $(FUZZ_SECONDS) s"; \
	  $${path}_fuzz -max_total_time=$(FUZZ_SECONDS) -timeout=10 -artifact_prefix=$$corpus/ \
	    $$new $$corpus 2>$$new.log || { failed=1; tail -n 60 $$new.log; }; \
	  grep -E '^Done ' $$new.log; \
	done; [ -z "$$failed" ]

bench: deps-bench ## the figures, as ratios to the least program that could do the job
	$(MAKE_IN)$(BUILD) all $(BUILD)/libweir.a
	@BUILD=$(BUILD) tests/bench/run

soak: deps-test deps-soak ## tests that take longer than ten minutes
	$(MAKE_IN)$(MUST) test-programs
	$(MAKE_IN)$(BUILD) $(BUILD)/tests/unit/hub_scale_test
	@BUILD=$(BUILD) tests/scale/run
	@BUILD=$(BUILD)/must tests/exact/run --clients 200 --events 100000
	@BUILD=$(BUILD)/must tests/soak/run

fresh: ## README's two commands in a minimal Debian of their own, as root
	@BUILD=$(BUILD) tests/fresh/run

lint: deps-lint $(BUILD)/weir.js ## layers, formatting, static analysis, the reference's completeness
	@tests/lint/run

syntax: deps-fuzz ## whether clang, which makes the fuzzers, takes all sources as gcc does
	$(MAKE_IN)$(BUILD) CC=clang CI=true each-source

each-source:
	$(Q)printf '%s\n' $(SOURCES) $(wildcard tests/*/*.c) | \
	  xargs -P$(JOBS) -n1 $(COMPILE) -DWEIR_VERSION='""' -fsyntax-only

format: deps-lint ## clang-format over the C sources
	clang-format-14 -i $(wildcard core/*.[ch] core/*/*.[ch] tests/*/*.[ch])

# ---- use ---------------------------------------------------------------------------------------

run: deps ## install what is missing, build, and serve apps/ on http://127.0.0.1:8080, or ARGS="--listen HOST:PORT"
	$(MAKE_IN)$(BUILD) all
	@touch $(BUILD)/access.log
	@echo "Open /logtail/ to see your own requests arrive, /clock/ for three kinds of streams, /stocks/ for a slow reader, /guestbook/ for tokens and tabs, /notify/ for an inbox, /upload/ for files, /tokens/ for an answer word by word, /monitor/ for what the server is at."
	@WEIR_LOG=$(abspath $(BUILD)/access.log) exec $(BUILD)/weir serve apps/ --data $(BUILD)/data --access-log $(BUILD)/access.log $(ARGS)

install: all ## PREFIX=/usr/local, DESTDIR for packagers
	install -D -m 755 $(BUILD)/weir $(DESTDIR)$(PREFIX)/bin/weir
	install -D -m 644 lua/luacheckrc $(DESTDIR)$(PREFIX)/share/weir/luacheckrc
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/weir/_meta $(wildcard lua/weir/_meta/*)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/weir $(wildcard README.md CHANGELOG.md LICENSE)
	$(foreach d,core lua tests/nginx,install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/weir/$d \
	    $(wildcard $d/*.md $d/*.conf);)

clean: ## remove what was built
	rm -rf $(BUILD)

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

# ---- packages: installed when missing, silent when not -----------------------------------------

DEBIAN_12 := $(shell . /etc/os-release 2>/dev/null; [ "$$ID$$VERSION_ID" = debian12 ] && echo yes)
DEPS := gcc libc6-dev pkg-config libuv1-dev libsqlite3-dev libgnutls28-dev libjansson-dev zlib1g-dev libpcre2-dev lua-cjson \
        $(if $(DEBIAN_12),libluajit2-5.1-dev node-llhttp,libluajit-5.1-dev libllhttp-dev)
DEPS_TEST := lua-busted libcmocka-dev lua-check chromium chromium-headless-shell curl nginx haproxy systemd \
        apache2-bin openssl strace logrotate prometheus python3-prometheus-client gccgo \
        $(if $(shell command -v npm),,npm)
DEPS_LINT := clang-format-14 cppcheck lua-check
DEPS_FUZZ := clang libclang-rt-14-dev
DEPS_BENCH := wrk slowhttptest libsqlite3-dev openssl nginx

install_missing = @missing=$$(for p in $1; do \
    dpkg-query -W -f '$${db:Status-Status}\n' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
  [ -z "$$missing" ] || { echo "installing" $$missing; \
    apt="env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600"; \
    [ $$(id -u) = 0 ] || apt="sudo $$apt"; \
    $$apt update && $$apt install -y --no-install-recommends $$missing </dev/null; }

deps: ## install what building and running need
	$(call install_missing,$(DEPS))
deps-test: $(NODE_MODULES)/.package-lock.json
	$(call install_missing,$(DEPS) $(DEPS_TEST))
deps-lint: $(NODE_MODULES)/.package-lock.json
	$(call install_missing,$(DEPS_LINT))
deps-fuzz:
	$(call install_missing,$(DEPS) $(DEPS_FUZZ))
deps-bench: $(NODE_MODULES)/.package-lock.json
	$(call install_missing,$(DEPS) $(DEPS_BENCH))
deps-soak:
	$(call install_missing,valgrind)
deps-coverage: deps-test
	$(call install_missing,gcovr)

# npm writes that file when all that the lock file names is there.
$(NODE_MODULES)/.package-lock.json: tests/node/package.json tests/node/package-lock.json
	$(call install_missing,$(DEPS) $(DEPS_TEST))
	@echo "installing what tests/node/package-lock.json names"; mkdir -p $(BUILD)/node; cp $^ $(BUILD)/node/
	@npm ci --prefix $(BUILD)/node --silent --no-audit --no-fund </dev/null
	@ln -sf ../$$(cd $(NODE_MODULES) && echo node-linux-*)/bin/node $(NODE_MODULES)/.bin/node # npm 9 does not
	@touch $@

-include $(patsubst %.o,%.d,$(PROGRAM_OBJS) $(filter-out $(BUILD)/embedded.o,$(CORE_OBJS)) $(UNIT_HELPERS) $(EXACT_OBJS) $(SEEDS_OBJS) $(RELOAD_OBJS)) \
  $(addsuffix .d,$(UNIT_TESTS) $(FUZZERS)) $(BUILD)/tests/fuzz/replay.d
