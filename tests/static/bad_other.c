// SPDX-License-Identifier: GPL-2.0
#include "fixture.h"

static int wait_or_not(struct dev *dev, bool may_sleep)
{
	if (may_sleep)
		wait_for_completion(&dev->idle);
	return 0;
}

int other_drop(struct dev *dev, bool may_sleep)
{
	return wait_or_not(dev, may_sleep);
}

int other_result(struct dev *dev)
{
	return dev->count ? -EBUSY : 0;
}
