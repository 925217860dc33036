/* SPDX-License-Identifier: Apache-2.0
 *
 * pipes.h: the host's ends of the pipes (consumer/runner/plugin_wire.h): reads and writes whole
 * frames, each by one system call when it fits. All calls block.
 */
#pragma once

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "consumer/runner/plugin_wire.h"

struct pipes_frame {
        enum wire_kind kind;
        struct bytes body; /* lives until the next pipes_read; a NUL follows it */
};

/* Reads into `in`, which starts as {0}. 1: a frame; 0: the consumer has closed its end; -1: failed,
 * or not a frame. */
int pipes_read(struct buffer *in, struct pipes_frame *out, struct err *e) MUST_CHECK;

enum { PIPES_PARTS_MAX = 3 };
/* Writes the header, then the parts; unused parts are zero. */
int pipes_write(enum wire_kind kind, const struct bytes parts[PIPES_PARTS_MAX],
                struct err *e) MUST_CHECK;
