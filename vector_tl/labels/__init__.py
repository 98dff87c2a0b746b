"""Labels: importing, exporting, checking, suggesting and reviewing them."""
