# SPDX-License-Identifier: GPL-2.0
# The hmm_notifier tests, for ../Makefile to include after lib.mk.  Each
# hmm_notifier_*.c here is a program, and takes what it needs from lib/.

HMM_NOTIFIER := $(patsubst hmm_notifier/%.c,$(OUTPUT)/%,\
	$(wildcard hmm_notifier/hmm_notifier_*.c))
HMM_NOTIFIER_OBJS := $(patsubst %.c,$(OUTPUT)/%.o,\
	$(shell find hmm_notifier/lib -name '*.c'))
HMM_NOTIFIER_LIB := $(OUTPUT)/hmm_notifier/lib.a
# Where mm/mmu_notifier.c WARNs, by line
HMM_NOTIFIER_SITES := $(OUTPUT)/hmm_notifier/warn_sites.h
HMM_NOTIFIER_HDRS := $(shell find hmm_notifier -name '*.h' ! -name warn_sites.h) \
	$(top_srcdir)/lib/test_hmm_uapi.h $(HMM_NOTIFIER_SITES)
HMM_NOTIFIER_CC = $(CC) $(CFLAGS) -D_GNU_SOURCE= -iquote hmm_notifier/lib \
	-iquote $(OUTPUT)/hmm_notifier -iquote $(top_srcdir)/lib -I$(selfdir)
HMM_NOTIFIER_AR := $(if $(LLVM),$(LLVM_PREFIX)llvm-ar$(LLVM_SUFFIX),$(CROSS_COMPILE)ar)

all: $(HMM_NOTIFIER_LIB) $(HMM_NOTIFIER)
TEST_GEN_FILES += $(HMM_NOTIFIER)
EXTRA_CLEAN += $(HMM_NOTIFIER_OBJS) $(HMM_NOTIFIER_LIB) $(HMM_NOTIFIER_SITES)

$(HMM_NOTIFIER): $(OUTPUT)/%: hmm_notifier/%.c $(HMM_NOTIFIER_LIB) $(HMM_NOTIFIER_HDRS)
	$(call msg,CC,,$@)
	$(Q)$(HMM_NOTIFIER_CC) $(LDFLAGS) $< $(HMM_NOTIFIER_LIB) $(LDLIBS) -lnuma -o $@

$(HMM_NOTIFIER_LIB): $(HMM_NOTIFIER_OBJS)
	$(call msg,AR,,$@)
	$(Q)rm -f $@
	$(Q)$(HMM_NOTIFIER_AR) rcs $@ $^

$(HMM_NOTIFIER_OBJS): $(OUTPUT)/%.o: %.c $(HMM_NOTIFIER_HDRS)
	$(call msg,CC,,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(HMM_NOTIFIER_CC) -c $< -o $@

$(HMM_NOTIFIER_SITES): hmm_notifier/lib/core/warn-sites.sh $(top_srcdir)/mm/mmu_notifier.c
	$(call msg,GEN,,$@)
	$(Q)mkdir -p $(@D)
	$(Q)sh $< $(top_srcdir) > $@
