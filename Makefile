# SPDX-License-Identifier: GPL-2.0-only
# tangotrace: `make` builds build/tangotrace and never installs or downloads; `make help` lists the rest.

BUILD  ?= build
PREFIX ?= /usr/local
CC     ?= gcc
CLANG  ?= clang
# Ubuntu's /usr/sbin/bpftool does nothing but look for one made for the very kernel that runs.
BPFTOOL ?= $(or $(lastword $(wildcard /usr/lib/linux-tools/*/bpftool)),$(shell command -v bpftool 2>/dev/null),/usr/sbin/bpftool)
PKG_CONFIG ?= pkg-config
DEBUG  ?= 0
V      ?= 0

VERSION := $(shell cat VERSION)
ARCH    := $(shell uname -m)
ifneq ($(ARCH),x86_64)
$(error tangotrace runs on x86_64 so far, this is $(ARCH))
endif

ifeq ($(V),1)
  Q :=
  say = @:
else
  Q := @
  say = @printf '  %-8s %s\n'
endif

PACKAGES := libbpf libelf libprotobuf-c libcurl libdeflate libzstd zlib yaml-0.1 json-c libpcre2-8 libmicrohttpd gnutls
# Goals that do not compile: they must work on a bare machine.
ifneq ($(filter-out help deps demo check check-long check-backends clean,$(or $(MAKECMDGOALS),all)),)
  missing := $(shell for p in $(PACKAGES); do $(PKG_CONFIG) --exists $$p 2>/dev/null || echo $$p; done; \
               test -e /usr/include/Zydis/Zydis.h || echo zydis; test -e /usr/include/uthash.h || echo uthash; \
               command -v $(CLANG) >/dev/null || echo clang; command -v protoc-c >/dev/null || echo protoc-c; \
               test -x $(BPFTOOL) || echo bpftool)
  ifneq ($(strip $(missing)),)
    $(error missing: $(strip $(missing)). 'make deps' installs what building needs (as root))
  endif
endif

WARN   := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wno-unused-parameter
CFLAGS ?= -O2 -g
ifeq ($(DEBUG),1)
  CFLAGS := -O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer
  BUILD := $(BUILD)/debug
endif
CPPFLAGS += -D_GNU_SOURCE -DTT_VERSION='"$(VERSION)"' -Iinclude -Isrc -I$(BUILD)/gen \
            $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
# libstdc++ for __cxa_demangle.
# The build id tells plans of this very program from those of another (src/plan/cache.h).
LDLIBS  += -Wl,--build-id $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null) -lZydis -lstdc++ -lpthread -lm
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARN) $(CPPFLAGS)

SOURCES := $(sort $(wildcard src/*/*.c))
MAINS   := src/cli/main.c
PROTOS  := $(sort $(wildcard proto/*.proto proto/*/*.proto))
PROTO_C := $(PROTOS:proto/%.proto=$(BUILD)/gen/%.pb-c.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o) $(PROTO_C:$(BUILD)/gen/%.c=$(BUILD)/obj/gen/%.o)
LIB_OBJECTS := $(filter-out $(MAINS:%.c=$(BUILD)/obj/%.o),$(OBJECTS))
LIB     := $(BUILD)/libtangotrace.a
BPF_SKEL := $(BUILD)/gen/probe.skel.h

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help deps demo check check-long check-backends check-bpf check-unit check-docs check-golden check-asan check-host check-fuzz check-e2e check-libraries lint bench install clean docs

all: $(BUILD)/tangotrace ## build/tangotrace

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 16

# ---- BPF ------------------------------------------------------------------------------------------
BPF_FLAGS := -target bpf -mcpu=v3 -O2 -g -D__TARGET_ARCH_x86 -Ivmlinux -Iinclude -Ibpf

$(BUILD)/obj/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h vmlinux/*.h) include/tangotrace/event.h
	$(say) BPF $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -Wall -Werror -c $< -o $@

$(BUILD)/gen/%.skel.h: $(BUILD)/obj/bpf/%.bpf.o
	$(say) SKEL $@
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

# ---- protobuf -------------------------------------------------------------------------------------
$(BUILD)/gen/%.pb-c.c: proto/%.proto
	$(say) PROTO $<
	$(Q)mkdir -p $(@D)
	$(Q)protoc-c --proto_path=proto --c_out=$(BUILD)/gen $<

$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(CFLAGS) $(CPPFLAGS) -MMD -MP -c $< -o $@

# ---- C --------------------------------------------------------------------------------------------
$(BUILD)/obj/%.o: %.c | $(PROTO_C) $(BPF_SKEL)
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# The page's files are in the program as they are.
WEB := $(wildcard src/view/web/*)
$(BUILD)/obj/src/view/assets.o $(BUILD)/fuzz/obj/src/view/assets.o: $(WEB)

$(LIB): $(LIB_OBJECTS)
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/tangotrace: $(MAINS:%.c=$(BUILD)/obj/%.o) $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(LDLIBS)

# ---- tests ----------------------------------------------------------------------------------------
UNIT_SOURCES := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT_TESTS   := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/tests/unit/%)

$(BUILD)/tests/unit/%: tests/unit/%.c $(LIB)
	$(say) TEST $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -Werror=unused-function -MMD -MP $< $(LIB) -o $@ $(LDLIBS) -lcmocka

HOST_TESTS := $(patsubst tests/host/%.c,$(BUILD)/tests/host/%,$(sort $(wildcard tests/host/test_*.c)))

$(BUILD)/tests/host/%: tests/host/%.c $(LIB)
	$(say) TEST $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Werror=unused-function -MMD -MP $< $(LIB) -o $@ $(LDLIBS) -lcmocka

check-host: $(HOST_TESTS) ## links, leases and process events against the running kernel (as root)
	$(Q)for t in $(HOST_TESTS); do echo "== $$t"; timeout 120 $$t || exit 1; done

check-bpf: ## the BPF program against limits of older kernels
	$(Q)mkdir -p $(BUILD)/tests
	$(Q)$(CLANG) $(BPF_FLAGS) -Wframe-larger-than=0 -c bpf/probe.bpf.c -o $(BUILD)/tests/stack.o 2> $(BUILD)/tests/stack.txt
	$(Q)tests/bpf/stack $(BUILD)/tests/stack.o $(BUILD)/tests/stack.txt

check-unit: $(UNIT_TESTS) ## unit tests, no root
	$(Q)for t in $(UNIT_TESTS); do echo "== $$t"; $$t || exit 1; done

check-asan: all ## unit tests, and the exporters against bad servers, with AddressSanitizer: no leak (as root)
	$(Q)$(MAKE) --no-print-directory DEBUG=1 all check-unit
	$(Q)TT_AGENT=$(abspath $(BUILD))/debug/tangotrace tests/e2e/run servers

check-golden: all ## recordings of real programs against their golden OTLP, no root
	$(Q)tests/golden/run

# ---- fuzzing: every parser, a short fixed time in `make check` ------------------------------------
FUZZ_TIME    ?= 10
FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZERS      := $(FUZZ_SOURCES:tests/fuzz/%.c=$(BUILD)/fuzz/%)
FUZZ_OBJECTS := $(filter-out $(MAINS:%.c=$(BUILD)/fuzz/obj/%.o),$(SOURCES:%.c=$(BUILD)/fuzz/obj/%.o))
FUZZ_FLAGS   := -std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined $(CPPFLAGS)

$(BUILD)/fuzz/obj/%.o: %.c | $(PROTO_C) $(BPF_SKEL)
	$(say) FUZZCC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

$(BUILD)/fuzz/libtangotrace.a: $(FUZZ_OBJECTS) $(PROTO_C:$(BUILD)/gen/%.c=$(BUILD)/obj/gen/%.o)
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(BUILD)/fuzz/libtangotrace.a
	$(say) FUZZ $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer $^ -o $@ $(LDLIBS)

check-fuzz: $(FUZZERS) ## every fuzz target for FUZZ_TIME seconds
	$(Q)for f in $(FUZZERS); do tests/fuzz/run $$f $(FUZZ_TIME) || exit 1; done

# ---- the rest of the promise ----------------------------------------------------------------------
# What the program prints of itself, and where that stands: arguments=file.
GENERATED := help-reference=docs/options.md spans-reference=docs/spans.md config,schema=docs/tangotrace.schema.json \
             help-manual=docs/man/tangotrace.1 help-manual,file=docs/man/tangotrace.yaml.5
comma := ,

docs: all ## writes the generated pages anew
	$(Q)mkdir -p docs/man
	$(Q)$(foreach g,$(GENERATED),$(BUILD)/tangotrace $(subst $(comma), ,$(firstword $(subst =, ,$g))) > $(lastword $(subst =, ,$g)) &&) true

check-docs: all ## are the generated pages those of the program?
	$(Q)$(foreach g,$(GENERATED),$(BUILD)/tangotrace $(subst $(comma), ,$(firstword $(subst =, ,$g))) | diff -q - $(lastword $(subst =, ,$g)) || \
	  { echo "$(lastword $(subst =, ,$g)) is out of date: make docs"; exit 1; };)

deps: ## installs what building and testing needs (as root)
	$(Q)deploy/bootstrap build check demo

demo: ## installs what is missing, builds, traces a small real Tango system
	$(Q)deploy/bootstrap build demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)deploy/demo

check: ## installs what the tests need and passes them all
	$(Q)deploy/bootstrap build check demo
	$(Q)$(MAKE) --no-print-directory check-all

.PHONY: check-all
check-all: all
	$(Q)$(MAKE) --no-print-directory lint
	$(Q)$(MAKE) --no-print-directory check-bpf
	$(Q)$(MAKE) --no-print-directory check-unit
	$(Q)$(MAKE) --no-print-directory check-docs
	$(Q)$(MAKE) --no-print-directory check-golden
	$(Q)$(MAKE) --no-print-directory check-host
	$(Q)$(MAKE) --no-print-directory check-fuzz
	$(Q)tests/libraries/run --installed
	$(Q)$(MAKE) --no-print-directory check-e2e

check-e2e: all ## real Tango programs, a real database, a real Collector (as root)
	$(Q)tests/e2e/run

check-backends: ## real Jaeger, Loki and Prometheus; Tempo where TEMPO_BIN names one (builds them once; as root)
	$(Q)deploy/bootstrap build check demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/e2e/run backends

check-long: ## the long versions: full harm test, kernels in qemu, bare Debian 13 and Ubuntu 24.04
	$(Q)deploy/bootstrap build check demo long
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(MAKE) --no-print-directory check-libraries
	$(Q)$(MAKE) --no-print-directory $(HOST_TESTS)
	$(Q)$(MAKE) --no-print-directory check-asan
	$(Q)tests/e2e/run --long
	$(Q)tests/kernels/run
	$(Q)tests/bare/run

check-libraries: all ## coverage table: what is probed in Debian's and PyPI's builds (fetches them into the cache)
	$(Q)tests/libraries/run

bench: all ## latency and CPU, off and traced, in one run
	$(Q)tests/bench/run

FORMAT_FILES := $(shell git ls-files -co --exclude-standard 'src/*.[ch]' 'bpf/*.[ch]' 'include/*.h' 'tests/*.[ch]' 'vmlinux/*.h' 2>/dev/null)
SHELL_FILES  := $(shell git grep -lI --untracked -e '^\#!.*\bbash' -- deploy tests .ci 2>/dev/null)

# Each version formats in a way of its own: tests/e2e/venv brings this one.
CACHE := $(or $(TANGOTRACE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tangotrace)
CLANG_FORMAT ?= $(or $(wildcard $(CACHE)/venvs/format/bin/clang-format),clang-format)

# The version's quotes do not survive two shells, and any string will do.
TIDY_FLAGS = -std=gnu11 $(filter-out -DTT_VERSION=%,$(CPPFLAGS)) -DTT_VERSION=__FILE__

lint: all ## clang-format, clang-tidy, shellcheck
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(FORMAT_FILES)
	$(Q)printf '%s\n' $(SOURCES) | xargs -P 2 -n 12 sh -c 'clang-tidy --quiet "$$@" -- $(TIDY_FLAGS) 2>/dev/null' tidy
	$(Q)shellcheck $(SHELL_FILES)

install: all ## into PREFIX (default /usr/local), with DESTDIR
	install -D -m 0755 $(BUILD)/tangotrace $(DESTDIR)$(PREFIX)/bin/tangotrace
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/share/doc/tangotrace
	sed 's,@PREFIX@,$(PREFIX),g' deploy/tangotrace.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/tangotrace.service
	install -m 0644 README.md docs/*.md docs/*.json docs/*.png $(DESTDIR)$(PREFIX)/share/doc/tangotrace
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man1 docs/man/tangotrace.1
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man5 docs/man/tangotrace.yaml.5

clean: ## removes build/
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
