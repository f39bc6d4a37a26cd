# Tests.  Every test program prints TAP lines ("ok N - name", "not ok N - name");
# regress/run adds them up and ends with "N passed, N failed".
#
# Tests are not linked again for a new build id alone.
#
# A unit test is regress/unit/test_NAME.c, a cmocka program linked with the
# archives of common; LINK.NAME in regress/unit/link.mk names what it needs
# besides, LD.test_NAME more for the linker.

UNIT =		$(patsubst regress/unit/test_%.c,%,$(wildcard regress/unit/test_*.c))
include regress/unit/link.mk
UNIT_LD =	-lcmocka -ltls -lssl -lldns -lyaml -lsqlite3 -lexpat -ljansson -lz -lidn2 -levent_core -lsodium -lcrypto

define unit
$(O)/regress/unit/$(1): $(O)/obj/regress/unit/test_$(1).o $(call objs,$(LINK.$(1))) $(ARCHIVES) | $(BUILD_OBJ)
	@mkdir -p $$(@D)
	$(call say,LD,$$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -pie -o $$@ $(O)/obj/regress/unit/test_$(1).o \
	    $(call objs,$(LINK.$(1))) $(BUILD_OBJ) $(ARCHIVES) $(LD.test_$(1)) $(UNIT_LD)
endef
$(foreach u,$(UNIT),$(eval $(call unit,$(u))))

# A role that tells maild what it may not, for regress/system/t_channels.
$(O)/regress/liar: $(call objs,regress/system/liar.c) $(ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -pie -o $@ $(call objs,regress/system/liar.c) \
	    $(ARCHIVES)

# The clock that a test sets, for whole processes: regress/lib/clock.py.
$(O)/regress/clock.so: regress/lib/test_clock.c regress/lib/test_clock.h
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -D_GNU_SOURCE -I. -O2 -g -std=gnu11 -fPIC -shared $(WARN) -o $@ $<

unit: $(UNIT:%=$(O)/regress/unit/%) $(O)/regress/liar $(O)/regress/clock.so
.PHONY: unit

# The hostile program of the jail test, in place of any role.
STANDIN =	$(call objs,$(wildcard regress/jail/*.c)) $(BUILD_OBJ)
$(O)/regress/standin: $(STANDIN) $(ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(or $(STATIC),-pie) -o $@ $(STANDIN) $(ARCHIVES)

# The verdict engine at the end of a pipe, for regress/vectors/run.
$(O)/regress/vectors: $(call objs,regress/vectors/vectors.c) $(ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(call objs,regress/vectors/vectors.c) \
	    $(ARCHIVES) -lcrypto -lidn2 -levent_core -lsodium

# What a verdict costs: make bench-verdict.
$(O)/regress/verdict_cost: $(call objs,regress/bench/verdict.c) $(ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(call objs,regress/bench/verdict.c) \
	    $(ARCHIVES) -lcrypto -lidn2 -levent_core -lsodium

bench-verdict: $(O)/regress/verdict_cost
	$(O)/regress/verdict_cost

.PHONY: bench-verdict

# Fuzz entries: regress/fuzz/fuzz_NAME.c, with what LINK.NAME links.
# Built by clang under ASan and UBSan into $(O)/fuzz.  "make regress" replays
# regress/corpus/NAME; "make fuzz" goes on for FUZZ_SECONDS each.
FUZZERS =	$(patsubst regress/fuzz/fuzz_%.c,%,$(wildcard regress/fuzz/fuzz_*.c))
FUZZ_SECONDS ?=	60

define fuzzer
$(O)/fuzz_$(1): $(O)/obj/regress/fuzz/fuzz_$(1).o $(call objs,$(LINK.$(1))) $(ARCHIVES) | $(BUILD_OBJ)
	$(call say,LD,$$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -pie -fsanitize=fuzzer -o $$@ \
	    $(O)/obj/regress/fuzz/fuzz_$(1).o $(call objs,$(LINK.$(1))) \
	    $(BUILD_OBJ) $(ARCHIVES) $(filter-out -lcmocka,$(UNIT_LD))
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))

fuzzers: $(FUZZERS:%=$(O)/fuzz_%)

fuzz-build:
	$(MAKE) O=$(O)/fuzz CC=clang SAN=1 FUZZ=1 fuzzers

# What the corpora reach of the pure code.
fuzz-cover:
	$(MAKE) O=$(O)/cover CC=clang LDFLAGS=-fprofile-instr-generate \
	    CFLAGS="-O1 -g -std=gnu11 -fprofile-instr-generate -fcoverage-mapping" \
	    fuzzers
	BUILD=$(O) regress/fuzz/cover

.PHONY: fuzzers fuzz-build fuzz-cover

# What "make regress" runs, in this order; each group is a folder of
# regress/ whose t_* programs print TAP lines.
GROUPS_FAST =	unit conf script vectors man fuzz
GROUPS_QUICK =	script unit conf man
GROUPS_SAN =	san:unit san:script san:system
GROUPS_HOUSE =	build system install jail keys durable kill

regress-build: all unit $(O)/regress/standin $(O)/regress/vectors
	$(MAKE) fuzz-build
	$(MAKE) O=$(O)/san SAN=1 all unit $(O)/san/regress/vectors

regress-fast: all unit $(O)/regress/vectors
	regress/run $(O) $(GROUPS_FAST)

# Between two edits: what needs neither the whole suite nor clang.
regress-quick: all unit
	regress/run $(O) $(GROUPS_QUICK)

# Sessions on one mailbox against a model, for long.
regress-views: all unit
	VIEWS_STEPS=5000 regress/run $(O) kill/t_views

.PHONY: regress-build regress-fast regress-quick regress-views
