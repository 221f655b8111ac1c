# SPDX-License-Identifier: GPL-2.0
# Wiring only.  The two commands that matter: ./run_tests.sh, and make check.

all:
	@echo "./run_tests.sh runs the tests on a kernel; 'make check' tests this project."
	@echo "Targets: check [T=NAME], bench, clean, distclean"

# T= picks tests of the project by a part of their name, as in T=test_judge.
check:
	@vm/packages.sh run check
	@tests/run.py $(T)

bench:
	@vm/packages.sh run
	@tests/bench.py

clean:
	rm -rf results
	find . -name __pycache__ -prune -exec rm -rf {} +

# also what was downloaded and built
distclean: clean
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/hmm-notifier-tests"

.PHONY: all check bench clean distclean
