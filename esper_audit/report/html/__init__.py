"""A page with its figures as one HTML file, which loads nothing and runs no script but its own."""
