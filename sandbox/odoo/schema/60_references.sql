-- The foreign keys that the stand-in's own code relies on, with Odoo's names and rules of deletion.

ALTER TABLE res_country ADD CONSTRAINT res_country_currency_id_fkey
    FOREIGN KEY (currency_id) REFERENCES res_currency(id) ON DELETE SET NULL;
ALTER TABLE res_company ADD CONSTRAINT res_company_currency_id_fkey
    FOREIGN KEY (currency_id) REFERENCES res_currency(id) ON DELETE RESTRICT;
ALTER TABLE res_company ADD CONSTRAINT res_company_partner_id_fkey
    FOREIGN KEY (partner_id) REFERENCES res_partner(id) ON DELETE RESTRICT;
ALTER TABLE res_users ADD CONSTRAINT res_users_company_id_fkey
    FOREIGN KEY (company_id) REFERENCES res_company(id) ON DELETE RESTRICT;
ALTER TABLE res_users ADD CONSTRAINT res_users_partner_id_fkey
    FOREIGN KEY (partner_id) REFERENCES res_partner(id) ON DELETE RESTRICT;
ALTER TABLE res_partner ADD CONSTRAINT res_partner_company_id_fkey
    FOREIGN KEY (company_id) REFERENCES res_company(id) ON DELETE SET NULL;
ALTER TABLE res_partner ADD CONSTRAINT res_partner_country_id_fkey
    FOREIGN KEY (country_id) REFERENCES res_country(id) ON DELETE RESTRICT;
ALTER TABLE res_partner ADD CONSTRAINT res_partner_parent_id_fkey
    FOREIGN KEY (parent_id) REFERENCES res_partner(id) ON DELETE SET NULL;
ALTER TABLE uom_uom ADD CONSTRAINT uom_uom_category_id_fkey
    FOREIGN KEY (category_id) REFERENCES uom_category(id) ON DELETE RESTRICT;
ALTER TABLE product_category ADD CONSTRAINT product_category_parent_id_fkey
    FOREIGN KEY (parent_id) REFERENCES product_category(id) ON DELETE CASCADE;
ALTER TABLE product_template ADD CONSTRAINT product_template_categ_id_fkey
    FOREIGN KEY (categ_id) REFERENCES product_category(id) ON DELETE RESTRICT;
ALTER TABLE product_template ADD CONSTRAINT product_template_uom_id_fkey
    FOREIGN KEY (uom_id) REFERENCES uom_uom(id) ON DELETE RESTRICT;
ALTER TABLE product_template ADD CONSTRAINT product_template_uom_po_id_fkey
    FOREIGN KEY (uom_po_id) REFERENCES uom_uom(id) ON DELETE RESTRICT;
ALTER TABLE product_product ADD CONSTRAINT product_product_product_tmpl_id_fkey
    FOREIGN KEY (product_tmpl_id) REFERENCES product_template(id) ON DELETE CASCADE;
ALTER TABLE account_journal ADD CONSTRAINT account_journal_default_account_id_fkey
    FOREIGN KEY (default_account_id) REFERENCES account_account(id) ON DELETE RESTRICT;
ALTER TABLE account_move ADD CONSTRAINT account_move_currency_id_fkey
    FOREIGN KEY (currency_id) REFERENCES res_currency(id) ON DELETE RESTRICT;
ALTER TABLE account_move ADD CONSTRAINT account_move_journal_id_fkey
    FOREIGN KEY (journal_id) REFERENCES account_journal(id) ON DELETE RESTRICT;
ALTER TABLE account_move ADD CONSTRAINT account_move_partner_id_fkey
    FOREIGN KEY (partner_id) REFERENCES res_partner(id) ON DELETE RESTRICT;
ALTER TABLE account_move_line ADD CONSTRAINT account_move_line_account_id_fkey
    FOREIGN KEY (account_id) REFERENCES account_account(id) ON DELETE CASCADE;
ALTER TABLE account_move_line ADD CONSTRAINT account_move_line_move_id_fkey
    FOREIGN KEY (move_id) REFERENCES account_move(id) ON DELETE CASCADE;
ALTER TABLE account_move_line ADD CONSTRAINT account_move_line_product_id_fkey
    FOREIGN KEY (product_id) REFERENCES product_product(id) ON DELETE RESTRICT;
