"""What the loader relies on in Odoo, as tests that run against the stand-in and against a real Odoo alike.

    pytest tests/contract                                the stand-in
    CAUSEWAY_TEST_ODOO_URL=http://host:8069 CAUSEWAY_TEST_ODOO_DB=... pytest tests/contract
                                                         both; with `-m odoo` the real one only

The real one needs sale_management and stock installed; user and password are CAUSEWAY_TEST_ODOO_USER and
CAUSEWAY_TEST_ODOO_PASSWORD (admin, admin). The tests add records under a prefix of their run and delete nothing.
"""
