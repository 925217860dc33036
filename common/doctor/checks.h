/* SPDX-License-Identifier: Apache-2.0
 *
 * checks.h: the table of all checks. A check's name stands here only. Pure.
 */
#pragma once

#include "common/base/bytes.h"

/* Who makes a check. */
enum check_layer {
        LAYER_CALLER = 1,  /* whoever asks for the health */
        LAYER_GATEWAY = 2, /* each gateway, of itself and the services that it calls */
        LAYER_WORK = 4,    /* the primary status-store, from the projection */
        LAYER_ARCHIVE = 8, /* the dlx-monitor */
        LAYER_BROKER = 16, /* the primary or the command line, by the management API */
};

/* What it means for the whole when a check is wrong. */
enum severity { SEVERITY_DEGRADED, SEVERITY_DOWN };

enum check {
        CHECK_GATEWAY,
        CHECK_PUBLISHING,
        CHECK_CONTROL,
        CHECK_KEY,
        CHECK_STATUS_STORE,
        CHECK_PROJECTION,
        CHECK_HANDLERS,
        CHECK_WORKERS,
        CHECK_LOST_WORKERS,
        CHECK_PROVISIONING,
        CHECK_PAUSES,
        CHECK_DLX_MONITOR,
        CHECK_ARCHIVE,
        CHECK_LETTERS,
        CHECK_BROKER,
        CHECK_NODE, /* one for each node, which is named behind it: "node rabbit@a" */
        CHECK_BROKER_VERSION,
        CHECK_TOPOLOGY,
        CHECK_CONSUMERS,
        CHECK_STORE_READS,
        CHECK_MONITOR_READS,
        CHECK_PARKED,
        CHECK_LIMITS,
        CHECK_UNKNOWN, /* one that only a later version makes */
};
enum { CHECK_COUNT = CHECK_UNKNOWN + 1 };

struct check_kind {
        const char *name;
        enum severity severity;
        enum check_layer layer;
};
extern const struct check_kind check_kinds[CHECK_COUNT];

/* The check of this name, as findings have it. */
enum check check_parse(struct bytes name);
const char *severity_name(enum severity s);
