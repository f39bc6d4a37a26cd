# maild: one Makefile for the whole house.
#
#   make            build everything into $(O)
#   make deps       install the Debian packages that build and tests need
#   make install    programs, manual pages, etc/, users and directories
#   make uninstall  programs, manual pages and etc/ again, nothing else
#   make demo       try it: build, start on loopback, send, read, verify
#   make regress    all tests; ends with "N passed, N failed"
#   make regress-quick  unit, conf, script, man: under two minutes
#   make regress-views  sessions on one mailbox against a model, for long
#   make bench      side by side with Postfix, its milters and Dovecot, as ratios
#   make arm64      the house for that processor, its unit tests emulated
#   make fuzz       fuzz every parser for FUZZ_SECONDS each
#   make fuzz-cover what the corpora reach of the parsers
#
# SAN=1 builds with ASan and UBSan, CC=clang with clang.

O ?=		build
JOBS ?=		$(shell nproc)
PREFIX ?=	/usr/local
SYSCONFDIR ?=	/etc
LOCALSTATEDIR ?= /var
RUNDIR ?=	/run/maild
LIBEXECDIR ?=	$(PREFIX)/libexec/maild
# grows by one with each release; adjacent ones understand each other
RELEASE ?=	1
MANDIR ?=	$(PREFIX)/share/man
DESTDIR ?=

include regress/mk/packages.mk

WARN =		-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
		-Wpointer-arith -Wno-unused-parameter -Wno-missing-field-initializers \
		-Wvla -Wwrite-strings -Werror
# jumps and returns to where none lead, as the processor has it
BRANCH =	$(if $(findstring aarch64,$(shell $(CC) -dumpmachine)), \
		-mbranch-protection=standard,-fcf-protection)
HARDEN :=	-fstack-protector-strong -fstack-clash-protection $(BRANCH)
CPPFLAGS +=	-D_GNU_SOURCE -I. -Icommon \
		-DMAILD_LIBEXECDIR='"$(LIBEXECDIR)"' \
		-DMAILD_SYSCONFDIR='"$(SYSCONFDIR)"' \
		-DMAILD_LOCALSTATEDIR='"$(LOCALSTATEDIR)"' \
		-DMAILD_RUNDIR='"$(RUNDIR)"'
CFLAGS ?=	-O2 -g
CFLAGS +=	-std=gnu11 -fPIE $(WARN) $(HARDEN)
LDFLAGS +=	-Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed

ifeq ($(SAN),1)
CFLAGS +=	-fsanitize=address,undefined -fno-omit-frame-pointer \
		-fno-sanitize-recover=undefined
CPPFLAGS +=	-DMAILD_SANITIZE
LDFLAGS +=	-fsanitize=address,undefined
else
CPPFLAGS +=	-D_FORTIFY_SOURCE=2
endif
# FUZZ=1: instrumented for libFuzzer (make fuzz sets it, with clang).
ifeq ($(FUZZ),1)
CFLAGS +=	-fsanitize=fuzzer-no-link
endif
ifneq ($(FAULT),)
CPPFLAGS +=	-DFAULT_$(FAULT)
endif

# V=1 shows every command.
ifeq ($(V),1)
Q =
say =
else
Q =		@
say =		@printf '  %-5s%s\n' $(1) $(2);
endif

# ---- libraries: one archive a layer of common, users before what they use ---

