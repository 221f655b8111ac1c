
# The hmm_notifier tests share hmm_lib_*, and tell the WARNs of
# mm/mmu_notifier.c apart by their lines.
HMM_NOTIFIER := $(patsubst %.c,$(OUTPUT)/%,$(wildcard hmm_notifier_*.c))
HMM_LIB := $(patsubst %.c,$(OUTPUT)/%.o,$(wildcard hmm_lib_*.c))
HMM_HDRS := $(wildcard hmm_lib_*.h hmm_notifier*.h) $(OUTPUT)/hmm_warn_sites.h
LOCAL_HDRS += $(HMM_HDRS)

$(OUTPUT)/hmm_warn_sites.h: hmm_warn_sites.sh $(top_srcdir)/mm/mmu_notifier.c
	$(call msg,GEN,,$@)
	$(Q)./hmm_warn_sites.sh $(top_srcdir) > $@

$(OUTPUT)/hmm_lib_%.o: hmm_lib_%.c $(HMM_HDRS)
	$(call msg,CC,,$@)
	$(Q)$(CC) $(CFLAGS) -c $< -o $@

$(HMM_NOTIFIER): $(HMM_LIB) $(HMM_HDRS)
$(HMM_NOTIFIER) $(HMM_LIB): CFLAGS += -D_GNU_SOURCE= -I$(OUTPUT) -I$(top_srcdir)/lib -I$(selfdir)
$(HMM_NOTIFIER): LDLIBS += -lnuma
EXTRA_CLEAN += $(HMM_LIB) $(OUTPUT)/hmm_warn_sites.h
