"""Labels: importing, exporting, checking, suggesting, reviewing and mining them."""
