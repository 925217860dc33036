/* SPDX-License-Identifier: Apache-2.0
 *
 * order.c: the end of a subscription.
 */
#include "common/amqp/order.h"

#include <stdlib.h>

void subscription_free(struct subscription *s)
{
        free(s->queue);
        free(s);
}
