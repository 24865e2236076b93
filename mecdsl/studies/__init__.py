"""Several backends, forms and seeds side by side."""
