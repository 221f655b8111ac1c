# SPDX-License-Identifier: GPL-2.0
"""Checks every MMU-notifier callback of a kernel tree without running it."""