ALTER TABLE account_move_line ADD CONSTRAINT account_move_line_product_uom_id_fkey
    FOREIGN KEY (product_uom_id) REFERENCES uom_uom(id) ON DELETE RESTRICT;
ALTER TABLE product_taxes_rel ADD CONSTRAINT product_taxes_rel_prod_id_fkey
    FOREIGN KEY (prod_id) REFERENCES product_template(id) ON DELETE CASCADE;
ALTER TABLE product_taxes_rel ADD CONSTRAINT product_taxes_rel_tax_id_fkey
    FOREIGN KEY (tax_id) REFERENCES account_tax(id) ON DELETE CASCADE;
ALTER TABLE account_move_line_account_tax_rel ADD CONSTRAINT account_move_line_account_tax_rel_account_move_line_id_fkey
    FOREIGN KEY (account_move_line_id) REFERENCES account_move_line(id) ON DELETE CASCADE;
ALTER TABLE account_move_line_account_tax_rel ADD CONSTRAINT account_move_line_account_tax_rel_account_tax_id_fkey
    FOREIGN KEY (account_tax_id) REFERENCES account_tax(id) ON DELETE CASCADE;
ALTER TABLE procurement_group ADD CONSTRAINT procurement_group_partner_id_fkey
    FOREIGN KEY (partner_id) REFERENCES res_partner(id) ON DELETE SET NULL;
ALTER TABLE procurement_group ADD CONSTRAINT procurement_group_sale_id_fkey
    FOREIGN KEY (sale_id) REFERENCES sale_order(id) ON DELETE SET NULL;
ALTER TABLE stock_location ADD CONSTRAINT stock_location_location_id_fkey
    FOREIGN KEY (location_id) REFERENCES stock_location(id) ON DELETE SET NULL;
ALTER TABLE stock_warehouse ADD CONSTRAINT stock_warehouse_lot_stock_id_fkey
    FOREIGN KEY (lot_stock_id) REFERENCES stock_location(id) ON DELETE RESTRICT;
ALTER TABLE stock_picking_type ADD CONSTRAINT stock_picking_type_warehouse_id_fkey
    FOREIGN KEY (warehouse_id) REFERENCES stock_warehouse(id) ON DELETE CASCADE;
ALTER TABLE stock_picking ADD CONSTRAINT stock_picking_backorder_id_fkey
    FOREIGN KEY (backorder_id) REFERENCES stock_picking(id) ON DELETE SET NULL;
ALTER TABLE stock_picking ADD CONSTRAINT stock_picking_group_id_fkey
    FOREIGN KEY (group_id) REFERENCES procurement_group(id) ON DELETE SET NULL;
ALTER TABLE stock_picking ADD CONSTRAINT stock_picking_location_dest_id_fkey
    FOREIGN KEY (location_dest_id) REFERENCES stock_location(id) ON DELETE RESTRICT;
ALTER TABLE stock_picking ADD CONSTRAINT stock_picking_location_id_fkey
    FOREIGN KEY (location_id) REFERENCES stock_location(id) ON DELETE RESTRICT;
ALTER TABLE stock_picking ADD CONSTRAINT stock_picking_partner_id_fkey
    FOREIGN KEY (partner_id) REFERENCES res_partner(id) ON DELETE SET NULL;
ALTER TABLE stock_picking ADD CONSTRAINT stock_picking_picking_type_id_fkey
    FOREIGN KEY (picking_type_id) REFERENCES stock_picking_type(id) ON DELETE RESTRICT;
ALTER TABLE stock_picking ADD CONSTRAINT stock_picking_sale_id_fkey
    FOREIGN KEY (sale_id) REFERENCES sale_order(id) ON DELETE SET NULL;
ALTER TABLE stock_move ADD CONSTRAINT stock_move_group_id_fkey
    FOREIGN KEY (group_id) REFERENCES procurement_group(id) ON DELETE SET NULL;
ALTER TABLE stock_move ADD CONSTRAINT stock_move_location_dest_id_fkey
    FOREIGN KEY (location_dest_id) REFERENCES stock_location(id) ON DELETE RESTRICT;
ALTER TABLE stock_move ADD CONSTRAINT stock_move_location_id_fkey
    FOREIGN KEY (location_id) REFERENCES stock_location(id) ON DELETE RESTRICT;
