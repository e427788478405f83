/* The tape's verdict on a text beside jansson's, and what it finds in it. Both must agree but for the differences that json_tape.h lists. */
#ifndef BRIDGE_TESTS_JSON_PEER_H
#define BRIDGE_TESTS_JSON_PEER_H

#include <stdbool.h>
#include <stddef.h>

enum json_verdict { JSON_SOUND, JSON_NO_TEXT, JSON_BAD_STRING }; /* accepted; refused by the parser; by what takes a string out of it */

/* Parses, then takes every string, keys too. */
enum json_verdict json_peer_tape(const char *text, size_t n);
/* NULL: they agree, or differ as listed. Otherwise what is wrong. */
const char *json_peer_compare(const char *text, size_t n);
/* Ends the process with words where they disagree. */
void json_peer_check(const char *text, size_t n);

#endif
