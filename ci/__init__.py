# SPDX-License-Identifier: GPL-2.0
"""How the engines of others run the tests."""
