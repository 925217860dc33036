/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket_handshake_fuzz.c: any answer to a handshake is whole, in part or wrong, whatever comes
 * behind it. The first byte says where it is cut.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "common/http/websocket_handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct handshake_answer whole, cut, head;
        struct err e = {0};

        if (length == 0)
                return 0;
        struct bytes in = bytes_of(data + 1, length - 1);
        int result = handshake_read(in, &whole, &e);
        int of_cut = handshake_read(bytes_of(in.data, in.length * data[0] / 255), &cut, NULL);
        /* What is wrong or whole stays so when more comes. */
        assert(of_cut == 0 || of_cut == result);
        assert((result < 0) == (e.code == ERR_PROTOCOL));
        if (result != 1)
                return 0;
        assert(whole.head > 0 && whole.head <= in.length && whole.status >= 0);
        assert(handshake_read(bytes_of(in.data, whole.head), &head, NULL) == 1);
        assert(head.status == whole.status && head.body == whole.body && head.head == whole.head);
        assert(strlen(whole.accept) < sizeof(whole.accept));
        (void)!handshake_check(&whole, "dGhlIHNhbXBsZSBub25jZQ==", &e);
        return 0;
}
