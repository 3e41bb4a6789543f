-- Payments, what reconciles entries, and the wizards by which orders are invoiced and invoices credited.
-- Tables, columns, types and checks as a database of Odoo 18 has them; columns of models that the stand-in
-- does not have stay, always NULL, so that a capture meets the same relation.

CREATE TABLE account_payment (
    id serial PRIMARY KEY, message_main_attachment_id integer, move_id integer, journal_id integer NOT NULL,
    company_id integer NOT NULL, partner_bank_id integer, paired_internal_transfer_payment_id integer,
    payment_method_line_id integer, payment_method_id integer, currency_id integer, partner_id integer,
    outstanding_account_id integer, destination_account_id integer, create_uid integer, write_uid integer,
    name varchar, state varchar NOT NULL, payment_type varchar NOT NULL, partner_type varchar NOT NULL, memo varchar,
    payment_reference varchar, date date NOT NULL, amount numeric, amount_company_currency_signed numeric,
    is_reconciled boolean, is_matched boolean, is_sent boolean, create_date timestamp, write_date timestamp,
    payment_transaction_id integer, payment_token_id integer, source_payment_id integer,
    CONSTRAINT account_payment_check_amount_not_negative CHECK (amount >= 0.0)
);
CREATE INDEX ON account_payment (move_id);

CREATE TABLE account_partial_reconcile (
    id serial PRIMARY KEY, debit_move_id integer NOT NULL, credit_move_id integer NOT NULL, full_reconcile_id integer,
    exchange_move_id integer, debit_currency_id integer, credit_currency_id integer, company_id integer,
    create_uid integer, write_uid integer, max_date date, amount numeric, debit_amount_currency numeric,
    credit_amount_currency numeric, create_date timestamp, write_date timestamp
);
CREATE INDEX ON account_partial_reconcile (debit_move_id);
CREATE INDEX ON account_partial_reconcile (credit_move_id);

CREATE TABLE account_move_reversal (
    id serial PRIMARY KEY, journal_id integer NOT NULL, company_id integer NOT NULL, create_uid integer,
    write_uid integer, reason varchar, date date, create_date timestamp, write_date timestamp
);
CREATE TABLE account_move_reversal_move (
    reversal_id integer NOT NULL, move_id integer NOT NULL,
    CONSTRAINT account_move_reversal_move_pkey PRIMARY KEY (reversal_id, move_id)
);
CREATE TABLE account_move_reversal_new_move (
    reversal_id integer NOT NULL, new_move_id integer NOT NULL,
    CONSTRAINT account_move_reversal_new_move_pkey PRIMARY KEY (reversal_id, new_move_id)
);

CREATE TABLE sale_advance_payment_inv (
    id serial PRIMARY KEY, currency_id integer, company_id integer, create_uid integer, write_uid integer,
    advance_payment_method varchar NOT NULL, fixed_amount numeric, deduct_down_payments boolean,
    consolidated_billing boolean, create_date timestamp, write_date timestamp, amount double precision
);
CREATE TABLE sale_advance_payment_inv_sale_order_rel (
    sale_advance_payment_inv_id integer NOT NULL, sale_order_id integer NOT NULL,
    CONSTRAINT sale_advance_payment_inv_sale_order_rel_pkey PRIMARY KEY (sale_advance_payment_inv_id, sale_order_id)
);
