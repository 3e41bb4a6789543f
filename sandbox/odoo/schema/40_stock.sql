-- Warehouses, transfers, moves and quantities on hand.
-- Tables, columns, types and checks as a database of Odoo 18 has them; columns of models that the stand-in
-- does not have stay, always NULL, so that a capture meets the same relation.

CREATE TABLE procurement_group (
    id serial PRIMARY KEY, partner_id integer, create_uid integer, write_uid integer, name varchar NOT NULL,
    move_type varchar, create_date timestamp, write_date timestamp, sale_id integer
);
CREATE INDEX ON procurement_group (sale_id);

CREATE TABLE stock_location (
    id serial PRIMARY KEY, location_id integer, posx integer, posy integer, posz integer, company_id integer,
    removal_strategy_id integer, cyclic_inventory_frequency integer, warehouse_id integer,
    storage_category_id integer, create_uid integer, write_uid integer, name varchar NOT NULL,
    complete_name varchar, usage varchar NOT NULL, parent_path varchar, barcode varchar, last_inventory_date date,
    next_inventory_date date, comment text, active boolean, scrap_location boolean, replenish_location boolean,
    create_date timestamp, write_date timestamp, valuation_in_account_id integer,
    valuation_out_account_id integer,
    CONSTRAINT stock_location_barcode_company_uniq UNIQUE (barcode, company_id),
    CONSTRAINT stock_location_inventory_freq_nonneg CHECK (cyclic_inventory_frequency >= 0)
);

CREATE TABLE stock_warehouse (
    id serial PRIMARY KEY, company_id integer NOT NULL, partner_id integer, view_location_id integer NOT NULL,
    lot_stock_id integer NOT NULL, wh_input_stock_loc_id integer, wh_qc_stock_loc_id integer,
    wh_output_stock_loc_id integer, wh_pack_stock_loc_id integer, mto_pull_id integer, pick_type_id integer,
    pack_type_id integer, out_type_id integer, in_type_id integer, int_type_id integer, qc_type_id integer,
    store_type_id integer, xdock_type_id integer, crossdock_route_id integer, reception_route_id integer,
    delivery_route_id integer, sequence integer, create_uid integer, write_uid integer, name varchar NOT NULL,
    code varchar(5) NOT NULL, reception_steps varchar NOT NULL, delivery_steps varchar NOT NULL, active boolean,
    create_date timestamp, write_date timestamp,
    CONSTRAINT stock_warehouse_warehouse_code_uniq UNIQUE (code, company_id),
    CONSTRAINT stock_warehouse_warehouse_name_uniq UNIQUE (name, company_id)
);

CREATE TABLE stock_picking_type (
    id serial PRIMARY KEY, color integer, sequence integer, sequence_id integer,
    default_location_src_id integer NOT NULL, default_location_dest_id integer NOT NULL,
    return_picking_type_id integer, warehouse_id integer, reservation_days_before integer,
    reservation_days_before_priority integer, company_id integer NOT NULL, create_uid integer, write_uid integer,
    sequence_code varchar NOT NULL, code varchar NOT NULL, reservation_method varchar NOT NULL,
    product_label_format varchar, lot_label_format varchar, package_label_to_print varchar, barcode varchar,
    create_backorder varchar NOT NULL, move_type varchar NOT NULL, name jsonb NOT NULL,
    picking_properties_definition jsonb, show_entire_packs boolean, active boolean, use_create_lots boolean,
    use_existing_lots boolean, print_label boolean, show_operations boolean, auto_show_reception_report boolean,
    auto_print_delivery_slip boolean, auto_print_return_slip boolean, auto_print_product_labels boolean,
    auto_print_lot_labels boolean, auto_print_reception_report boolean,
    auto_print_reception_report_labels boolean, auto_print_packages boolean, auto_print_package_label boolean,
    create_date timestamp, write_date timestamp
);

CREATE TABLE stock_picking (
    id serial PRIMARY KEY, backorder_id integer, return_id integer, group_id integer,
    location_id integer NOT NULL, location_dest_id integer NOT NULL, picking_type_id integer NOT NULL,
    partner_id integer, company_id integer, user_id integer, owner_id integer, create_uid integer,
    write_uid integer, name varchar, origin varchar, move_type varchar NOT NULL, state varchar, priority varchar,
    picking_properties jsonb, note text, has_deadline_issue boolean, printed boolean, is_locked boolean,
    scheduled_date timestamp, date_deadline timestamp, date timestamp, date_done timestamp, create_date timestamp,
    write_date timestamp, sale_id integer, carrier_id integer, carrier_tracking_ref varchar, weight numeric,
    carrier_price double precision,
    CONSTRAINT stock_picking_name_uniq UNIQUE (name, company_id)
);
CREATE INDEX ON stock_picking (sale_id);
CREATE INDEX ON stock_picking (group_id);
CREATE INDEX ON stock_picking (backorder_id);
CREATE INDEX ON stock_picking (state);

