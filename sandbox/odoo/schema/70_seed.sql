-- What a fresh database holds: one company that keeps its books in GBP, its users, units, warehouse, chart of accounts.
-- Ids and external ids follow a fresh Odoo 18 where it has them (admin is user 2, stock is location 8).

INSERT INTO res_currency (id, name, symbol, full_name, rounding, decimal_places, iso_numeric, position, active) VALUES
    (1, 'USD', '$', 'United States dollar', 0.010000, 2, 840, 'before', true),
    (125, 'EUR', '€', 'Euro', 0.010000, 2, 978, 'after', true),
    (143, 'GBP', '£', 'Pound sterling', 0.010000, 2, 826, 'before', true);

INSERT INTO res_partner (id, name, complete_name, type, is_company, active, commercial_partner_id, autopost_bills,
                         partner_share, customer_rank, supplier_rank) VALUES
    (1, 'My Company', 'My Company', 'contact', true, true, 1, 'ask', false, 0, 0),
    (2, 'OdooBot', 'OdooBot', 'contact', false, false, 2, 'ask', false, 0, 0),
    (3, 'Administrator', 'Administrator', 'contact', false, true, 3, 'ask', false, 0, 0);
INSERT INTO res_company (id, name, sequence, partner_id, currency_id, parent_path, active)
    VALUES (1, 'My Company', 0, 1, 143, '1/', true);
INSERT INTO res_users (id, login, company_id, partner_id, active, share, notification_type) VALUES
    (1, '__system__', 1, 2, false, false, 'email'),
    (2, 'admin', 1, 3, true, false, 'email');

INSERT INTO uom_category (id, name) VALUES
    (1, '{"en_US": "Unit"}'), (2, '{"en_US": "Weight"}'), (3, '{"en_US": "Working Time"}'),
    (4, '{"en_US": "Length / Distance"}'), (5, '{"en_US": "Surface"}'), (6, '{"en_US": "Volume"}');
INSERT INTO uom_uom (id, category_id, name, uom_type, factor, rounding, active) VALUES
    (1, 1, '{"en_US": "Units"}', 'reference', 1.0, 0.01, true),
    (2, 1, '{"en_US": "Dozens"}', 'bigger', 0.08333333333333333, 0.01, true),
    (3, 3, '{"en_US": "Days"}', 'reference', 1.0, 0.01, true),
    (4, 3, '{"en_US": "Hours"}', 'smaller', 8.0, 0.01, true),
    (5, 4, '{"en_US": "m"}', 'reference', 1.0, 0.01, true),
    (8, 4, '{"en_US": "cm"}', 'smaller', 100.0, 0.01, true),
    (9, 5, '{"en_US": "m²"}', 'reference', 1.0, 0.01, true),
    (10, 6, '{"en_US": "L"}', 'reference', 1.0, 0.01, true),
    (11, 6, '{"en_US": "m³"}', 'bigger', 0.001, 0.01, true),
    (12, 2, '{"en_US": "kg"}', 'reference', 1.0, 0.01, true),
    (13, 2, '{"en_US": "g"}', 'smaller', 1000.0, 0.01, true),
    (14, 2, '{"en_US": "t"}', 'bigger', 0.001, 0.01, true);

INSERT INTO product_category (id, name, complete_name, parent_id, parent_path) VALUES
    (1, 'All', 'All', NULL, '1/'), (2, 'Saleable', 'All / Saleable', 1, '1/2/'),
    (3, 'Expenses', 'All / Expenses', 1, '1/3/'), (4, 'Deliveries', 'All / Deliveries', 1, '1/4/');

INSERT INTO stock_location (id, name, complete_name, usage, location_id, company_id, parent_path, active, warehouse_id) VALUES
    (1, 'Physical Locations', 'Physical Locations', 'view', NULL, NULL, '1/', true, NULL),
    (2, 'Partners', 'Partners', 'view', NULL, NULL, '2/', true, NULL),
    (3, 'Virtual Locations', 'Virtual Locations', 'view', NULL, NULL, '3/', true, NULL),
    (4, 'Vendors', 'Partners/Vendors', 'supplier', 2, NULL, '2/4/', true, NULL),
    (5, 'Customers', 'Partners/Customers', 'customer', 2, NULL, '2/5/', true, NULL),
    (7, 'WH', 'WH', 'view', 1, 1, '1/7/', true, 1),
    (8, 'Stock', 'WH/Stock', 'internal', 7, 1, '1/7/8/', true, 1),
    (14, 'Inventory adjustment', 'Virtual Locations/Inventory adjustment', 'inventory', 3, 1, '3/14/', true, NULL),
    (16, 'Scrap', 'Virtual Locations/Scrap', 'inventory', 3, 1, '3/16/', true, NULL);
UPDATE stock_location SET scrap_location = id = 16;
INSERT INTO stock_warehouse (id, name, code, company_id, partner_id, view_location_id, lot_stock_id, sequence,
                             in_type_id, out_type_id, int_type_id, reception_steps, delivery_steps, active)
    VALUES (1, 'My Company', 'WH', 1, 1, 7, 8, 10, 1, 2, 7, 'one_step', 'ship_only', true);
INSERT INTO stock_picking_type (id, name, code, sequence_code, sequence, warehouse_id, company_id, default_location_src_id,
                                default_location_dest_id, reservation_method, create_backorder, move_type, active) VALUES
    (1, '{"en_US": "Receipts"}', 'incoming', 'IN', 1, 1, 1, 4, 8, 'at_confirm', 'ask', 'direct', true),
    (2, '{"en_US": "Delivery Orders"}', 'outgoing', 'OUT', 5, 1, 1, 8, 5, 'at_confirm', 'ask', 'direct', true),
    (7, '{"en_US": "Internal Transfers"}', 'internal', 'INT', 2, 1, 1, 8, 8, 'at_confirm', 'ask', 'direct', true);
