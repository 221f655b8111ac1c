# SPDX-License-Identifier: GPL-2.0
# Wiring only.  The two commands that matter: ./run_tests.sh, and make check.

define HELP
./run_tests.sh               tests a kernel: see ./run_tests.sh --help, and README

make check [T=NAME...]       tests this project itself; T= picks tests by a part of their name
make new-test NAME=AREA      a program of tests to begin with
make stable [N=50] [ARGS=]   the same run again and again: is it flaky?
make static KDIR=DIR [FILE=] every notifier callback of a kernel tree, without running it
make static-cocci KDIR=DIR   the same by Coccinelle
make static-gcc KDIR=DIR     what gcc's analyzer says of it
make callsites KDIR=DIR      are all places known that start an invalidation there?
make install KDIR=DIR        the tests into a kernel tree; FIXES=n leaves mm/ alone
make uninstall KDIR=DIR      restores it to the byte
make series [OUT=] [KDIR=]   the patches as one would send them

make mutants [M=] [KERNEL=]  does the suite notice each of the mistakes?
                             CALLSITES=y: seven slips of each call site
                             SUBJECT=kvm: which slips does a real driver notice?
make coverage [KERNEL=]      what of mm/mmu_notifier.c is run
make proof                   what these two found the last time, as tables
make fuzz-device [S=600]     attacks on the device that the tests use
make fuzz-judge [N=10000]    broken runs, each judged
make check-rxe               --subject rxe, on a kernel that is built for it
make check-gntdev            --subject gntdev, in a domain 0 of Xen
make check-shapes [SHAPE=]   on one CPU, with 128 MiB, PREEMPT_RT, larger pages and so on
make check-vng               --backend vng has the verdicts of our own VM
make check-mm-ci MM_CI=DIR   mm-ci's own scripts run the tests, as ci/README says
make check-bisect            bisects a handful of kernels
make bench [ARGS=]           where the time of a run goes: -n 9, --cold, --counted,
                             options of it; '--goals [NAME...]': is it as quick as it
                             is to be?
make cost                    what the rule costs those who keep it, in instructions
make lava-local [ARGS=]      the tests as a job of LAVA, without a server
make lava-lab [ARGS=]        fifteen kernels as jobs of a LAVA server with two workers
make check-tarball           kselftest's tarball on a Debian, as KernelCI's labs run it
make engines RUN=DIR E=      do the engines that run the tests agree, test by test?

make clean                   results
make distclean               also what was downloaded and built
endef
all help:
	@: $(info $(HELP))

# T= picks tests of the project by a part of their name: a file's, class's or method's,
# as in T=test_judge, T=test_judge.Good, or several.
check:
	@./run_tests.sh packages run source check static
	@pytest-3 tests $(if $(T),-k "$$(echo '$(strip $(T))' | sed 's/ / or /g; s/\./ and /g')"); \
		code=$$?; [ $$code != 5 ] || echo "make check: there is no test T=$(T)" >&2; exit $$code

# A program of tests to begin with: make new-test NAME=munmap
new-test:
	@selftests/new-test.sh "$(NAME)"

# Does lib/change/start_site.c know all places in that kernel that start an invalidation?
callsites:
	@lib/change/start-sites.sh "$(KDIR)"

# Which notifier callbacks of a kernel tree can break the rule?  FILE= checks one file.
static:
	@./run_tests.sh packages source static
	@python3 -m static "$(KDIR)" $(if $(FILE),--file "$(FILE)") $(ARGS)

static-cocci:
	@./run_tests.sh packages static
	@python3 -m static.cocci "$(KDIR)" $(FILE)

static-gcc:
	@./run_tests.sh packages source static
	@python3 -m static.gcc "$(KDIR)" $(FILE) $(ARGS)

# The same run again and again, as in N=50 ARGS='--busy 2 --test oom:*'
stable:
	@./run_tests.sh packages run
	@tests/stable.py -n $(or $(N),50) $(ARGS)

# As many broken runs as one likes, each judged; RESULTS= is a good run to break
fuzz-judge:
	@tests/fuzz_judge.py -n $(or $(N),10000) $(RESULTS)

bench:
	@./run_tests.sh packages run
	@tests/bench.py $(ARGS)

# Of 7.2, by gcc and clang, for amd64 and arm64; ARGS='--static' or '--dynamic' is a half
cost:
	@./run_tests.sh packages run source cost
	@tests/cost/cost.py $(ARGS)

