-- Companies, users, partners, countries, currencies and the register of external ids.
-- Tables, columns, types and checks as a database of Odoo 18 has them; columns of models that the stand-in
-- does not have stay, always NULL, so that a capture meets the same relation.

CREATE TABLE res_currency (
    id serial PRIMARY KEY, name varchar NOT NULL, symbol varchar NOT NULL, iso_numeric integer,
    decimal_places integer, create_uid integer, write_uid integer, full_name varchar, position varchar,
    currency_unit_label jsonb, currency_subunit_label jsonb, rounding numeric, active boolean,
    create_date timestamp, write_date timestamp,
    CONSTRAINT res_currency_rounding_gt_zero CHECK (rounding > 0),
    CONSTRAINT res_currency_unique_name UNIQUE (name)
);

CREATE TABLE res_country (
    id serial PRIMARY KEY, address_view_id integer, currency_id integer, phone_code integer, create_uid integer,
    write_uid integer, code varchar(2) NOT NULL, name_position varchar, name jsonb NOT NULL, vat_label jsonb,
    address_format text, state_required boolean, zip_required boolean, create_date timestamp,
    write_date timestamp,
    CONSTRAINT res_country_code_uniq UNIQUE (code),
    CONSTRAINT res_country_name_uniq UNIQUE (name)
);

CREATE TABLE res_company (
    id serial PRIMARY KEY, name varchar NOT NULL, partner_id integer NOT NULL, currency_id integer NOT NULL,
    sequence integer, create_date timestamp, parent_path varchar, parent_id integer, create_uid integer,
    write_uid integer, email varchar, phone varchar, active boolean, write_date timestamp,
    CONSTRAINT res_company_name_uniq UNIQUE (name)
);

CREATE TABLE res_users (
    id serial PRIMARY KEY, company_id integer NOT NULL, partner_id integer NOT NULL, active boolean DEFAULT true,
    create_date timestamp, login varchar NOT NULL, password varchar, action_id integer, create_uid integer,
    write_uid integer, signature text, share boolean, write_date timestamp, totp_secret varchar,
    tour_enabled boolean, notification_type varchar NOT NULL, odoobot_state varchar, odoobot_failed boolean,
    sale_team_id integer, property_warehouse_id jsonb,
    CONSTRAINT res_users_login_key UNIQUE (login),
    CONSTRAINT res_users_notification_type CHECK (notification_type = 'email' OR NOT share)
);

CREATE TABLE res_partner (
    id serial PRIMARY KEY, company_id integer, create_date timestamp, name varchar, title integer,
    parent_id integer, user_id integer, state_id integer, country_id integer, industry_id integer, color integer,
    commercial_partner_id integer, create_uid integer, write_uid integer, complete_name varchar, ref varchar,
    lang varchar, tz varchar, vat varchar, company_registry varchar, website varchar, function varchar,
    type varchar, street varchar, street2 varchar, zip varchar, city varchar, email varchar, phone varchar,
    mobile varchar, commercial_company_name varchar, company_name varchar, barcode jsonb, comment text,
    partner_latitude numeric, partner_longitude numeric, active boolean, employee boolean, is_company boolean,
    partner_share boolean, write_date timestamp, message_bounce integer, email_normalized varchar,
    signup_type varchar, specific_property_product_pricelist jsonb, partner_gid integer, additional_info varchar,
    phone_sanitized varchar, invoice_template_pdf_report_id integer, supplier_rank integer, customer_rank integer,
    invoice_warn varchar, autopost_bills varchar NOT NULL, credit_limit jsonb, property_account_payable_id jsonb,
    property_account_receivable_id jsonb, property_account_position_id jsonb, property_payment_term_id jsonb,
    property_supplier_payment_term_id jsonb, trust jsonb, ignore_abnormal_invoice_date jsonb,
    ignore_abnormal_invoice_amount jsonb, invoice_sending_method jsonb, invoice_edi_format_store jsonb,
    property_outbound_payment_method_line_id jsonb, property_inbound_payment_method_line_id jsonb,
    invoice_warn_msg text, debit_limit numeric, picking_warn varchar, property_stock_customer jsonb,
    property_stock_supplier jsonb, picking_warn_msg text, peppol_endpoint varchar, peppol_eas varchar,
    sale_warn varchar, sale_warn_msg text, property_delivery_carrier_id jsonb,
    CONSTRAINT res_partner_check_name CHECK ((type = 'contact' AND name IS NOT NULL) OR type <> 'contact')
);
CREATE INDEX ON res_partner (parent_id);
CREATE INDEX ON res_partner (ref);
CREATE INDEX ON res_partner (vat);
CREATE INDEX ON res_partner (complete_name);

CREATE TABLE ir_model_data (
    id serial PRIMARY KEY, create_uid integer, create_date timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
    write_date timestamp DEFAULT (now() AT TIME ZONE 'UTC'), write_uid integer, res_id integer,
    noupdate boolean DEFAULT false, name varchar NOT NULL, module varchar NOT NULL, model varchar NOT NULL,
    CONSTRAINT ir_model_data_name_nospaces CHECK (name NOT LIKE '% %')
);
CREATE INDEX ON ir_model_data (model, res_id);
CREATE UNIQUE INDEX ir_model_data_module_name_uniq_index ON ir_model_data (module, name);
