# SPDX-License-Identifier: GPL-2.0
"""A kernel that is built here, or by somebody: request (what is asked for), series (its
patches), tree (the copy that is built), kconfig, build; tarball and image."""
