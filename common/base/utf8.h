/* Whether bytes are UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF. Pure. */
#ifndef BRIDGE_BASE_UTF8_H
#define BRIDGE_BASE_UTF8_H

#include <stddef.h>

/* Bytes of the longest valid beginning of n bytes; n: all is valid. U+0000 is valid. */
size_t utf8_check(const void *p, size_t n);

#endif
