/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_main.c: runs a harness without libFuzzer: over every file of a corpus folder, then over a
 * given number of seeded mutations of them. The same seed gives the same inputs.
 *
 *      json_scan_fuzz CORPUS [SEED [COUNT]]
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/own.h"

enum { FILES_MAX = 1024, FILE_MAX = 1 << 20, CHANGES_MAX = 8 };

static struct buffer files[FILES_MAX];
static size_t file_count;
static uint64_t random_state;

/* xorshift64* (Vigna) */
static uint64_t random_next(uint64_t below)
{
        random_state ^= random_state >> 12;
        random_state ^= random_state << 25;
        random_state ^= random_state >> 27;
        return (random_state * UINT64_C(2685821657736338717) >> 16) % below;
}

static int read_file(const char *folder, const char *name, struct buffer *out)
{
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        AUTO_FCLOSE FILE *file = fopen(path, "re");
        if (file == NULL)
                return -1;
        buffer_reserve(out, FILE_MAX);
        out->length = fread(out->data, 1, FILE_MAX, file);
        return ferror(file) ? -1 : 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_corpus(const char *folder)
{
        struct dirent **names = NULL;
        int count = scandir(folder, &names, NULL, by_name), failed = count < 0 ? -1 : 0;

        for (int i = 0; i < count; i++) {
                bool wanted = names[i]->d_name[0] != '.' && file_count < FILES_MAX;
                if (wanted && read_file(folder, names[i]->d_name, &files[file_count++]) < 0)
                        failed = -1;
                free(names[i]);
        }
        free(names);
        return file_count == 0 ? -1 : failed;
}

/* Flips a bit, sets a byte, cuts, repeats a part, or splices in a part of another file. */
static void change(struct buffer *text)
{
        if (text->length == 0) {
                buffer_add_char(text, (char)random_next(256));
                return;
        }
        size_t at = random_next(text->length), left = text->length - at;
        const struct buffer *other = &files[random_next(file_count)];

        switch (random_next(5)) {
        case 0:
                text->data[at] = (char)(text->data[at] ^ (1 << random_next(8)));
                break;
        case 1:
                text->data[at] = "\"\\{}[],:0\x00\x80\xed"[random_next(12)];
                break;
        case 2:
                text->length = at;
                break;
        case 3:
                left = left > 64 ? 64 : left;
                buffer_reserve(text, left);
                buffer_add(text, text->data + at, left);
                break;
        case 4:
                text->length = at;
                at = other->length == 0 ? 0 : random_next(other->length);
                buffer_add(text, other->data + at, other->length - at);
                break;
        }
        if (text->length > FILE_MAX)
                text->length = FILE_MAX;
}

/* Runs on a copy of exact size, so that the sanitizer sees a read past its end. */
static void run(struct bytes input)
{
        char *exact = malloc(input.length + 1);

        if (exact == NULL)
                abort();
        memcpy(exact + 1, input.data, input.length);
        LLVMFuzzerTestOneInput((const uint8_t *)exact + 1, input.length);
        free(exact);
}

static void run_mutation(void)
{
        AUTO_BUFFER text = {0};
        const struct buffer *start = &files[random_next(file_count)];

        buffer_add(&text, start->data, start->length);
        for (uint64_t left = 1 + random_next(CHANGES_MAX); left > 0; left--)
                change(&text);
        run(buffer_bytes(&text));
}

int main(int argc, char **argv)
{
        if (argc < 2 || read_corpus(argv[1]) < 0) {
                fprintf(stderr, "usage: %s CORPUS [SEED [COUNT]]\n", argv[0]);
                return 2;
        }
        random_state = (argc > 2 ? strtoull(argv[2], NULL, 10) : 0) + UINT64_C(88172645463325252);
        unsigned long long count = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;

        for (size_t i = 0; i < file_count; i++)
                run(buffer_bytes(&files[i]));
        for (unsigned long long i = 0; i < count; i++)
                run_mutation();
        printf("%zu files and %llu mutations\n", file_count, count);
        for (size_t i = 0; i < file_count; i++)
                buffer_fini(&files[i]);
        return 0;
}
