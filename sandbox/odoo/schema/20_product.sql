-- Products: a template holds what its variants share; a variant is what is sold and moved.
-- Tables, columns, types and checks as a database of Odoo 18 has them; columns of models that the stand-in
-- does not have stay, always NULL, so that a capture meets the same relation.

CREATE TABLE uom_category (
    id serial PRIMARY KEY, create_uid integer, write_uid integer, name jsonb NOT NULL, create_date timestamp,
    write_date timestamp
);

CREATE TABLE uom_uom (
    id serial PRIMARY KEY, category_id integer NOT NULL, create_uid integer, write_uid integer,
    uom_type varchar NOT NULL, name jsonb NOT NULL, factor numeric NOT NULL, rounding numeric NOT NULL,
    active boolean, create_date timestamp, write_date timestamp,
    CONSTRAINT uom_uom_factor_gt_zero CHECK (factor <> 0),
    CONSTRAINT uom_uom_factor_reference_is_one CHECK (uom_type <> 'reference' OR factor = 1.0),
    CONSTRAINT uom_uom_rounding_gt_zero CHECK (rounding > 0)
);

CREATE TABLE product_category (
    id serial PRIMARY KEY, parent_id integer, create_uid integer, write_uid integer, name varchar NOT NULL,
    complete_name varchar, parent_path varchar, product_properties_definition jsonb, create_date timestamp,
    write_date timestamp, property_account_income_categ_id jsonb, property_account_expense_categ_id jsonb,
    removal_strategy_id integer, packaging_reserve_method varchar, property_valuation jsonb,
    property_cost_method jsonb, property_stock_journal jsonb, property_stock_account_input_categ_id jsonb,
    property_stock_account_output_categ_id jsonb, property_stock_valuation_account_id jsonb,
    property_account_downpayment_categ_id jsonb
);

CREATE TABLE product_template (
    id serial PRIMARY KEY, sequence integer, categ_id integer NOT NULL, uom_id integer NOT NULL,
    uom_po_id integer NOT NULL, company_id integer, color integer, create_uid integer, write_uid integer,
    type varchar NOT NULL, service_tracking varchar NOT NULL, default_code varchar, name jsonb NOT NULL,
    description jsonb, description_purchase jsonb, description_sale jsonb, product_properties jsonb,
    list_price numeric, volume numeric, weight numeric, sale_ok boolean, purchase_ok boolean, active boolean,
    can_image_1024_be_zoomed boolean, has_configurable_attributes boolean, is_favorite boolean,
    create_date timestamp, write_date timestamp, property_account_income_id jsonb,
    property_account_expense_id jsonb, sale_delay integer, tracking varchar NOT NULL, responsible_id jsonb,
    property_stock_production jsonb, property_stock_inventory jsonb, description_picking jsonb,
    description_pickingout jsonb, description_pickingin jsonb, is_storable boolean, lot_valuated boolean,
    service_type varchar, sale_line_warn varchar NOT NULL, expense_policy varchar, invoice_policy varchar,
    sale_line_warn_msg text, country_of_origin integer, hs_code varchar
);

CREATE TABLE product_product (
    id serial PRIMARY KEY, product_tmpl_id integer NOT NULL, create_uid integer, write_uid integer,
    default_code varchar, barcode varchar, combination_indices varchar, standard_price jsonb, volume numeric,
    weight numeric, active boolean, can_image_variant_1024_be_zoomed boolean, write_date timestamp,
    create_date timestamp, lot_properties_definition jsonb
);
CREATE INDEX ON product_product (default_code);
CREATE INDEX ON product_product (product_tmpl_id);
CREATE INDEX ON product_product (barcode);
CREATE UNIQUE INDEX product_product_combination_unique ON product_product (product_tmpl_id, combination_indices)
    WHERE active IS TRUE;
