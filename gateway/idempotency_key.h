/* SPDX-License-Identifier: Apache-2.0
 *
 * idempotency_key.h: the key of a submission, as the header Idempotency-Key and the member
 * idempotency_key give it. Pure.
 */
#pragma once

#include "common/base/bytes.h"
#include "common/model/job.h"

/* The form of a key, for error texts. */
#define IDEMPOTENCY_KEY_FORM "1 to 255 printable ASCII characters"

/* Reads a header's value: bare (without spaces, not beginning with a quote), or quoted as a string
 * of RFC 8941, with nothing behind it. out becomes the key, without quotes and escapes. -1:
 * ERR_INVALID. */
int idempotency_key_parse(const char *header, char out[JOB_KEY_SIZE], struct err *e) MUST_CHECK;
