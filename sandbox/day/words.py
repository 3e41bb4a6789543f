"""The words that the day's names are made of: a wholesaler of giftware and hardware, its customers and their streets."""

from __future__ import annotations

STYLES = ("Vintage", "Enamel", "Copper", "Rustic", "Glazed", "Wicker", "Oak", "Slate", "Botanical", "Nautical")

GIFTWARE = (
    "Lantern", "Tea Light Holder", "Biscuit Tin", "Bread Bin", "Cake Stand", "Door Wreath", "Photo Frame", "Storage Jar",
    "Wall Clock", "Watering Can",
)  # fmt: skip

HARDWARE = (
    ("Wood Screws 4 x 40", "kg"), ("Wood Screws 5 x 60", "kg"), ("Clout Nails 30 mm", "kg"), ("Oval Nails 50 mm", "kg"),
    ("Brass Cup Hooks", "dozen"), ("Picture Hooks", "dozen"), ("Drawer Knobs", "dozen"), ("Butt Hinges 75 mm", "dozen"),
    ("Rim Lock", "each"), ("Door Closer", "each"), ("Letter Plate", "each"), ("Padlock 50 mm", "each"),
    ("Tower Bolt", "each"), ("Gate Latch", "each"), ("Sash Fastener", "each"), ("Coat Hook", "each"),
)  # fmt: skip

SERVICES = ("Gift Wrapping", "Engraving", "Key Cutting", "Shelf Labelling")

FAMILIES = (
    "Abbott", "Barlow", "Carver", "Dunmore", "Ellwood", "Fairley", "Garside", "Holroyd", "Ingham", "Jessop", "Kershaw",
    "Lofthouse", "Marsden", "Naylor", "Oldroyd", "Pickles", "Quarmby", "Ramsden", "Sutcliffe", "Thackray", "Underhill",
    "Varley", "Wadsworth", "Yeadon",
)  # fmt: skip

GIVEN = (
    "Alice", "Brian", "Chloë", "Dermot", "Elspeth", "Farid", "Grace", "Hamish", "Imogen", "Jonás", "Kwame", "Léa", "Morag",
    "Nadia", "Owen", "Priya", "Quentin", "Rosie", "Seán", "Tomasz",
)  # fmt: skip

TRADES = ("Gifts", "Ironmongers", "Home & Garden", "Stores", "Interiors", "Hardware", "Trading", "& Daughters")

STREETS = ("High Street", "Mill Lane", "Station Road", "Church Row", "Dock Street", "Market Place", "Weavers' Yard")

CITIES = (
    ("Leeds", "LS1 4AB", "GB"), ("Halifax", "HX1 2QR", "GB"), ("Bristol", "BS1 6TG", "GB"), ("Norwich", "NR2 1HN", "GB"),
    ("Glasgow", "G1 3SL", "GB"), ("Swansea", "SA1 5JQ", "GB"), ("Dublin", "D02 X285", "IE"), ("Lyon", "69002", "FR"),
    ("Köln", "50667", "DE"), ("Gent", "9000", "BE"),
)  # fmt: skip

SUPPLIERS = ("Pennine Pressings", "Severn Glass", "Black Country Castings")

SENTENCES = (
    "Made in small batches, so that colour and grain differ a little from piece to piece.",
    "Packed in recycled board; the outer carton holds a dozen and may be split.",
    "Wipe with a damp cloth, keep away from the dishwasher, and re-wax the wood once a year.",
    "Fixings are in the box, for masonry as well as for plasterboard.",
    "The finish is lead-free and tested to EN 71-3; the certificate comes with the first delivery.",
    "Sold by weight: counts are approximate, as they depend on the length.",
    "Spare parts are kept for seven years after the last delivery.",
    "Retailers get a display stand with an opening order of five outers.",
)