ALTER TABLE stock_move ADD CONSTRAINT stock_move_picking_id_fkey
    FOREIGN KEY (picking_id) REFERENCES stock_picking(id) ON DELETE SET NULL;
ALTER TABLE stock_move ADD CONSTRAINT stock_move_product_id_fkey
    FOREIGN KEY (product_id) REFERENCES product_product(id) ON DELETE RESTRICT;
ALTER TABLE stock_move ADD CONSTRAINT stock_move_product_uom_fkey
    FOREIGN KEY (product_uom) REFERENCES uom_uom(id) ON DELETE RESTRICT;
ALTER TABLE stock_move ADD CONSTRAINT stock_move_sale_line_id_fkey
    FOREIGN KEY (sale_line_id) REFERENCES sale_order_line(id) ON DELETE SET NULL;
ALTER TABLE stock_quant ADD CONSTRAINT stock_quant_location_id_fkey
    FOREIGN KEY (location_id) REFERENCES stock_location(id) ON DELETE RESTRICT;
ALTER TABLE stock_quant ADD CONSTRAINT stock_quant_product_id_fkey
    FOREIGN KEY (product_id) REFERENCES product_product(id) ON DELETE RESTRICT;
ALTER TABLE sale_order ADD CONSTRAINT sale_order_currency_id_fkey
    FOREIGN KEY (currency_id) REFERENCES res_currency(id) ON DELETE RESTRICT;
ALTER TABLE sale_order ADD CONSTRAINT sale_order_partner_id_fkey
    FOREIGN KEY (partner_id) REFERENCES res_partner(id) ON DELETE RESTRICT;
ALTER TABLE sale_order ADD CONSTRAINT sale_order_partner_invoice_id_fkey
    FOREIGN KEY (partner_invoice_id) REFERENCES res_partner(id) ON DELETE RESTRICT;
ALTER TABLE sale_order ADD CONSTRAINT sale_order_partner_shipping_id_fkey
    FOREIGN KEY (partner_shipping_id) REFERENCES res_partner(id) ON DELETE RESTRICT;
ALTER TABLE sale_order ADD CONSTRAINT sale_order_procurement_group_id_fkey
    FOREIGN KEY (procurement_group_id) REFERENCES procurement_group(id) ON DELETE SET NULL;
ALTER TABLE sale_order ADD CONSTRAINT sale_order_warehouse_id_fkey
    FOREIGN KEY (warehouse_id) REFERENCES stock_warehouse(id) ON DELETE SET NULL;
ALTER TABLE sale_order_line ADD CONSTRAINT sale_order_line_order_id_fkey
    FOREIGN KEY (order_id) REFERENCES sale_order(id) ON DELETE CASCADE;
ALTER TABLE sale_order_line ADD CONSTRAINT sale_order_line_product_id_fkey
    FOREIGN KEY (product_id) REFERENCES product_product(id) ON DELETE RESTRICT;
ALTER TABLE sale_order_line ADD CONSTRAINT sale_order_line_product_uom_fkey
    FOREIGN KEY (product_uom) REFERENCES uom_uom(id) ON DELETE RESTRICT;
ALTER TABLE account_tax_sale_order_line_rel ADD CONSTRAINT account_tax_sale_order_line_rel_account_tax_id_fkey
    FOREIGN KEY (account_tax_id) REFERENCES account_tax(id) ON DELETE CASCADE;
ALTER TABLE account_tax_sale_order_line_rel ADD CONSTRAINT account_tax_sale_order_line_rel_sale_order_line_id_fkey
    FOREIGN KEY (sale_order_line_id) REFERENCES sale_order_line(id) ON DELETE CASCADE;
ALTER TABLE sale_order_line_invoice_rel ADD CONSTRAINT sale_order_line_invoice_rel_invoice_line_id_fkey
    FOREIGN KEY (invoice_line_id) REFERENCES account_move_line(id) ON DELETE CASCADE;
ALTER TABLE sale_order_line_invoice_rel ADD CONSTRAINT sale_order_line_invoice_rel_order_line_id_fkey
    FOREIGN KEY (order_line_id) REFERENCES sale_order_line(id) ON DELETE CASCADE;
