-- Rows with given ids leave the sequences behind: move them on; then give every seeded row its author and time.

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['res_currency', 'res_partner', 'res_company', 'res_users', 'uom_category', 'uom_uom',
                             'product_category', 'stock_location', 'stock_warehouse', 'stock_picking_type',
                             'account_account', 'account_journal', 'res_country'] LOOP
        EXECUTE format('SELECT setval(%L, (SELECT max(id) FROM %I))', t || '_id_seq', t);
        EXECUTE format('UPDATE %I SET create_uid = 1, write_uid = 1, create_date = now() AT TIME ZONE ''UTC'','
                       ' write_date = now() AT TIME ZONE ''UTC''', t);
    END LOOP;
END $$;