UPDATE stock_picking_type SET return_picking_type_id = 3 - id WHERE id IN (1, 2);

INSERT INTO account_account (id, account_type, code_store, name, reconcile, deprecated) VALUES
    (1, 'asset_current', '{"1": "101000"}', '{"en_US": "Current Assets"}', false, false),
    (7, 'asset_receivable', '{"1": "121000"}', '{"en_US": "Account Receivable"}', true, false),
    (16, 'liability_payable', '{"1": "211000"}', '{"en_US": "Account Payable"}', true, false),
    (17, 'liability_current', '{"1": "251000"}', '{"en_US": "Tax Received"}', false, false),
    (27, 'income', '{"1": "400000"}', '{"en_US": "Product Sales"}', false, false),
    (33, 'expense', '{"1": "600000"}', '{"en_US": "Expenses"}', false, false),
    (36, 'expense', '{"1": "620000"}', '{"en_US": "Bank Fees"}', false, false),
    (45, 'asset_cash', '{"1": "101401"}', '{"en_US": "Bank"}', false, false),
    (46, 'asset_cash', '{"1": "101501"}', '{"en_US": "Cash"}', false, false),
    (49, 'asset_current', '{"1": "101403"}', '{"en_US": "Outstanding Receipts"}', true, false),
    (50, 'asset_current', '{"1": "101404"}', '{"en_US": "Outstanding Payments"}', true, false);
INSERT INTO account_journal (id, name, code, type, company_id, default_account_id, invoice_reference_type,
                             invoice_reference_model, refund_sequence, payment_sequence, active) VALUES
    (1, '{"en_US": "Customer Invoices"}', 'INV', 'sale', 1, 27, 'invoice', 'odoo', true, false, true),
    (2, '{"en_US": "Vendor Bills"}', 'BILL', 'purchase', 1, 33, 'invoice', 'odoo', true, false, true),
    (3, '{"en_US": "Miscellaneous Operations"}', 'MISC', 'general', 1, NULL, 'invoice', 'odoo', false, false, true),
    (6, '{"en_US": "Bank"}', 'BNK1', 'bank', 1, 45, 'invoice', 'odoo', false, true, true),
    (7, '{"en_US": "Cash"}', 'CSH1', 'cash', 1, 46, 'invoice', 'odoo', false, true, true);

INSERT INTO crm_team (id, sequence, name, active) VALUES
    (1, 0, '{"en_US": "Sales"}', true), (2, 10, '{"en_US": "Website"}', false), (3, 10, '{"en_US": "Point of Sale"}', false);

CREATE SEQUENCE ir_sequence_sale_order;
CREATE SEQUENCE ir_sequence_picking_1;
CREATE SEQUENCE ir_sequence_picking_2;
CREATE SEQUENCE ir_sequence_picking_7;
CREATE SEQUENCE ir_sequence_stock_scrap;

INSERT INTO ir_model_data (module, name, model, res_id, noupdate)
SELECT split_part(xid, '.', 1), split_part(xid, '.', 2), model, res_id, true
FROM (VALUES
    ('base.USD', 'res.currency', 1), ('base.EUR', 'res.currency', 125), ('base.GBP', 'res.currency', 143),
    ('base.main_company', 'res.company', 1), ('base.main_partner', 'res.partner', 1),
    ('base.partner_root', 'res.partner', 2), ('base.partner_admin', 'res.partner', 3),
    ('base.user_root', 'res.users', 1), ('base.user_admin', 'res.users', 2),
    ('uom.product_uom_categ_unit', 'uom.category', 1), ('uom.product_uom_categ_kgm', 'uom.category', 2),
    ('uom.uom_categ_wtime', 'uom.category', 3), ('uom.uom_categ_length', 'uom.category', 4),
    ('uom.uom_categ_surface', 'uom.category', 5), ('uom.product_uom_categ_vol', 'uom.category', 6),
    ('uom.product_uom_unit', 'uom.uom', 1), ('uom.product_uom_dozen', 'uom.uom', 2),
    ('uom.product_uom_day', 'uom.uom', 3), ('uom.product_uom_hour', 'uom.uom', 4),
    ('uom.product_uom_meter', 'uom.uom', 5), ('uom.product_uom_cm', 'uom.uom', 8),
    ('uom.uom_square_meter', 'uom.uom', 9), ('uom.product_uom_litre', 'uom.uom', 10),
    ('uom.product_uom_cubic_meter', 'uom.uom', 11), ('uom.product_uom_kgm', 'uom.uom', 12),
    ('uom.product_uom_gram', 'uom.uom', 13), ('uom.product_uom_ton', 'uom.uom', 14),
    ('product.product_category_all', 'product.category', 1), ('product.product_category_1', 'product.category', 2),
    ('product.cat_expense', 'product.category', 3), ('delivery.product_category_deliveries', 'product.category', 4),
    ('stock.stock_location_locations', 'stock.location', 1), ('stock.stock_location_suppliers', 'stock.location', 4),
    ('stock.stock_location_customers', 'stock.location', 5), ('stock.stock_location_stock', 'stock.location', 8),
    ('stock.warehouse0', 'stock.warehouse', 1), ('stock.picking_type_in', 'stock.picking.type', 1),
    ('stock.picking_type_out', 'stock.picking.type', 2), ('stock.picking_type_internal', 'stock.picking.type', 7)
) AS seeded (xid, model, res_id);
