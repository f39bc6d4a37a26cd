# The whole house for arm64, and its unit tests: make arm64.  A cross compiler
# builds, with Debian's libraries of that processor from $(ARM64_ROOT); an
# emulator of its programs runs what was built.  It knows no seccomp filters:
# those are what regress/unit/test_sandbox.c is for.

ARM64_ROOT =	$(abspath $(O))/arm64.root
ARM64_CC =	aarch64-linux-gnu-gcc
ARM64_MAKE =	$(MAKE) O=$(O)/arm64 AR=aarch64-linux-gnu-ar \
		CC="$(ARM64_CC) --sysroot=$(ARM64_ROOT)"

$(ARM64_ROOT)/usr: regress/build/sysroot regress/mk/packages.mk
	regress/build/sysroot arm64 $(ARM64_ROOT) $(DEPS_ARM64_ROOT)
	@touch $@

deps-arm64:
	$(APT) $(DEPS_ARM64)

arm64: deps-arm64 $(ARM64_ROOT)/usr
	+$(ARM64_MAKE) -j$(JOBS) all unit
	LIMIT=1800 REGRESS_UNDER="qemu-aarch64 -L $(ARM64_ROOT)" regress/run $(O)/arm64 unit

.PHONY: arm64 deps-arm64