LIBS =		net proc conf msg verify store parse base
$(foreach l,$(LIBS),$(eval SRCS.$(l) = $(filter-out common/base/build.c,$(wildcard common/$(l)/*.c))))
ARCHIVES =	$(LIBS:%=$(O)/lib%.a)

# ---- programs: a folder each, its outside libraries; no others are built ----

LD.maild =	-lyaml -lidn2 -lcrypto -lsodium -levent_core
LD.keygen =	-lcrypto -lsodium
LD.mailctl =	-lldns -lyaml -lcrypto
LD.smtpd =	-ltls -lssl -lcrypto -levent_core -lsodium -lidn2
LD.queue =	-levent_core -lsodium -lcrypto
LD.deliver =	-levent_core -lsodium -lcrypto
LD.relay =	-ltls -lssl -lcrypto -levent_core -lsodium -lidn2
LD.resolve =	-lldns -lcrypto -levent_core -lsodium
LD.imapd =	-ltls -lssl -lcrypto -levent_core -lsodium -lz
LD.imap-session = $(STATIC) -lz
LD.pop3d =	-ltls -lssl -lcrypto -levent_core -lsodium -lz
LD.pop3-session = $(STATIC)
LD.store =	$(STATIC)
LD.authd =	-lsqlite3 -lsodium -levent_core -lcrypto -lidn2
LD.authd-hash =	-ljansson -lsodium -levent_core -lcrypto
LD.signd =	-lcrypto -lsodium -levent_core
LD.report-in =	-lexpat -ljansson -lz -levent_core -lsodium -lcrypto
LD.report-out =	-lz -levent_core -lsodium -lcrypto
LD.logd =	-levent_core -lsodium -lcrypto

PROGS :=	$(sort $(patsubst LD.%,%,$(filter LD.%,$(.VARIABLES))))

# A folder has its program's name, with a slash for a dash where that is one.
DIR.keygen =	maild/keygen
DIR.store =	maild/store
DIR.imap-session = imapd/session
DIR.pop3-session = pop3d/session
folder =	$(or $(DIR.$(1)),$(wildcard $(subst -,/,$(1))),$(1))
srcs =		$(wildcard $(call folder,$(1))/*.c)

# The session programs and store are static: a fork of them touches few pages.
ifneq ($(SAN),1)
STATIC =	-static-pie
endif

all: $(PROGS:%=$(O)/%) $(O)/build

objs = $(patsubst %.c,$(O)/obj/%.o,$(1))

$(O)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# What holds a path is compiled again when make is told of another PREFIX.
$(call objs,maild/finding.c maild/main.c maild/options.c common/conf/table.c mailctl/main.c): $(O)/paths
$(O)/paths: FORCE
	@mkdir -p $(@D)
	@echo "$(LIBEXECDIR) $(SYSCONFDIR) $(LOCALSTATEDIR) $(RUNDIR)" >$@.new
	@cmp -s $@.new $@ && rm -f $@.new || mv $@.new $@
FORCE:

# The build: a digest of all sources, compiled into every program.  Programs
# of one build belong together, and maild takes no others; $(O)/build says
# which they are, as the file that make install puts in place last.
BUILD_SRCS =	$(sort $(shell find common $(foreach p,$(PROGS),$(call folder,$(p))) \
		-name '*.[ch]'))
BUILD_OBJ =	$(O)/obj/common/base/build.o
$(O)/build.id: FORCE
	@mkdir -p $(@D)
	@{ echo "$(RELEASE) $(FAULT)"; sha256sum $(BUILD_SRCS); } | sha256sum | \
	    cut -c 1-64 >$@.new
	@cmp -s $@.new $@ && rm -f $@.new || mv $@.new $@
$(BUILD_OBJ): $(O)/build.id
$(BUILD_OBJ): CPPFLAGS += -DBUILD_ID='"$(shell cat $(O)/build.id)"' \
		-DBUILD_RELEASE=$(RELEASE)
$(O)/build: $(O)/build.id $(PROGS:%=$(O)/%)
	@cp $< $@

define archive
$(O)/lib$(1).a: $(call objs,$(SRCS.$(1)))
	@rm -f $$@
	@$(AR) rcs $$@ $$^
endef
$(foreach l,$(LIBS),$(eval $(call archive,$(l))))

# position independent either way
pie =		$(if $(findstring -static-pie,$(1)),,-pie)

define program
$(O)/$(1): $(call objs,$(call srcs,$(1))) $(BUILD_OBJ) $(ARCHIVES)
	$(call say,LD,$$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $$(call pie,$$(LD.$(1))) \
	    -o $$@ $(call objs,$(call srcs,$(1))) $(BUILD_OBJ) $(ARCHIVES) $(LD.$(1))
endef
$(foreach p,$(PROGS),$(eval $(call program,$(p))))

-include regress/mk/regress.mk
-include regress/mk/arm64.mk

# Services that come with a package are not started (RUNLEVEL=1).
APT =		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -q install -y \
		--no-install-recommends

deps:
	$(APT) $(DEPS_BUILD)

deps-demo:
	$(APT) $(DEPS_BUILD) $(DEPS_DEMO)

deps-test:
	$(APT) $(DEPS_BUILD) $(DEPS_DEMO) $(DEPS_TEST)

demo: deps-demo
	$(MAKE) -j$(JOBS) all
	BUILD=$(O) regress/demo/demo.py run

demo-up: deps-demo
	$(MAKE) -j$(JOBS) all
	BUILD=$(O) regress/demo/demo.py up

demo-down:
	regress/demo/demo.py down

# Everything that must hold; regress/mk/regress.mk has the groups.
regress: deps-test
	$(MAKE) -j$(JOBS) regress-build
	regress/run $(O) $(GROUPS_FAST) $(GROUPS_HOUSE) $(GROUPS_SAN)

bench: deps-demo
	$(APT) $(DEPS_BENCH)
	$(MAKE) -j$(JOBS) all $(O)/regress/verdict_cost
	BUILD=$(abspath $(O)) regress/bench/bench

# what signd adds to the bare signature
bench-sign: deps-demo
	$(MAKE) -j$(JOBS) all
	BUILD=$(abspath $(O)) regress/bench/sign.py

# what clients cost that wait in IDLE
bench-idle: deps-demo
	$(MAKE) -j$(JOBS) all
	regress/bench/idle.py $(abspath $(O))

fuzz: fuzz-build
	FUZZ_SECONDS=$(FUZZ_SECONDS) BUILD=$(O) regress/fuzz/t_fuzz

install: all
	$(Q)PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" \
	    LOCALSTATEDIR="$(LOCALSTATEDIR)" RUNDIR="$(RUNDIR)" \
	    LIBEXECDIR="$(LIBEXECDIR)" MANDIR="$(MANDIR)" \
	    sh etc/install.sh "$(O)" "$(DESTDIR)" "$(PROGS)"

# mail, configuration and users stay
uninstall:
	$(Q)PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" \
	    LOCALSTATEDIR="$(LOCALSTATEDIR)" RUNDIR="$(RUNDIR)" \
	    LIBEXECDIR="$(LIBEXECDIR)" MANDIR="$(MANDIR)" \
	    sh etc/uninstall.sh "$(DESTDIR)" "$(PROGS)"

clean:
	rm -rf $(O)

.PHONY: FORCE all deps deps-demo deps-test demo demo-up demo-down regress bench bench-sign \
	bench-idle \
	fuzz install uninstall clean
-include $(shell find $(O) -name '*.d' -type f 2>/dev/null)
