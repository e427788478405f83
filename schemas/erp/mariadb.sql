-- MariaDB 10.6 and later: where erp-consumer puts orders, and the procedure that does it. A starting point: copy it, and let import_order write your own
-- tables. To be run with the client `mariadb`. READ-COMMITTED spares the deadlocks that the gaps between keys bring (they do no harm: the load is repeated).
--
--   [erp]
--   sink = sql
--   [erp.sql]
--   connection = Driver={MariaDB Unicode};Server=db;Database=erp;UID=bridge;PWD=...;Charset=utf8mb4;INITSTMT={SET SESSION tx_isolation='READ-COMMITTED'}
--   statement = CALL import_order(:organization, :order_id, :warehouse, :revision, :publication, :withdrawn, :order_json)
--   withdraw_statement = CALL import_order(:organization, :order_id, :warehouse, :revision, :publication, :withdrawn, :order_json)
--
-- What the bridge counts on, whatever you make of this:
--   one document for (organization, order_id, warehouse), however often it is offered; its id is the first column of the result;
--   the same revision again changes nothing, another revision with a higher publication is an edit of the same document;
--   a lower publication than the known one changes nothing, loaded or withdrawn;
--   a withdrawal is remembered even of an order that never arrived; after it a higher publication loads anew;
--   "this order is bad" is raised as SQLSTATE BO001: the text becomes the reason in xSale's ledger. Any other error makes the order wait.
-- The statement runs in a transaction of its own, begun and committed by the bridge: no COMMIT in the procedure.

CREATE TABLE xsale_order (
    organization varchar(255) NOT NULL,
    order_id     bigint NOT NULL,
    warehouse    varchar(255) NOT NULL,
    publication  bigint NOT NULL,           -- the newest one known, ms since 1970
    revision     varchar(16),               -- of what is loaded; null: nothing ever was
    withdrawn    boolean NOT NULL,
    document_id  varchar(40) UNIQUE,        -- null: nothing was ever loaded
    order_json   longtext,
    loaded_at    datetime(3),
    PRIMARY KEY (organization, order_id, warehouse)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE xsale_order_line (
    organization varchar(255) NOT NULL,
    order_id     bigint NOT NULL,
    warehouse    varchar(255) NOT NULL,
    line         integer NOT NULL,
    code         varchar(255),              -- of the article to issue; null: the item names none
    ean          varchar(255),
    name         text,
    quantity     decimal(18, 6) NOT NULL,
    price_net    decimal(18, 4),            -- of one unit of the item
    price_gross  decimal(18, 4),
    vat_rate     varchar(40),
    PRIMARY KEY (organization, order_id, warehouse, line)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Stands for your own checks: orders with such an article are refused.
CREATE TABLE xsale_blocked_article (code varchar(255) PRIMARY KEY) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE SEQUENCE xsale_document;

DELIMITER //
CREATE PROCEDURE import_order(p_organization varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, p_order_id bigint,
                              p_warehouse varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, p_revision varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
                              p_publication bigint, p_withdrawn integer, p_order_json longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)
    MODIFIES SQL DATA
work: BEGIN
    DECLARE k_publication bigint;
    DECLARE k_revision varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
    DECLARE k_withdrawn boolean;
    DECLARE k_document, words varchar(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

    -- Whoever comes first makes the row; whoever comes at the same time waits for it here.
    INSERT INTO xsale_order (organization, order_id, warehouse, publication, withdrawn) VALUES (p_organization, p_order_id, p_warehouse, -1, true)
        ON DUPLICATE KEY UPDATE xsale_order.organization = p_organization;
    SELECT publication, revision, withdrawn, document_id INTO k_publication, k_revision, k_withdrawn, k_document FROM xsale_order
        WHERE organization = p_organization AND order_id = p_order_id AND warehouse = p_warehouse FOR UPDATE;

    IF p_publication <= k_publication THEN  -- the same again, or an older one that was late
        SELECT k_document;
        LEAVE work;
    END IF;

    IF p_withdrawn <> 0 THEN
        UPDATE xsale_order SET publication = p_publication, withdrawn = true
            WHERE organization = p_organization AND order_id = p_order_id AND warehouse = p_warehouse;
        IF k_revision IS NOT NULL THEN
            DELETE FROM xsale_order_line WHERE organization = p_organization AND order_id = p_order_id AND warehouse = p_warehouse;
        END IF;
        SELECT k_document;
        LEAVE work;
    END IF;

    IF NOT k_withdrawn AND k_revision = p_revision THEN
        UPDATE xsale_order SET publication = p_publication
            WHERE organization = p_organization AND order_id = p_order_id AND warehouse = p_warehouse;
        SELECT k_document;
        LEAVE work;
    END IF;

    IF NOT JSON_VALID(p_order_json) OR coalesce(JSON_LENGTH(p_order_json, '$.items'), 0) = 0 THEN
        SIGNAL SQLSTATE 'BO001' SET MESSAGE_TEXT = 'an order without lines';
    END IF;
    SELECT left(concat('blocked article ', b.code), 128) INTO words
        FROM JSON_TABLE(p_order_json, '$.items[*].articles[*]' COLUMNS (code varchar(255) PATH '$.code')) a
             JOIN xsale_blocked_article b ON b.code = a.code COLLATE utf8mb4_bin LIMIT 1;
    IF words IS NOT NULL THEN
        SIGNAL SQLSTATE 'BO001' SET MESSAGE_TEXT = words;
    END IF;

    IF k_withdrawn THEN                     -- nothing there, or taken back: a new document
        SET k_document = concat('ZK-', NEXTVAL(xsale_document));
    END IF;
    UPDATE xsale_order SET publication = p_publication, revision = p_revision, withdrawn = false, document_id = k_document, order_json = p_order_json,
                           loaded_at = now(3)
        WHERE organization = p_organization AND order_id = p_order_id AND warehouse = p_warehouse;
    IF k_revision IS NOT NULL THEN          -- not for nothing: what is not there locks the gap where other orders' lines go
        DELETE FROM xsale_order_line WHERE organization = p_organization AND order_id = p_order_id AND warehouse = p_warehouse;
    END IF;
    INSERT INTO xsale_order_line
        SELECT p_organization, p_order_id, p_warehouse, row_number() OVER (ORDER BY j.item, j.article), j.code, j.ean, coalesce(j.name, j.item_name),
               coalesce(j.quantity, j.item_quantity), j.price_net, j.price_gross, j.vat_rate
        FROM JSON_TABLE(p_order_json, '$.items[*]' COLUMNS (
                 item FOR ORDINALITY, item_name text PATH '$.name', item_quantity decimal(18, 6) PATH '$.quantity', price_net decimal(18, 4) PATH '$.priceNet',
                 price_gross decimal(18, 4) PATH '$.priceGross', vat_rate varchar(40) PATH '$.vatRate',
                 NESTED PATH '$.articles[*]' COLUMNS (
                     article FOR ORDINALITY, code varchar(255) PATH '$.code', ean varchar(255) PATH '$.ean', name text PATH '$.name',
                     quantity decimal(18, 6) PATH '$.quantity'))) j;
    SELECT k_document;
END //
DELIMITER ;
