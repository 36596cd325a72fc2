/* Mistakes on purpose: what the sanitizers must find, if they are there. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile int shared;

static void *racing(void *unused)
{
    for (int i = 0; i < 10000; i++)
        shared = shared + 1;
    return unused;
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "";
    volatile int large = 0x7fffffff - 2 + argc;
    if (strcmp(kind, "address") == 0) {
        char *bytes = malloc(8);
        volatile size_t beyond = 9;
        memset(bytes, 1, beyond);
        return bytes[0];
    }
    if (strcmp(kind, "leak") == 0) {
        volatile char *bytes = malloc(8);
        bytes[0] = 1;
        bytes = NULL;
        return bytes != NULL;
    }
    if (strcmp(kind, "undefined") == 0)
        return (large = large + 1) == 0;
    if (strcmp(kind, "thread") == 0) {
        pthread_t a, b;
        pthread_create(&a, NULL, racing, NULL);
        pthread_create(&b, NULL, racing, NULL);
        pthread_join(a, NULL);
        pthread_join(b, NULL);
        return 0;
    }
    fprintf(stderr, "expected address, leak, undefined or thread, found: %s\n", kind);
    return 2;
}
