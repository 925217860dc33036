/* SPDX-License-Identifier: Apache-2.0
 *
 * order.c: functions of a subscription for the loop's thread.
 */
#include "common/amqp/order.h"

#include <stdlib.h>

int64_t subscription_unreadable(const struct subscription *s, int64_t after)
{
        return s->unreadable_after == after ? s->unreadable : -1;
}

void subscription_free(struct subscription *s)
{
        free(s->queue);
        free(s);
}
