-- SQLite 3.38 and later: where erp-consumer puts orders, and the triggers that do it (SQLite has no procedures). A starting point: copy it, and let the trigger
-- write your own tables.
--
--   [erp]
--   sink = sql
--   [erp.sql]
--   connection = Driver=SQLite3;Database=/var/lib/erp/erp.db;JournalMode=WAL;SyncPragma=FULL
--   statement = WITH o AS (SELECT :organization AS organization, :order_id AS order_id, :warehouse AS warehouse, :revision AS revision,
--     :publication AS publication, :withdrawn AS withdrawn, :order_json AS order_json)
--     INSERT INTO xsale_import SELECT * FROM o WHERE true
--     RETURNING (SELECT x.document_id FROM xsale_order x WHERE x.organization = xsale_import.organization AND x.order_id = xsale_import.order_id
--     AND x.warehouse = xsale_import.warehouse)
--   withdraw_statement = (the same)
--
-- The driver shows the result of an INSERT only when it begins with WITH. What the bridge counts on, whatever you make of this:
--   one document for (organization, order_id, warehouse), however often it is offered; its id is the first column of the result;
--   the same revision again changes nothing, another revision with a higher publication is an edit of the same document;
--   a lower publication than the known one changes nothing, loaded or withdrawn;
--   a withdrawal is remembered even of an order that never arrived; after it a higher publication loads anew;
--   "this order is bad" is raised with a message that begins with "BO001: ": the rest becomes the reason in xSale's ledger. Any other error makes the
--   order wait.
BEGIN;

CREATE TABLE xsale_order (
    organization text NOT NULL,
    order_id     integer NOT NULL,
    warehouse    text NOT NULL,
    publication  integer NOT NULL,          -- the newest one known, ms since 1970
    revision     text,                      -- of what is loaded; null: nothing ever was
    withdrawn    integer NOT NULL,
    number       integer UNIQUE,            -- of the document; null: nothing was ever loaded
    document_id  text AS ('ZK-' || number),
    order_json   text,
    loaded_at    text,
    PRIMARY KEY (organization, order_id, warehouse)
);

CREATE TABLE xsale_order_line (
    organization text NOT NULL,
    order_id     integer NOT NULL,
    warehouse    text NOT NULL,
    line         integer NOT NULL,
    code         text,                      -- of the article to issue; null: the item names none
    ean          text,
    name         text,
    quantity     text NOT NULL,             -- SQLite has no decimals: amounts stay text
    price_net    text,                      -- of one unit of the item
    price_gross  text,
    vat_rate     text,
    PRIMARY KEY (organization, order_id, warehouse, line)
);

-- Stands for your own checks: orders with such an article are refused.
CREATE TABLE xsale_blocked_article (code text PRIMARY KEY);

-- What is offered goes through here and does not stay.
CREATE TABLE xsale_import (organization text, order_id integer, warehouse text, revision text, publication integer, withdrawn integer, order_json text);

CREATE TRIGGER xsale_import_order BEFORE INSERT ON xsale_import
BEGIN
    INSERT INTO xsale_order (organization, order_id, warehouse, publication, withdrawn) VALUES (NEW.organization, NEW.order_id, NEW.warehouse, -1, 1)
        ON CONFLICT DO NOTHING;

    SELECT RAISE(ABORT, 'BO001: an order without lines')
        FROM xsale_order o
        WHERE o.organization = NEW.organization AND o.order_id = NEW.order_id AND o.warehouse = NEW.warehouse AND NEW.publication > o.publication
              AND NOT NEW.withdrawn AND (o.withdrawn OR o.revision <> NEW.revision)
              AND coalesce(json_array_length(NEW.order_json, '$.items'), 0) = 0;
    SELECT RAISE(ABORT, 'BO001: an article of this order is blocked')
        FROM xsale_order o, json_each(NEW.order_json, '$.items') i, json_each(i.value, '$.articles') a
             JOIN xsale_blocked_article b ON b.code = json_extract(a.value, '$.code')
        WHERE o.organization = NEW.organization AND o.order_id = NEW.order_id AND o.warehouse = NEW.warehouse AND NEW.publication > o.publication
              AND NOT NEW.withdrawn AND (o.withdrawn OR o.revision <> NEW.revision);

    -- The lines that stood there go with an edit and with a withdrawal.
    DELETE FROM xsale_order_line
        WHERE organization = NEW.organization AND order_id = NEW.order_id AND warehouse = NEW.warehouse
              AND EXISTS (SELECT 1 FROM xsale_order o
                          WHERE o.organization = NEW.organization AND o.order_id = NEW.order_id AND o.warehouse = NEW.warehouse
                                AND NEW.publication > o.publication AND (NEW.withdrawn OR o.withdrawn OR o.revision <> NEW.revision));
    -- -> gives an amount's text as it came.
    INSERT INTO xsale_order_line
        SELECT NEW.organization, NEW.order_id, NEW.warehouse, row_number() OVER (ORDER BY i.key, a.key), a.value ->> '$.code', a.value ->> '$.ean',
               coalesce(a.value ->> '$.name', i.value ->> '$.name'), coalesce(a.value -> '$.quantity', i.value -> '$.quantity'),
               nullif(i.value -> '$.priceNet', 'null'), nullif(i.value -> '$.priceGross', 'null'), i.value ->> '$.vatRate'
        FROM xsale_order o, json_each(NEW.order_json, '$.items') i LEFT JOIN json_each(i.value, '$.articles') a
        WHERE o.organization = NEW.organization AND o.order_id = NEW.order_id AND o.warehouse = NEW.warehouse AND NEW.publication > o.publication
              AND NOT NEW.withdrawn AND (o.withdrawn OR o.revision <> NEW.revision);

    UPDATE xsale_order
        SET number = CASE WHEN NOT NEW.withdrawn AND withdrawn THEN (SELECT coalesce(max(number), 0) + 1 FROM xsale_order) ELSE number END,
            order_json = CASE WHEN NEW.withdrawn THEN order_json ELSE NEW.order_json END,
            loaded_at = CASE WHEN NEW.withdrawn THEN loaded_at ELSE strftime('%Y-%m-%dT%H:%M:%fZ') END,
            revision = CASE WHEN NEW.withdrawn THEN revision ELSE NEW.revision END,
            withdrawn = NEW.withdrawn,
            publication = NEW.publication
        WHERE organization = NEW.organization AND order_id = NEW.order_id AND warehouse = NEW.warehouse AND NEW.publication > publication;
END;

CREATE TRIGGER xsale_import_done AFTER INSERT ON xsale_import
BEGIN
    DELETE FROM xsale_import WHERE rowid = NEW.rowid;
END;

COMMIT;
