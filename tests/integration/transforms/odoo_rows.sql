-- A few rows of Odoo's own tables beside those that a fresh database has.
INSERT INTO res_partner (name, complete_name, type, email, vat, is_company, active, parent_id, street, city, zip, autopost_bills) VALUES
    ('Ironmongers & Daughters', 'Ironmongers & Daughters', 'contact', 'buy@iron.example', 'GB123456789', true, true, NULL, 'Mill Lane 3', 'Leeds', 'LS1 4AB', 'ask'),
    (NULL, 'Ironmongers & Daughters, Delivery', 'delivery', NULL, NULL, NULL, NULL, 1, '', 'Köln', NULL, 'ask'),
    ('', '', 'other', '', '', false, false, 1, NULL, NULL, NULL, 'ask');
INSERT INTO product_template (categ_id, uom_id, uom_po_id, type, service_tracking, default_code, name, description_sale, list_price, active, create_date, tracking, sale_line_warn) VALUES
    (1, 1, 1, 'consu', 'no', 'BRS-1', '{"en_US": "Brass hook", "de_DE": "Messinghaken"}', '{"en_US": "Solid \"brass\"\nhook"}', 12.5, true, '2025-07-01 10:00:00.25', 'none', 'no-message'),
    (1, 1, 1, 'combo', 'no', NULL, '{"en_US": "Zoë’s bundle"}', NULL, 0.0000000001, NULL, NULL, 'none', 'no-message');
INSERT INTO product_product (product_tmpl_id, default_code, active) SELECT min(id), 'BRS-1', true FROM product_template;
INSERT INTO sale_order (company_id, partner_id, partner_invoice_id, partner_shipping_id, name, state, date_order, amount_untaxed, amount_tax, client_order_ref, picking_policy) VALUES
    (1, 1, 1, 1, 'S00901', 'draft', '2025-03-30 01:30:00', 1234567.891, 0.1, 'PO 7', 'direct'),
    (1, 1, 1, 1, 'S00902', 'sale', '2025-10-26 01:30:00.123456', -5, NULL, NULL, 'direct'),
    (1, 1, 1, 1, 'S00903', 'cancel', '2025-12-31 23:59:59', NULL, NULL, NULL, 'direct');
INSERT INTO sale_order_line (order_id, sequence, product_id, product_uom, name, product_uom_qty, price_unit, discount, display_type, customer_lead, is_delivery)
    SELECT min(o.id), 10, (SELECT min(id) FROM product_product), 1, 'Brass hook', 3, 12.5, 7.25, NULL, 0, NULL FROM sale_order o;
INSERT INTO sale_order_line (order_id, sequence, product_id, product_uom, name, product_uom_qty, price_unit, discount, display_type, customer_lead, is_delivery)
    SELECT min(o.id), NULL, (SELECT min(id) FROM product_product), 1, 'Shipping', 1, 4.999, NULL, NULL, 0, true FROM sale_order o;
INSERT INTO sale_order_line (order_id, sequence, name, product_uom_qty, price_unit, display_type, customer_lead)
    SELECT min(o.id), 20, 'A note', 0, 0, 'line_note', 0 FROM sale_order o;
