-- mapping: odoo_res_partner
-- entity: customer
-- source: odoo
-- table: public.res_partner
-- version: 1
-- An address of type delivery or invoice may have no name of its own: complete_name has its parent's.
SELECT
    id                                                                AS source_key,
    coalesce(nullif(name, ''), nullif(complete_name, ''), 'Partner ' || id)    AS name,
    email                                                             AS email,
    vat                                                               AS vat,
    phone                                                             AS phone,
    coalesce(is_company, false)                                       AS is_company,
    map_status('customer.kind', coalesce(type, 'contact'))            AS kind,
    parent_id                                                         AS parent_key,
    street                                                            AS street,
    street2                                                           AS street2,
    city                                                              AS city,
    zip                                                               AS postcode,
    coalesce(active, false)                                           AS active
FROM public.res_partner
