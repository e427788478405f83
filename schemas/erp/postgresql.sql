-- PostgreSQL 12 and later: where erp-consumer puts orders, and the procedure that does it. A starting point: copy it, and let import_order write your own tables.
--
--   [erp]
--   sink = sql
--   [erp.sql]
--   connection = Driver={PostgreSQL Unicode};Server=db;Database=erp;UID=bridge;PWD=...;Protocol=7.4-1
--   statement = SELECT import_order(:organization, :order_id, :warehouse, :revision, :publication, :withdrawn, :order_json)
--   withdraw_statement = SELECT import_order(:organization, :order_id, :warehouse, :revision, :publication, :withdrawn, :order_json)
--
-- What the bridge counts on, whatever you make of this:
--   one document for (organization, order_id, warehouse), however often it is offered; its id is the first column of the result;
--   the same revision again changes nothing, another revision with a higher publication is an edit of the same document;
--   a lower publication than the known one changes nothing, loaded or withdrawn;
--   a withdrawal is remembered even of an order that never arrived; after it a higher publication loads anew;
--   "this order is bad" is raised as SQLSTATE BO001: the text becomes the reason in xSale's ledger. Any other error makes the order wait.
-- The statement runs in a transaction of its own.
BEGIN;

CREATE SEQUENCE xsale_document;

CREATE TABLE xsale_order (
    organization text NOT NULL,
    order_id     bigint NOT NULL,
    warehouse    text NOT NULL,
    publication  bigint NOT NULL,           -- the newest one known, ms since 1970
    revision     text,                      -- of what is loaded; null: nothing ever was
    withdrawn    boolean NOT NULL,
    document_id  text UNIQUE,               -- null: nothing was ever loaded
    order_json   jsonb,
    loaded_at    timestamptz,
    PRIMARY KEY (organization, order_id, warehouse)
);

CREATE TABLE xsale_order_line (
    organization text NOT NULL,
    order_id     bigint NOT NULL,
    warehouse    text NOT NULL,
    line         integer NOT NULL,
    code         text,                      -- of the article to issue; null: the item names none
    ean          text,
    name         text,
    quantity     numeric(18, 6) NOT NULL,
    price_net    numeric(18, 4),            -- of one unit of the item
    price_gross  numeric(18, 4),
    vat_rate     text,
    PRIMARY KEY (organization, order_id, warehouse, line),
    FOREIGN KEY (organization, order_id, warehouse) REFERENCES xsale_order ON DELETE CASCADE
);

-- Stands for your own checks: orders with such an article are refused.
CREATE TABLE xsale_blocked_article (code text PRIMARY KEY);

CREATE FUNCTION import_order(p_organization text, p_order_id bigint, p_warehouse text, p_revision text, p_publication bigint, p_withdrawn integer,
                             p_order_json text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    known   xsale_order;
    content jsonb;
    bad     text;
BEGIN
    -- Whoever comes first makes the row; whoever comes at the same time waits for it here.
    INSERT INTO xsale_order (organization, order_id, warehouse, publication, withdrawn) VALUES (p_organization, p_order_id, p_warehouse, -1, true)
        ON CONFLICT DO NOTHING;
    SELECT * INTO known FROM xsale_order o
        WHERE o.organization = p_organization AND o.order_id = p_order_id AND o.warehouse = p_warehouse FOR UPDATE;
    IF p_publication <= known.publication THEN
        RETURN known.document_id;           -- the same again, or an older one that was late
    END IF;

    IF p_withdrawn <> 0 THEN
        UPDATE xsale_order o SET publication = p_publication, withdrawn = true
            WHERE o.organization = p_organization AND o.order_id = p_order_id AND o.warehouse = p_warehouse;
        DELETE FROM xsale_order_line l WHERE l.organization = p_organization AND l.order_id = p_order_id AND l.warehouse = p_warehouse;
        RETURN known.document_id;
    END IF;

    IF NOT known.withdrawn AND known.revision = p_revision THEN
        UPDATE xsale_order o SET publication = p_publication
            WHERE o.organization = p_organization AND o.order_id = p_order_id AND o.warehouse = p_warehouse;
        RETURN known.document_id;
    END IF;

    content := p_order_json::jsonb;
    IF coalesce(jsonb_array_length(content -> 'items'), 0) = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'BO001', MESSAGE = 'an order without lines';
    END IF;
    SELECT a ->> 'code' INTO bad FROM jsonb_array_elements(content -> 'items') i, jsonb_array_elements(i -> 'articles') a
        JOIN xsale_blocked_article b ON b.code = a ->> 'code' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'BO001', MESSAGE = 'blocked article ' || bad;
    END IF;

    IF known.withdrawn THEN                 -- nothing there, or taken back: a new document
        known.document_id := 'ZK-' || nextval('xsale_document');
    END IF;
    UPDATE xsale_order o SET publication = p_publication, revision = p_revision, withdrawn = false, document_id = known.document_id, order_json = content,
                             loaded_at = now()
        WHERE o.organization = p_organization AND o.order_id = p_order_id AND o.warehouse = p_warehouse;
    DELETE FROM xsale_order_line l WHERE l.organization = p_organization AND l.order_id = p_order_id AND l.warehouse = p_warehouse;
    INSERT INTO xsale_order_line
        SELECT p_organization, p_order_id, p_warehouse, row_number() OVER (ORDER BY i.n, a.n), a.article ->> 'code', a.article ->> 'ean',
               coalesce(a.article ->> 'name', i.item ->> 'name'), coalesce(a.article ->> 'quantity', i.item ->> 'quantity')::numeric,
               (i.item ->> 'priceNet')::numeric, (i.item ->> 'priceGross')::numeric, i.item ->> 'vatRate'
        FROM jsonb_array_elements(content -> 'items') WITH ORDINALITY i(item, n)
             LEFT JOIN LATERAL jsonb_array_elements(i.item -> 'articles') WITH ORDINALITY a(article, n) ON true;
    RETURN known.document_id;
END $$;

COMMIT;