CREATE TABLE stock_move (
    id serial PRIMARY KEY, sequence integer, company_id integer NOT NULL, product_id integer NOT NULL,
    product_uom integer NOT NULL, location_id integer NOT NULL, location_dest_id integer NOT NULL,
    location_final_id integer, partner_id integer, picking_id integer, scrap_id integer, group_id integer,
    rule_id integer, picking_type_id integer, origin_returned_move_id integer, restrict_partner_id integer,
    warehouse_id integer, package_level_id integer, next_serial_count integer, orderpoint_id integer,
    product_packaging_id integer, create_uid integer, write_uid integer, name varchar NOT NULL, priority varchar,
    state varchar, origin varchar, procure_method varchar NOT NULL, reference varchar, next_serial varchar,
    reservation_date date, description_picking text, product_qty numeric, product_uom_qty numeric NOT NULL,
    quantity numeric, picked boolean, scrapped boolean, propagate_cancel boolean, is_inventory boolean,
    additional boolean, date timestamp NOT NULL, date_deadline timestamp, delay_alert_date timestamp,
    create_date timestamp, write_date timestamp, price_unit double precision, to_refund boolean,
    sale_line_id integer, weight numeric
);
CREATE INDEX ON stock_move (picking_id);
CREATE INDEX ON stock_move (sale_line_id);
CREATE INDEX ON stock_move (product_id, location_id, location_dest_id, company_id, state);

CREATE TABLE stock_quant (
    id serial PRIMARY KEY, product_id integer NOT NULL, company_id integer, location_id integer NOT NULL,
    storage_category_id integer, lot_id integer, package_id integer, owner_id integer, user_id integer,
    create_uid integer, write_uid integer, inventory_date date, quantity numeric,
    reserved_quantity numeric NOT NULL, inventory_quantity numeric, inventory_diff_quantity numeric,
    inventory_quantity_set boolean, in_date timestamp NOT NULL, create_date timestamp, write_date timestamp,
    accounting_date date
);
CREATE INDEX ON stock_quant (product_id, location_id);

CREATE TABLE stock_return_picking (
    id serial PRIMARY KEY, picking_id integer, create_uid integer, write_uid integer, create_date timestamp,
    write_date timestamp
);
CREATE TABLE stock_return_picking_line (
    id serial PRIMARY KEY, product_id integer NOT NULL, wizard_id integer, move_id integer, create_uid integer,
    write_uid integer, quantity numeric NOT NULL, create_date timestamp, write_date timestamp, to_refund boolean
);

CREATE TABLE stock_scrap (
    id serial PRIMARY KEY, company_id integer NOT NULL, product_id integer NOT NULL, product_uom_id integer NOT NULL,
    lot_id integer, package_id integer, owner_id integer, picking_id integer, location_id integer NOT NULL,
    scrap_location_id integer NOT NULL, create_uid integer, write_uid integer, name varchar NOT NULL, origin varchar,
    state varchar, scrap_qty numeric NOT NULL, should_replenish boolean, date_done timestamp, create_date timestamp,
    write_date timestamp
);

CREATE TABLE delivery_carrier (
    id serial PRIMARY KEY, sequence integer, company_id integer, product_id integer NOT NULL, shipping_insurance integer,
    create_uid integer, write_uid integer, delivery_type varchar NOT NULL, integration_level varchar, tracking_url varchar,
    invoice_policy varchar NOT NULL, name jsonb NOT NULL, carrier_description jsonb, active boolean,
    prod_environment boolean, debug_logging boolean, free_over boolean, return_label_on_delivery boolean,
    get_return_label_from_portal boolean, create_date timestamp, write_date timestamp, max_weight double precision,
    max_volume double precision, margin double precision, fixed_margin double precision, amount double precision,
    fixed_price double precision
);

CREATE TABLE stock_lot (
    id serial PRIMARY KEY, product_id integer NOT NULL, product_uom_id integer, company_id integer, location_id integer,
    create_uid integer, write_uid integer, name varchar NOT NULL, ref varchar, lot_properties jsonb, note text,
    create_date timestamp, write_date timestamp, standard_price jsonb
);
CREATE TABLE stock_move_line (
    id serial PRIMARY KEY, picking_id integer, move_id integer, company_id integer NOT NULL, product_id integer,
    product_uom_id integer NOT NULL, package_id integer, package_level_id integer, lot_id integer,
    result_package_id integer, owner_id integer, location_id integer NOT NULL, location_dest_id integer NOT NULL,
    create_uid integer, write_uid integer, lot_name varchar, state varchar, reference varchar, description_picking text,
    quantity numeric, quantity_product_uom numeric, picked boolean, date timestamp NOT NULL, create_date timestamp,
    write_date timestamp, carrier_id integer
);
CREATE INDEX ON stock_move_line (move_id);
