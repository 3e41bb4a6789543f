-- Orders and their lines, and the price lists and sales teams that orders may name.
-- Tables, columns, types and checks as a database of Odoo 18 has them; columns of models that the stand-in
-- does not have stay, always NULL, so that a capture meets the same relation.

CREATE TABLE product_pricelist (
    id serial PRIMARY KEY, sequence integer, currency_id integer NOT NULL, company_id integer, create_uid integer,
    write_uid integer, name jsonb NOT NULL, active boolean, create_date timestamp, write_date timestamp
);

CREATE TABLE crm_team (
    id serial PRIMARY KEY, sequence integer, company_id integer, user_id integer, color integer, create_uid integer,
    write_uid integer, name jsonb NOT NULL, active boolean, create_date timestamp, write_date timestamp,
    invoiced_target double precision
);

CREATE TABLE sale_order (
    id serial PRIMARY KEY, campaign_id integer, source_id integer, medium_id integer, company_id integer NOT NULL,
    partner_id integer NOT NULL, journal_id integer, partner_invoice_id integer NOT NULL,
    partner_shipping_id integer NOT NULL, fiscal_position_id integer, payment_term_id integer,
    pricelist_id integer, currency_id integer, user_id integer, team_id integer, create_uid integer,
    write_uid integer, access_token varchar, name varchar NOT NULL, state varchar, client_order_ref varchar,
    origin varchar, reference varchar, signed_by varchar, invoice_status varchar, validity_date date, note text,
    currency_rate numeric, amount_untaxed numeric, amount_tax numeric, amount_total numeric, locked boolean,
    require_signature boolean, require_payment boolean, create_date timestamp, commitment_date timestamp,
    date_order timestamp NOT NULL, signed_on timestamp, write_date timestamp, prepayment_percent double precision,
    carrier_id integer, delivery_message varchar, pickup_location_data jsonb, recompute_delivery_price boolean,
    shipping_weight double precision, pending_email_template_id integer, sale_order_template_id integer,
    incoterm integer, warehouse_id integer, procurement_group_id integer, incoterm_location varchar,
    picking_policy varchar NOT NULL, delivery_status varchar, effective_date timestamp,
    customizable_pdf_form_fields jsonb,
    CONSTRAINT sale_order_date_order_conditional_required CHECK
        (state <> 'sale' OR date_order IS NOT NULL)
);
CREATE INDEX ON sale_order (partner_id);
CREATE INDEX ON sale_order (client_order_ref);
CREATE INDEX ON sale_order (date_order DESC,id DESC);
CREATE INDEX ON sale_order (state);

CREATE TABLE sale_order_line (
    id serial PRIMARY KEY, order_id integer NOT NULL, sequence integer, company_id integer, currency_id integer,
    order_partner_id integer, salesman_id integer, product_id integer, product_uom integer,
    linked_line_id integer, combo_item_id integer, product_packaging_id integer, create_uid integer,
    write_uid integer, state varchar, display_type varchar, virtual_id varchar, linked_virtual_id varchar,
    qty_delivered_method varchar, invoice_status varchar, analytic_distribution jsonb, name text NOT NULL,
    product_uom_qty numeric NOT NULL, price_unit numeric NOT NULL, discount numeric, price_subtotal numeric,
    price_total numeric, price_reduce_taxexcl numeric, price_reduce_taxinc numeric, qty_delivered numeric,
    qty_invoiced numeric, qty_to_invoice numeric, untaxed_amount_invoiced numeric,
    untaxed_amount_to_invoice numeric, is_downpayment boolean, is_expense boolean, create_date timestamp,
    write_date timestamp, technical_price_unit double precision, price_tax double precision,
    product_packaging_qty double precision, customer_lead double precision NOT NULL, is_delivery boolean,
    route_id integer, warehouse_id integer,
    CONSTRAINT sale_order_line_accountable_required_fields CHECK
        (display_type IS NOT NULL OR is_downpayment OR (product_id IS NOT NULL AND product_uom IS NOT NULL)),
    CONSTRAINT sale_order_line_non_accountable_null_fields CHECK
        (display_type IS NULL OR (product_id IS NULL AND price_unit = 0 AND product_uom_qty = 0
         AND product_uom IS NULL AND customer_lead = 0))
);
CREATE INDEX ON sale_order_line (order_id);
CREATE INDEX ON sale_order_line (product_id);

CREATE TABLE account_tax_sale_order_line_rel (
    sale_order_line_id integer NOT NULL, account_tax_id integer NOT NULL,
    CONSTRAINT account_tax_sale_order_line_rel_pkey PRIMARY KEY (sale_order_line_id, account_tax_id)
);

CREATE TABLE sale_order_line_invoice_rel (
    invoice_line_id integer NOT NULL, order_line_id integer NOT NULL,
    CONSTRAINT sale_order_line_invoice_rel_pkey PRIMARY KEY (invoice_line_id, order_line_id)
);
