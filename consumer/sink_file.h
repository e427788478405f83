/* The sink that leaves one JSON file an order and warehouse in erp.file.directory, for ERPs that pick up files and for looking at one's own
 * orders. The name is "<organization>_<orderId>_<warehouse>.json", other bytes than letters, digits and '-' percent-encoded; it is the document id.
 * A file is written under a temporary name (leading dot), flushed, renamed over the old one, and the directory is flushed: a reader sees the
 * old file or the new one, never a part. The same content again changes nothing, nor does a lower publication than that of the file.
 * A withdrawal replaces the file by "<name>.withdrawn.json" with the withdrawal's document, which remembers its publication: an older
 * load that comes late changes nothing, a newer one removes it and loads anew.
 * A lock on the directory (flock) keeps several programs, a forgotten one too, from writing over each other's newer files; where the file system
 * has none (some NFS), two at once may leave the older one. What a crash left half-written (.xsale-bridge-*.part) is removed at the next start.
 * The calls block, so they run in a thread of the sink's own, one after another; at the end one that hangs is left behind after 2 s.
 * Whether the ERP is there before the first order: the directory exists and can be written. */
#ifndef BRIDGE_CONSUMER_SINK_FILE_H
#define BRIDGE_CONSUMER_SINK_FILE_H

#include "consumer/erp_sink.h"

extern const struct erp_sink_ops sink_file_ops;

#endif
