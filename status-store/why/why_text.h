/* SPDX-License-Identifier: Apache-2.0
 *
 * why_text.h: the answer to why a job waits as one sentence for people, so that all who show it
 * have the same words.
 */
#pragma once

#include "status-store/why/why_facts.h"

void why_text(const struct why_case *c, enum why_code code, struct buffer *out);
