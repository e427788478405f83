/* What the ERP sees of an order: the schema that erp.view names. */
#ifndef BRIDGE_CONSUMER_ERP_VIEW_H
#define BRIDGE_CONSUMER_ERP_VIEW_H

#include "common/base/config.h"
#include "common/contract/schema.h"

/* RC_OK: *out owned by the caller, NULL when erp.view is empty. RC_REJECT: words name file and place. */
enum rc erp_view_open(const struct config *c, struct schema **out, struct err *e);
/* The schema of what the ERP sees, as far as this configuration tells: the view, else producer.schema, else the built-in Order. *out owned by the caller. */
enum rc erp_view_seen(const struct config *c, struct schema **out, struct err *e);
/* Adds a line per problem; no network. With erp.sink = file the view must show the publication. A view must also fit the Order schema (producer.schema where this file names one, else the built-in one): a field
 * of one's own needs a default there, as records written before it lack it too. */
void erp_view_check(const struct config *c, struct config_problems *problems);

#endif