# Into a kernel tree, and out of it again. FIXES=n leaves mm/ alone.
install:
	@python3 -m intree install $(if $(filter n,$(FIXES)),--without-fixes) "$(KDIR)"

uninstall:
	@python3 -m intree uninstall "$(KDIR)"

# The series of each base as one would send it, or with KDIR= that of a tree
series:
	@python3 -m intree series $(if $(KDIR),--kdir "$(KDIR)") "$(or $(OUT),series)"

# Not a part of check: it builds a kernel with InfiniBand.
check-rxe:
	@./run_tests.sh packages run source check rxe
	@CHECK_RXE=1 pytest-3 tests/test_subject.py -k Rxe

# Not a part of check: it is Xen that boots.
check-gntdev:
	@./run_tests.sh packages run check gntdev
	@CHECK_GNTDEV=1 pytest-3 tests/test_xen.py -k Gntdev

# Not a part of check: it builds kernels.  SHAPE= picks some of tests/shapes/shapes.py.
check-shapes:
	@./run_tests.sh packages run source
	@tests/shapes/shapes.py $(SHAPE)

# Not a part of check: without KVM, virtme-ng takes minutes to boot.
check-vng:
	@./run_tests.sh packages run check
	@CHECK_VNG=1 pytest-3 tests/test_vng.py

# Not a part of check: it wants MM_CI=, a checkout of linux-mm/mm-ci.  KDIR= is a tree as
# ci/README says, TIMEOUT= in place of the 300 s that a guest has there.
check-mm-ci:
	@./run_tests.sh packages run source check mm-ci
	@CHECK_MM_CI=1 MM_CI="$(MM_CI)" KDIR="$(KDIR)" pytest-3 -n 0 tests/test_mm_ci.py

# Not a part of check: it builds a handful of kernels.
check-bisect:
	@./run_tests.sh packages run source
	@tests/bisect.sh

# Does the suite notice each of the mistakes in kernel-patches/mutants?  M= picks some,
# KERNEL= says which kernel they are made of.  CALLSITES=y: in place of those, seven slips
# of each function that starts an invalidation.  SUBJECT=kvm: what of that a driver notices,
# on Debian's kernel and without test_hmm.
KERNEL ?= source:6.12
mutants:
	@./run_tests.sh packages run source
	@tests/proof/$(if $(SUBJECT),drivers.py --subject $(SUBJECT),$(if $(filter \
		y,$(CALLSITES)),callsites.py,mutants.py) --kernel $(KERNEL)) $(M)

# Attacks on the device that the tests use, for S seconds.  KERNEL= says where, as in
# KERNEL=source:6.12+fixes ARGS=--debug; ARGS='--seed N' begins as another run did.
fuzz-device:
	@./run_tests.sh --kernel $(KERNEL) --selftests "$(CURDIR)/tests/device" \
		--stress $(or $(S),600) --test 'attack.survives*' $(ARGS)

# What of mm/mmu_notifier.c the suite runs, and what upstream's hmm-tests do.
coverage:
	@./run_tests.sh packages run source gcovr
	@tests/proof/coverage.py --kernel $(KERNEL)

# The tests as a job of LAVA, on this machine, by its own dispatcher and without a server.
# That is made of Debian's Python, and so is what it is run by.
lava-local:
	@./run_tests.sh packages run lava
	@/usr/bin/python3 -B -m ci.lava $(ARGS)

# A LAVA server, its database and its workers, of Debian's packages, none of which is
# installed. ARGS='--workers 4 --kernels source:7.2 --mutants "" -- --quick' is a part of it.
lava-lab:
	@./run_tests.sh packages run source lab
	@/usr/bin/python3 -B -m ci.lava.lab $(ARGS)

# Not a part of check: it makes a Debian, and runs all tests twice.
check-tarball:
	@./run_tests.sh packages run source check tarball
	@CHECK_TARBALL=1 pytest-3 tests/test_tarball.py

# As in RUN=results/latest E='kunit=results/kunit/latest/summary.json lava=.../lava.log'
engines:
	@tests/engines.py $(RUN) $(E)

# What the last make mutants and make coverage found
proof:
	@tests/proof/proof.py

clean:
	rm -rf results
	find . -name __pycache__ -prune -exec rm -rf {} +

# also what was downloaded and built
distclean: clean
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/hmm-notifier-tests"

.PHONY: all help check new-test static static-cocci static-gcc stable callsites fuzz-judge bench cost install uninstall series check-rxe check-shapes check-vng check-mm-ci check-bisect mutants fuzz-device coverage proof lava-local engines lava-lab check-tarball check-gntdev clean distclean
