-- Invoices and what they refer to.
-- Tables, columns, types and checks as a database of Odoo 18 has them; columns of models that the stand-in
-- does not have stay, always NULL, so that a capture meets the same relation.

CREATE TABLE account_tax (
    id serial PRIMARY KEY, company_id integer NOT NULL, sequence integer NOT NULL, tax_group_id integer NOT NULL DEFAULT 1,
    cash_basis_transition_account_id integer, country_id integer NOT NULL, create_uid integer, write_uid integer,
    type_tax_use varchar NOT NULL, tax_scope varchar, amount_type varchar NOT NULL,
    price_include_override varchar, tax_exigibility varchar, name jsonb NOT NULL, description jsonb,
    invoice_label jsonb, invoice_legal_notes text, amount numeric NOT NULL, active boolean,
    include_base_amount boolean, is_base_affected boolean, analytic boolean, create_date timestamp,
    write_date timestamp
);

CREATE TABLE account_account (
    id serial PRIMARY KEY, currency_id integer, create_uid integer, write_uid integer,
    account_type varchar NOT NULL, name jsonb NOT NULL, code_store jsonb, note text, deprecated boolean,
    reconcile boolean, non_trade boolean, create_date timestamp, write_date timestamp
);

CREATE TABLE account_journal (
    id serial PRIMARY KEY, alias_id integer, default_account_id integer, suspense_account_id integer,
    sequence integer, currency_id integer, company_id integer NOT NULL, profit_account_id integer,
    loss_account_id integer, bank_account_id integer, create_uid integer, write_uid integer, color integer,
    access_token varchar, code varchar(5) NOT NULL, type varchar NOT NULL,
    invoice_reference_type varchar NOT NULL, invoice_reference_model varchar NOT NULL,
    bank_statements_source varchar, name jsonb NOT NULL, sequence_override_regex text, active boolean,
    autocheck_on_post boolean, restrict_mode_hash_table boolean, refund_sequence boolean,
    payment_sequence boolean, show_on_dashboard boolean, create_date timestamp, write_date timestamp,
    CONSTRAINT account_journal_code_company_uniq UNIQUE (company_id, code)
);

CREATE TABLE account_move (
    id serial PRIMARY KEY, sequence_number integer, message_main_attachment_id integer,
    journal_id integer NOT NULL, company_id integer, origin_payment_id integer, statement_line_id integer,
    tax_cash_basis_rec_id integer, tax_cash_basis_origin_move_id integer, auto_post_origin_id integer,
    secure_sequence_number integer, invoice_payment_term_id integer, partner_id integer,
    commercial_partner_id integer, partner_shipping_id integer, partner_bank_id integer,
    fiscal_position_id integer, preferred_payment_method_line_id integer, currency_id integer NOT NULL,
    reversed_entry_id integer, invoice_user_id integer, invoice_incoterm_id integer,
    invoice_cash_rounding_id integer, create_uid integer, write_uid integer, sequence_prefix varchar,
    access_token varchar, name varchar, ref varchar, state varchar NOT NULL, move_type varchar NOT NULL,
    auto_post varchar NOT NULL, inalterable_hash varchar, payment_reference varchar, qr_code_method varchar,
    payment_state varchar, invoice_source_email varchar, invoice_partner_display_name varchar,
    invoice_origin varchar, incoterm_location varchar, date date NOT NULL, auto_post_until date,
    invoice_date date, invoice_date_due date, delivery_date date, sending_data jsonb, narration text,
    invoice_currency_rate numeric, amount_untaxed numeric, amount_tax numeric, amount_total numeric,
    amount_residual numeric, amount_untaxed_signed numeric, amount_untaxed_in_currency_signed numeric,
    amount_tax_signed numeric, amount_total_signed numeric, amount_total_in_currency_signed numeric,
    amount_residual_signed numeric, quick_edit_total_amount numeric, is_storno boolean,
    always_tax_exigible boolean, checked boolean, posted_before boolean, made_sequence_gap boolean,
    is_manually_modified boolean, is_move_sent boolean, create_date timestamp, write_date timestamp,
    stock_move_id integer, campaign_id integer, source_id integer, medium_id integer, team_id integer
);
CREATE UNIQUE INDEX account_move_unique_name ON account_move (name, journal_id) WHERE state = 'posted' AND name <> '/';

CREATE TABLE account_move_line (
    id serial PRIMARY KEY, move_id integer NOT NULL, journal_id integer, company_id integer,
    company_currency_id integer, sequence integer, account_id integer, currency_id integer NOT NULL,
    partner_id integer, reconcile_model_id integer, payment_id integer, statement_line_id integer,
    statement_id integer, group_tax_id integer, tax_line_id integer, tax_group_id integer,
    tax_repartition_line_id integer, full_reconcile_id integer, product_id integer, product_uom_id integer,
    create_uid integer, write_uid integer, move_name varchar, parent_state varchar, ref varchar, name varchar,
    matching_number varchar, display_type varchar NOT NULL, date date, invoice_date date, date_maturity date,
    discount_date date, analytic_distribution jsonb, debit numeric, credit numeric, balance numeric,
    amount_currency numeric, tax_base_amount numeric, amount_residual numeric, amount_residual_currency numeric,
    quantity numeric, price_unit numeric, price_subtotal numeric, price_total numeric, discount numeric,
    discount_amount_currency numeric, discount_balance numeric, is_imported boolean, tax_tag_invert boolean,
    reconciled boolean, create_date timestamp, write_date timestamp, cogs_origin_id integer,
    is_downpayment boolean,
    CONSTRAINT account_move_line_check_accountable_required_fields CHECK
        (display_type IN ('line_section', 'line_note') OR account_id IS NOT NULL),
    CONSTRAINT account_move_line_check_amount_currency_balance_sign CHECK
        (display_type IN ('line_section', 'line_note') OR (balance <= 0 AND amount_currency <= 0)
         OR (balance >= 0 AND amount_currency >= 0)),
    CONSTRAINT account_move_line_check_credit_debit CHECK
        (display_type IN ('line_section', 'line_note') OR credit * debit = 0),
    CONSTRAINT account_move_line_check_non_accountable_fields_null CHECK
        (display_type NOT IN ('line_section', 'line_note')
         OR (amount_currency = 0 AND debit = 0 AND credit = 0 AND account_id IS NULL))
);
CREATE INDEX ON account_move_line (move_id);
CREATE INDEX ON account_move_line (product_id);

CREATE TABLE product_taxes_rel (
    prod_id integer NOT NULL, tax_id integer NOT NULL,
    CONSTRAINT product_taxes_rel_pkey PRIMARY KEY (prod_id, tax_id)
);

CREATE TABLE account_move_line_account_tax_rel (
    account_move_line_id integer NOT NULL, account_tax_id integer NOT NULL,
    CONSTRAINT account_move_line_account_tax_rel_pkey PRIMARY KEY (account_move_line_id, account_tax_id)
);
