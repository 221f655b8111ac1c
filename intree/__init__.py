# SPDX-License-Identifier: GPL-2.0
"""The suite as a part of a kernel tree: put there, taken out, or sent there.

__main__.py is what make calls; install.py puts it into a tree and takes it out again;
series.py makes the patches.  Both have from selftests.py what becomes of the tests in
tools/testing/selftests, and from patches.py what kernel-patches/ has for the tree.
"""
