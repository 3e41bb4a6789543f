"""A file of a retailer's invoice lines, played into the portal's database row for row.

The format is that of the public data set "Online Retail": InvoiceNo, StockCode, Description, Quantity, InvoiceDate,
UnitPrice, CustomerID, Country, as Parquet or CSV.
"""

from sandbox.orders_file.play import OrdersFile
from sandbox.orders_file.reader import OrdersFileError

__all__ = ["OrdersFile", "OrdersFileError"]
