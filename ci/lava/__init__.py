# SPDX-License-Identifier: GPL-2.0
"""The tests as a job of LAVA."""
