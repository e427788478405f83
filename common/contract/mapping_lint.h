/* Everything that is wrong with a sound schema as a mapping, each with its place, so that --check-config can tell it all at once: attributes that mean
 * nothing ("xsale" pointers that are none by RFC 6901, unknown values of "bridge", "resolve", "json", "symbols", "volatile", "required", "erp"), and fields
 * that the bridge needs and that a user's own schema dropped or retyped. What is left is found by order_plan_create. Pure. */
#ifndef BRIDGE_CONTRACT_MAPPING_LINT_H
#define BRIDGE_CONTRACT_MAPPING_LINT_H

#include "common/contract/schema.h"

/* line: where the field's object begins, or the record's when the field is missing; 0: not known. words: "record R, field f: what". */
typedef void mapping_lint_fn(void *arg, int line, const char *words);

/* An Order schema (producer.schema). Returns the number of problems told. */
unsigned mapping_lint(const struct schema *s, mapping_lint_fn *fn, void *arg);
/* A view for the ERP (erp.view): "json" and "erp" attributes. */
unsigned mapping_lint_view(const struct schema *s, mapping_lint_fn *fn, void *arg);

#endif
