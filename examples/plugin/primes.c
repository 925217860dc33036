/* SPDX-License-Identifier: Apache-2.0
 *
 * primes.c: a Warren plugin with one handler: counts the primes below the payload's number.
 */
#include <stdio.h>
#include <stdlib.h>
#include <warren/handler.h>

static int count_primes(const struct warren_job *job, void *state)
{
        const struct warren_host *host = job->host;
        char *end;
        long below = strtol(job->payload, &end, 10); /* a NUL follows the payload */
        long count = 0;

        (void)state;
        if (end != job->payload + job->payload_length || below < 0 || below > 100000000) {
                host->error(job, "the payload must be an integer from 0 to 100000000");
                return WARREN_PERMANENT; /* no retry can help: bury the job */
        }
        for (long n = 2; n < below; n++) {
                long divisor = 2;
                while (divisor * divisor <= n && n % divisor != 0)
                        divisor++;
                count += divisor * divisor > n;
                if (n % 1000 != 0)
                        continue;
                if (host->cancelled(job)) /* timed out, or the consumer is stopping */
                        return WARREN_STOPPED;
                host->progress(job, (double)n / (double)below, NULL);
        }

        char result[64];
        int length = snprintf(result, sizeof(result), "{\"primes\": %ld}", count);
        if (host->result(job, result, (size_t)length) != 0)
                return WARREN_RETRY;
        return WARREN_DONE;
}

static const struct warren_handler handlers[] = {
        {"count_primes", count_primes},
        {NULL, NULL},
};

const struct warren_plugin warren_plugin = {
        .abi = WARREN_PLUGIN_ABI,
        .name = "primes",
        .version = "1.0",
        .open = NULL,  /* could read "settings", once per process */
        .close = NULL, /* could free what open has allocated */
        .handlers = handlers,
};
