-- Microsoft SQL Server 2017 and later (compatibility level 140): where erp-consumer puts orders, and the procedure that does it. A starting point: copy it, and let
-- import_order write your own tables. To be run with sqlcmd.
-- NOT RUN: no SQL Server was to be had where the others were tested. Microsoft's own parser reads it without an error, as SQL Server 2017 would; that is its syntax.
-- What it does follows the others line by line and was not seen to happen: try it with erp-consumer --check-erp first.
--
--   [erp]
--   sink = sql
--   [erp.sql]
--   connection = Driver={ODBC Driver 18 for SQL Server};Server=tcp:db,1433;Database=erp;UID=bridge;PWD=...;Encrypt=yes
--   statement = EXEC import_order :organization, :order_id, :warehouse, :revision, :publication, :withdrawn, :order_json
--   withdraw_statement = EXEC import_order :organization, :order_id, :warehouse, :revision, :publication, :withdrawn, :order_json
--
-- What the bridge counts on, whatever you make of this:
--   one document for (organization, order_id, warehouse), however often it is offered; its id is the first column of the result;
--   the same revision again changes nothing, another revision with a higher publication is an edit of the same document;
--   a lower publication than the known one changes nothing, loaded or withdrawn;
--   a withdrawal is remembered even of an order that never arrived; after it a higher publication loads anew;
--   "this order is bad" is thrown with a message that begins with "BO001: ": the rest becomes the reason in xSale's ledger. Any other error makes the
--   order wait.
-- The statement runs in a transaction of its own, begun and committed by the bridge: no COMMIT in the procedure.

CREATE SEQUENCE xsale_document AS bigint START WITH 1;
GO

CREATE TABLE xsale_order (
    organization nvarchar(255) COLLATE Latin1_General_100_BIN2 NOT NULL,
    order_id     bigint NOT NULL,
    warehouse    nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    publication  bigint NOT NULL,           -- the newest one known, ms since 1970
    revision     varchar(16),               -- of what is loaded; null: nothing ever was
    withdrawn    bit NOT NULL,
    document_id  varchar(40),               -- null: nothing was ever loaded
    order_json   nvarchar(max),
    loaded_at    datetime2(3),
    PRIMARY KEY (organization, order_id, warehouse)
);

CREATE TABLE xsale_order_line (
    organization nvarchar(255) COLLATE Latin1_General_100_BIN2 NOT NULL,
    order_id     bigint NOT NULL,
    warehouse    nvarchar(100) COLLATE Latin1_General_100_BIN2 NOT NULL,
    line         integer NOT NULL,
    code         nvarchar(255),             -- of the article to issue; null: the item names none
    ean          nvarchar(255),
    name         nvarchar(max),
    quantity     decimal(18, 6) NOT NULL,
    price_net    decimal(18, 4),            -- of one unit of the item
    price_gross  decimal(18, 4),
    vat_rate     nvarchar(40),
    PRIMARY KEY (organization, order_id, warehouse, line)
);

-- Stands for your own checks: orders with such an article are refused.
CREATE TABLE xsale_blocked_article (code nvarchar(255) COLLATE Latin1_General_100_BIN2 PRIMARY KEY);
GO

CREATE PROCEDURE import_order @organization nvarchar(255), @order_id bigint, @warehouse nvarchar(100), @revision varchar(16), @publication bigint,
                              @withdrawn bit, @order_json nvarchar(max)
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @k_publication bigint, @k_revision varchar(16), @k_withdrawn bit, @k_document varchar(40), @words nvarchar(500);

    -- Whoever comes first makes the row; whoever comes at the same time waits for it here.
    SELECT @k_publication = publication, @k_revision = revision, @k_withdrawn = withdrawn, @k_document = document_id
        FROM xsale_order WITH (UPDLOCK, HOLDLOCK)
        WHERE organization = @organization AND order_id = @order_id AND warehouse = @warehouse;
    IF @@ROWCOUNT = 0
    BEGIN
        INSERT INTO xsale_order (organization, order_id, warehouse, publication, withdrawn) VALUES (@organization, @order_id, @warehouse, -1, 1);
        SELECT @k_publication = -1, @k_withdrawn = 1;
    END;

    IF @publication <= @k_publication       -- the same again, or an older one that was late
    BEGIN
        SELECT @k_document AS document_id;
        RETURN;
    END;

    IF @withdrawn = 1
    BEGIN
        UPDATE xsale_order SET publication = @publication, withdrawn = 1
            WHERE organization = @organization AND order_id = @order_id AND warehouse = @warehouse;
        DELETE FROM xsale_order_line WHERE organization = @organization AND order_id = @order_id AND warehouse = @warehouse;
        SELECT @k_document AS document_id;
        RETURN;
    END;

    IF @k_withdrawn = 0 AND @k_revision = @revision
    BEGIN
        UPDATE xsale_order SET publication = @publication
            WHERE organization = @organization AND order_id = @order_id AND warehouse = @warehouse;
        SELECT @k_document AS document_id;
        RETURN;
    END;

    IF NOT EXISTS (SELECT 1 FROM OPENJSON(@order_json, '$.items'))
        THROW 50001, N'BO001: an order without lines', 1;
    SELECT TOP 1 @words = N'BO001: blocked article ' + b.code
        FROM OPENJSON(@order_json, '$.items') WITH (articles nvarchar(max) AS JSON) i
             CROSS APPLY OPENJSON(i.articles) WITH (code nvarchar(255)) a
             JOIN xsale_blocked_article b ON b.code = a.code COLLATE Latin1_General_100_BIN2;
    IF @words IS NOT NULL
        THROW 50001, @words, 1;

    IF @k_withdrawn = 1                     -- nothing there, or taken back: a new document
        SET @k_document = 'ZK-' + CAST(NEXT VALUE FOR xsale_document AS varchar(20));
    UPDATE xsale_order SET publication = @publication, revision = @revision, withdrawn = 0, document_id = @k_document, order_json = @order_json,
                           loaded_at = SYSUTCDATETIME()
        WHERE organization = @organization AND order_id = @order_id AND warehouse = @warehouse;
    DELETE FROM xsale_order_line WHERE organization = @organization AND order_id = @order_id AND warehouse = @warehouse;
    INSERT INTO xsale_order_line
        SELECT @organization, @order_id, @warehouse, ROW_NUMBER() OVER (ORDER BY CAST(i.[key] AS int), CAST(a.[key] AS int)),
               JSON_VALUE(a.value, '$.code'), JSON_VALUE(a.value, '$.ean'), COALESCE(JSON_VALUE(a.value, '$.name'), JSON_VALUE(i.value, '$.name')),
               CAST(COALESCE(JSON_VALUE(a.value, '$.quantity'), JSON_VALUE(i.value, '$.quantity')) AS decimal(18, 6)),
               CAST(JSON_VALUE(i.value, '$.priceNet') AS decimal(18, 4)), CAST(JSON_VALUE(i.value, '$.priceGross') AS decimal(18, 4)),
               JSON_VALUE(i.value, '$.vatRate')
        FROM OPENJSON(@order_json, '$.items') i OUTER APPLY OPENJSON(i.value, '$.articles') a;
    SELECT @k_document AS document_id;
END;
GO
