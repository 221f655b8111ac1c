// SPDX-License-Identifier: GPL-2.0
#include "fixture.h"

int other_quick(struct dev *dev, bool may_sleep)
{
	if (may_sleep)
		wait_for_completion(&dev->idle);
	return 0;
}
