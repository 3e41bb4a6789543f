"""What moves goods besides shipments: returns, scrapping, counts, and reserving what has arrived for those who wait for it."""
