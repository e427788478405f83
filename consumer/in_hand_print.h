/* What the running programs say of one order, for people and programs. Pure. */
#ifndef BRIDGE_CONSUMER_IN_HAND_PRINT_H
#define BRIDGE_CONSUMER_IN_HAND_PRINT_H

#include "consumer/in_hand.h"

/* One line for each program that has it, each ended: "parked in erp-consumer MAG-1 since 2026-11-24T10:02:11.123Z, next try in 40 s: HTTP 503". Who could not be asked is named. */
void in_hand_text(const struct in_hand *h, struct buf *out);
/* An array of {"program","at","warehouse","state","since","nextInMs","tries","words","paused"}; what is not known is left out. */
void in_hand_json(const struct in_hand *h, struct buf *out);

#endif
