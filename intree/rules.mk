
# The hmm_notifier tests share hmm_lib_*, and tell the WARNs of
# mm/mmu_notifier.c apart by their lines.
HMM_NOTIFIER := $(patsubst %.c,$(OUTPUT)/%,$(wildcard hmm_notifier_*.c))
HMM_LIB := $(wildcard hmm_lib_*.c)
HMM_HDRS := $(wildcard hmm_lib_*.h hmm_notifier.h) $(OUTPUT)/hmm_warn_sites.h
LOCAL_HDRS += $(HMM_HDRS)

$(OUTPUT)/hmm_warn_sites.h: hmm_warn_sites.sh $(top_srcdir)/mm/mmu_notifier.c
	./hmm_warn_sites.sh $(top_srcdir) > $@

$(HMM_NOTIFIER): $(HMM_LIB) $(HMM_HDRS)
$(HMM_NOTIFIER): CFLAGS += $(if $(findstring _GNU_SOURCE,$(CFLAGS)),,-D_GNU_SOURCE) -I$(OUTPUT) -I$(top_srcdir)/lib -I$(selfdir)
$(HMM_NOTIFIER): LDLIBS += -lnuma
EXTRA_CLEAN += $(OUTPUT)/hmm_warn_sites.h
