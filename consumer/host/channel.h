/* SPDX-License-Identifier: Apache-2.0
 *
 * channel.h: the host's ends of the pipes (consumer/runner/plugin_wire.h): whole frames in, whole
 * frames out, each by one system call when it fits.
 */
#ifndef WARREN_HOST_CHANNEL_H
#define WARREN_HOST_CHANNEL_H

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "consumer/runner/plugin_wire.h"

struct channel {
        struct buffer in;
};

struct channel_frame {
        enum wire_kind kind;
        struct bytes body; /* lives until the next channel_read; a NUL follows it */
};

void channel_init(struct channel *c);
void channel_fini(struct channel *c);
/* Waits. 1: a frame; 0: the consumer has closed its end; -1: broken. */
int channel_read(struct channel *c, struct channel_frame *out, struct err *e) MUST_CHECK;

enum { CHANNEL_PARTS_MAX = 3 };
/* Writes header, then the parts (absent ones too). */
int channel_write(enum wire_kind kind, const struct bytes parts[CHANNEL_PARTS_MAX],
                  struct err *e) MUST_CHECK;

#endif
